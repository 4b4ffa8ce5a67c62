"""Plugins are found one by one; what is broken is named; what would go wrong in silence is an error."""

from __future__ import annotations

import importlib.metadata
import sys
import types
from typing import Any, ClassVar

import attrs
import pytest

from registered import source
from stackc.api import Device, PluginError, Register, Windowing, bits, hookimpl
from stackc.api import hooks as hookspecs
from stackc.parts.registry import HOOKS, Registry, registry

FIRST_PARTY = {
    "model": {"transformer", "uniform", "unigram"},
    "coder": {"arithmetic", "gzip", "static-unigram"},
    "windowing": {"equal-info", "fixed-token", "whole"},
    "reader": {"text"},
}


@attrs.frozen(kw_only=True)
class PlainConfig:
    bits_version: ClassVar[int] = 3
    size: int = bits(1, help="a size")


def plugin(**functions: Any) -> types.ModuleType:
    """A module with these attributes, as an entry point would name."""
    module = types.ModuleType("toy")
    vars(module).update(functions)
    return module


def windowings(*names: str, config: Any = PlainConfig) -> types.ModuleType:
    @hookimpl
    def stackc_register_windowings(register: Register) -> None:
        for name in names:
            register(name, lambda made: made, config, "a toy")

    return plugin(stackc_register_windowings=stackc_register_windowings)


# -- what is found


@pytest.mark.parametrize("kind", list(FIRST_PARTY))
def test_first_party_parts_are_found_through_entry_points(kind: str) -> None:
    found = {part.name: part for part in registry().parts(kind)}
    assert set(found) >= FIRST_PARTY[kind]
    for name in FIRST_PARTY[kind]:
        assert found[name].distribution == "stackc"
        assert found[name].version == importlib.metadata.version("stackc")
        assert found[name].bits_version >= 1


def test_every_hook_is_a_kind_of_part() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("stackc_")}
    assert hooks == set(HOOKS.values())


def test_part_of_a_plugin_object() -> None:
    part = Registry.of(toy=windowings("blank")).get("windowing", "blank")
    assert (part.plugin, part.distribution, part.bits_version, part.summary) == ("toy", "", 3, "a toy")
    assert part.factory(7) == 7


def test_parts_are_sorted_by_kind_and_name() -> None:
    made = Registry.of(one=windowings("b", "a"), two=windowings("c"))
    assert [part.name for part in made.parts("windowing")] == ["a", "b", "c"]
    assert made.parts("model") == []
    assert [part.kind for part in registry().parts()] == sorted(
        (p.kind for p in registry().parts()), key=list(HOOKS).index
    )


def test_same_name_in_two_kinds_is_allowed() -> None:
    @hookimpl
    def stackc_register_readers(register: Register) -> None:
        register("blank", lambda made: made, PlainConfig, "a toy")

    both = windowings("blank")
    both.stackc_register_readers = stackc_register_readers  # type: ignore[attr-defined]
    assert len(Registry.of(toy=both).parts()) == 2


def test_hook_of_another_name_with_specname() -> None:
    @hookimpl(specname="stackc_register_windowings")
    def mine(register: Register) -> None:
        register("blank", lambda made: made, PlainConfig, "a toy")

    assert Registry.of(toy=plugin(mine=mine)).get("windowing", "blank").name == "blank"


def test_class_instance_as_plugin() -> None:
    class Toy:
        @hookimpl
        def stackc_register_windowings(self, register: Register) -> None:
            register("blank", lambda made: made, PlainConfig, "a toy")

    assert Registry.of(toy=Toy()).get("windowing", "blank").name == "blank"


# -- what is missing


def test_unknown_part_names_the_nearest_and_the_rest() -> None:
    with pytest.raises(
        PluginError, match=r"no windowing named 'blnk'; installed: blank, whole; did you mean 'blank'\?"
    ):
        Registry.of(toy=windowings("blank", "whole")).get("windowing", "blnk")


def test_unknown_part_of_an_artifact_says_what_to_install() -> None:
    with pytest.raises(PluginError, match=r"installed: none; it came with stackc-toy: pip install stackc-toy"):
        Registry.of().get("coder", "tunstall", distribution="stackc-toy")


# -- what is set aside


def broken_import() -> object:
    raise ImportError("no module named 'cupy'")


