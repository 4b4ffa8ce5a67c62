"""The version of the contract: which plugins it admits, and what the others are told."""

from __future__ import annotations

import inspect
import re
import types
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest

import stackc.api
import stackc.testing
from stackc.api import CONTRACT, Device, Register, Window, Windowing, bits, hookimpl
from stackc.api.version import contract_problem
from stackc.coding.trial import check_part
from stackc.parts.abilities import codes_whole_windows, cuts_pieces, has_intervals, has_tables, lists_texts
from stackc.parts.part import Source
from stackc.parts.registry import Registry, registry
from stackc.testing.windowings import PlainCoder
from stackc_coders.twin import SlotEncoder

MAJOR, MINOR = CONTRACT
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


@attrs.frozen(kw_only=True)
class Config:
    bits_version: ClassVar[int] = 1
    size: int = bits(1, help="a size")


def made_for(contract: Any) -> types.ModuleType:
    """A plugin with one windowing that says so."""

    @hookimpl
    def stackc_register_windowings(register: Register) -> None:
        register("blank", lambda config: Windowing(), Config, "a toy")

    module = types.ModuleType("toy")
    vars(module).update(stackc_register_windowings=stackc_register_windowings, STACKC_CONTRACT=contract)
    return module


def found(plugin: object) -> Registry:
    return Registry([Source(plugin="toy", distribution="stackc-toy", version="0.3", load=lambda: plugin)])


def test_the_version_is_two_numbers() -> None:
    assert stackc.api.CONTRACT == (MAJOR, MINOR)
    assert MAJOR >= 1
    assert MINOR >= 0


@pytest.mark.parametrize("contract", [CONTRACT, (MAJOR, 0), None])
def test_what_fits_is_admitted(contract: Any) -> None:
    assert contract_problem(made_for(contract)) is None
    assert [part.name for part in found(made_for(contract)).parts()] == ["blank"]


@attrs.frozen(kw_only=True)
class CoderConfig:
    """As contract 1.0 had it: the flags are also on the coder, and the self-test is here."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    @staticmethod
    def doctor(device: Device) -> str:
        return "well"


def test_a_coder_made_for_the_first_contract_works_and_its_own_flags_are_ignored() -> None:
    class Old(PlainCoder):
        budget, ends, total, needs_model = False, False, True, True

    @hookimpl
    def stackc_register_coders(register: Register) -> None:
        register("old", lambda config: Old(), CoderConfig, "a toy")

    module = made_for((1, 0))
    vars(module).update(stackc_register_coders=stackc_register_coders)
    part = found(module).get("coder", "old")
    assert check_part(part).problems == []
    assert part.self_test is not None
    assert part.self_test(Device()) == "well"


class Handed:
    """A coder that hands on all methods of another."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_abilities_are_found_though_they_are_handed_on() -> None:
    unigram = registry().get("coder", "static-unigram")
    coder = Handed(unigram.factory(unigram.config()))
    assert has_tables(coder)
    assert lists_texts(coder)
    assert not cuts_pieces(coder)
    assert has_intervals(Handed(SlotEncoder(Window(alphabet=2, bits=8, symbols=9, token_bits=8))))
    assert not has_tables(Handed(PlainCoder()))
    gzip = registry().get("coder", "gzip")
    assert codes_whole_windows(Handed(gzip.factory(gzip.config())))
    assert not codes_whole_windows(Handed(coder))


@pytest.mark.parametrize(
    ("contract", "problem"),
    [
        ((MAJOR, MINOR + 1), f"made for contract {MAJOR}.{MINOR + 1} of stackc.api (found {MAJOR}.{MINOR}): "
                             "install a newer stackc"),
        ((MAJOR + 1, 0), f"made for contract {MAJOR + 1}.0 of stackc.api (found {MAJOR}.{MINOR}): "
                         "install a newer stackc"),
        ((MAJOR - 1, 9), f"made for contract {MAJOR - 1}.9 of stackc.api (found {MAJOR}.{MINOR}): "
                         "install a newer version of the plugin"),
        ("1.0", f"its STACKC_CONTRACT is '1.0', not a pair of numbers such as {CONTRACT}"),
        ((1,), f"its STACKC_CONTRACT is (1,), not a pair of numbers such as {CONTRACT}"),
        ((1, -1), f"its STACKC_CONTRACT is (1, -1), not a pair of numbers such as {CONTRACT}"),
        ((True, 0), f"its STACKC_CONTRACT is (True, 0), not a pair of numbers such as {CONTRACT}"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_set_aside_and_named_where_its_part_is_asked_for(contract: Any, problem: str) -> None:
    registry = found(made_for(contract))
    assert [str(broken) for broken in registry.broken] == [f"plugin 'toy' (stackc-toy 0.3): {problem}"]
    message = registry.missing("windowing", "blank")
    assert "no windowing named 'blank'" in message
    assert f"plugin 'toy' (stackc-toy 0.3) was set aside and may have had it ({problem})" in message


def test_a_name_that_this_contract_lacks_points_to_the_contract() -> None:
    def load() -> object:
        exec("from stackc.api import of_a_later_contract")
        return None

    reason = Registry([Source(plugin="toy", distribution="", version="", load=load)]).broken[0].reason
    assert "cannot import name 'of_a_later_contract' from 'stackc.api'" in reason
    assert f"made for another contract of stackc.api than {MAJOR}.{MINOR}: install a newer stackc" in reason


def test_the_reference_says_each_public_name_in_a_line_and_no_other() -> None:
    text, suites = REFERENCE.read_text().split("\n## Test suites\n")
    lines = re.findall(r"^\| `(\w+)` \| (.+) \|$", text, re.MULTILINE)
    assert sorted(name for name, _ in lines) == sorted(stackc.api.__all__)
    assert all(meaning.strip() for _, meaning in lines)
    assert f"here {CONTRACT}" in text
    assert f"STACKC_CONTRACT = {CONTRACT}" in text
    listed = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", suites, re.MULTILINE)
    assert sorted(name for name, _ in listed) == sorted(stackc.testing.__all__)
    for name, given in listed:
        suite = getattr(stackc.testing, name)
        wanted = [what for what in vars(suite) if "NotImplementedError" in _source_of(suite, what)]
        assert all(f"`{what}" in given for what in wanted), (name, wanted)


def _source_of(suite: type, name: str) -> str:
    member = vars(suite)[name]
    return inspect.getsource(member) if inspect.isfunction(member) else ""