def test_plugin_that_does_not_import_is_set_aside_and_the_rest_works() -> None:
    made = Registry([source("bad", broken_import), source("good", lambda: windowings("blank"))])
    made.check(strict=False)
    assert made.get("windowing", "blank").plugin == "good"
    assert [str(broken) for broken in made.broken] == [
        "plugin 'bad' (dist-bad 1.2): ImportError: no module named 'cupy'"
    ]
    with pytest.raises(PluginError, match=r"plugin 'bad' \(dist-bad 1.2\) was set aside and may have had it"):
        made.get("windowing", "other")


def test_plugin_that_ends_the_program_is_set_aside() -> None:
    made = Registry([source("bad", lambda: sys.exit("no licence"))])
    assert [broken.reason for broken in made.broken] == ["SystemExit: no licence"]


def test_strict_variable_makes_it_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Registry([source("bad", broken_import)])
    monkeypatch.setenv("STACKC_STRICT_PLUGINS", "0")
    made.check()
    monkeypatch.setenv("STACKC_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError, match=r"plugin 'bad' \(dist-bad 1.2\): ImportError"):
        made.check()


def test_nothing_of_a_plugin_is_kept_when_its_hook_fails_halfway() -> None:
    @hookimpl
    def stackc_register_windowings(register: Register) -> None:
        register("blank", lambda made: made, PlainConfig, "a toy")
        raise RuntimeError("on the\nway")

    made = Registry([source("toy", lambda: plugin(stackc_register_windowings=stackc_register_windowings))])
    assert made.parts() == []
    assert made.broken[0].reason == "RuntimeError: on the way"


@attrs.frozen(kw_only=True)
class NoVersion:
    size: int = bits(1, help="a size")


@attrs.define(kw_only=True)
class NotFrozen:
    bits_version: ClassVar[int] = 1


@attrs.frozen
class Positional:
    bits_version: ClassVar[int] = 1
    size: int = bits(1, help="a size")


@attrs.frozen(kw_only=True)
class NoHelp:
    bits_version: ClassVar[int] = 1
    size: int = 1


@attrs.frozen(kw_only=True)
class Reserved:
    bits_version: ClassVar[int] = 1
    kind: int = bits(1, help="a kind")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (int, "is not an attrs class"),
        (NoVersion, "its config lacks bits_version"),
        (NotFrozen, "NotFrozen is not frozen"),
        (Positional, "Positional.size is not keyword-only"),
        (NoHelp, "NoHelp.size has no help"),
        (Reserved, "its field 'kind' has a name that recipes use themselves"),
    ],
)
def test_wrong_config_is_set_aside(config: Any, reason: str) -> None:
    made = Registry([source("toy", lambda: windowings("blank", config=config))])
    made.check(strict=False)
    assert made.parts() == []
    assert "windowing 'blank' is registered wrongly" in made.broken[0].reason
    assert reason in made.broken[0].reason


def test_coder_config_needs_its_flags_and_model_config_its_cost() -> None:
    @hookimpl
    def stackc_register_coders(register: Register) -> None:
        register("c", lambda made: made, PlainConfig, "a toy")

    @hookimpl
    def stackc_register_models(register: Register) -> None:
        register("m", lambda made: made, PlainConfig, "a toy")

    coder = Registry([source("toy", lambda: plugin(stackc_register_coders=stackc_register_coders))])
    assert "lacks budget: ClassVar[bool]" in coder.broken[0].reason
    model = Registry([source("toy", lambda: plugin(stackc_register_models=stackc_register_models))])
    assert "lacks cost(alphabet, settings)" in model.broken[0].reason


def test_a_self_test_stands_beside_the_factory_and_wins_over_a_config_s_doctor() -> None:
    @attrs.frozen(kw_only=True)
    class Old(PlainConfig):
        @staticmethod
        def doctor(device: Device) -> str:
            return f"old on {device.name}"

    def test(device: Device) -> str:
        return f"new on {device.name}"

    @hookimpl
    def stackc_register_windowings(register: Register) -> None:
        register("none", lambda config: Windowing(), PlainConfig, "a toy")
        register("old", lambda config: Windowing(), Old, "a toy")
        register("new", lambda config: Windowing(), PlainConfig, "a toy", self_test=test)
        register("both", lambda config: Windowing(), Old, "a toy", self_test=test)
        with pytest.raises(PluginError, match="the self_test 'slow' cannot be called"):
            register("wrong", lambda config: Windowing(), PlainConfig, "a toy", self_test="slow")  # type: ignore[arg-type]

    found = Registry.of(toy=plugin(stackc_register_windowings=stackc_register_windowings))
    said = {part.name: part.self_test and part.self_test(Device()) for part in found.parts()}
    assert said == {"none": None, "old": "old on cpu", "new": "new on cpu", "both": "new on cpu"}


@pytest.mark.parametrize(
    ("name", "factory", "summary", "reason"),
    [
        ("Blank", print, "a toy", "is not lower-case"),
        (7, print, "a toy", "is not lower-case"),
        ("blank", None, "a toy", "cannot be called"),
        ("blank", print, "", "not one line"),
        ("blank", print, "a\nb", "not one line"),
    ],
)
def test_wrong_registration_is_set_aside(name: Any, factory: Any, summary: str, reason: str) -> None:
    @hookimpl
    def stackc_register_readers(register: Register) -> None:
        register(name, factory, PlainConfig, summary)

    made = Registry([source("toy", lambda: plugin(stackc_register_readers=stackc_register_readers))])
    assert reason in made.broken[0].reason


# -- what is an error


def test_duplicate_name_names_both_plugins() -> None:
    made = Registry([source("one", lambda: windowings("blank")), source("two", lambda: windowings("blank"))])
    with pytest.raises(PluginError) as caught:
        made.check()
    assert "plugin 'two' (dist-two 1.2): a second windowing named 'blank'; plugin 'one' (dist-one)" in str(caught.value)


def test_duplicate_name_inside_one_plugin() -> None:
    with pytest.raises(PluginError, match="plugin 'toy': a second windowing named 'blank'; plugin 'toy' has one"):
        Registry.of(toy=windowings("blank", "blank"))


def test_misspelt_hook_prints_both_signatures() -> None:
    @hookimpl
    def stackc_register_windowing(register: Register) -> None: ...

    with pytest.raises(PluginError) as caught:
        Registry.of(toy=plugin(stackc_register_windowing=stackc_register_windowing))
    assert str(caught.value) == (
        "plugin 'toy': hook 'stackc_register_windowing' is not one of stackc's\n"
        "  expected: stackc_register_windowings(register)\n"
        "  found:    stackc_register_windowing(register)"
    )


def test_misspelt_hook_that_is_not_marked_either() -> None:
    def stackc_register_model(register: Register) -> None: ...

    with pytest.raises(PluginError, match="hook 'stackc_register_model' is not one of stackc's"):
        Registry.of(toy=plugin(stackc_register_model=stackc_register_model))


def test_marked_hook_of_any_other_name() -> None:
    @hookimpl
    def register_models(register: Register) -> None: ...

    with pytest.raises(PluginError, match=r"expected: stackc_register_models\(register\)"):
        Registry.of(toy=plugin(register_models=register_models))


def test_hook_without_its_marker() -> None:
    def stackc_register_models(register: Register) -> None: ...

    with pytest.raises(PluginError, match="hook 'stackc_register_models' lacks @hookimpl"):
        Registry.of(toy=plugin(stackc_register_models=stackc_register_models))


def no_argument() -> None: ...


def misnamed(registry: Register) -> None: ...


def two(register: Register, more: int) -> None: ...


def defaulted(register: Register | None = None) -> None: ...


@pytest.mark.parametrize(
    ("function", "found"),
    [(no_argument, "()"), (misnamed, "(registry)"), (two, "(register, more)"), (defaulted, "(register)")],
)
def test_wrong_signature_prints_both(function: Any, found: str) -> None:
    marked = hookimpl(specname="stackc_register_models")(function)
    with pytest.raises(PluginError) as caught:
        Registry.of(toy=plugin(stackc_register_models=marked))
    assert "plugin 'toy': hook 'stackc_register_models' has a wrong signature" in str(caught.value)
    assert "expected: stackc_register_models(register)" in str(caught.value)
    assert f"found:    stackc_register_models{found}" in str(caught.value)


def test_imported_first_party_package_is_no_hook() -> None:
    assert Registry.of(toy=plugin(stackc_other=types.ModuleType("stackc_other"))).parts() == []
