"""A kind of route that the package does not know: one class and one question, and everything else works with it."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from click.testing import CliRunner

import stackc
import stackc.coding.level
from recipes_of_tests import HEAD, TEXT, corpus, level
from registered import source
from stackc.api import Register, Window, hookimpl
from stackc.api.errors import CodingError
from stackc.cli import main
from stackc.coding.documents import Decoding, Encoding
from stackc.coding.route import Documents, Route
from stackc.coding.routes import choose_route
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import Registry, registry


@attrs.frozen(kw_only=True)
class MirrorConfig:
    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False


class Mirror:
    """Can do nothing that the routes of the package ask for, and one thing that the new one does."""

    def encoder(self, window: Window) -> Any:
        raise AssertionError("only the new route codes with this coder")

    decoder = encoder

    def mirrored(self, symbols: Any, alphabet: int) -> Any:
        return alphabet - 1 - symbols


class Mirrors(Documents):
    """Every symbol as one token, its mirror image."""

    texts = None
    runs_model = False
    portability = "portable"
    windows_decode_alone = False
    not_generated = "its tokens are mirror images"

    def __init__(self, spec: LevelSpec) -> None:
        self._coder: Any = spec.coder
        self._alphabet = spec.alphabet

    def encode(self, symbols: Any, bounds: Any, cuts: Any, verify: bool = True) -> Encoding:
        tokens = self._coder.mirrored(symbols.astype(np.uint8), self._alphabet)
        return Encoding(tokens=tokens, offsets=bounds - bounds[0], starts=bounds[:-1])

    def decode(self, tokens: Any, bounds: Any, most: int | None) -> Decoding:
        if most is not None and len(tokens) > most:
            raise CodingError("more symbols than allowed")
        symbols = self._coder.mirrored(tokens.astype(np.uint8), self._alphabet)
        return Decoding(symbols=symbols, offsets=bounds - bounds[0], ignored=0)


def chosen(spec: LevelSpec, dictionary: Any = None) -> Route:
    return Mirrors(spec) if hasattr(spec.coder, "mirrored") else choose_route(spec, dictionary)


@hookimpl
def stackc_register_coders(register: Register) -> None:
    register("mirror", lambda config: Mirror(), MirrorConfig, "mirror images of symbols")


RECIPE = (
    HEAD.format(name="mirrored", segment=200)
    + level("M1", 'kind = "whole"', "mirror", 8)
    + level("M2", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, 'backend = "unigram"')
    + '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A recipe with the coder, and the stack that is built from it while the package knows the route."""
    folder = tmp_path_factory.mktemp("mirrored")
    module = types.ModuleType("toy")
    vars(module).update(stackc_register_coders=stackc_register_coders)
    # As a part of stackc's own: a build tries those of others in a second process, which knows no toys.
    own = attrs.evolve(source("toy", lambda: module), distribution="stackc", version=stackc.__version__)
    part = Registry([own]).get("coder", "mirror")
    corpus(folder)
    (folder / "recipe.toml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry()._parts, ("coder", "mirror"), part)
        patch.setattr(stackc.coding.level, "choose_route", chosen)
        stackc.build(folder / "recipe.toml", folder / "stack")
        yield folder


def call(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_new_kind_of_route_builds_codes_and_is_measured(folder: Path, tmp_path: Path) -> None:
    built = folder / "stack"
    stack = stackc.load(built)
    assert isinstance(stack.levels[0].route, Mirrors)
    for text in (b"", b"a", bytes(range(256)), TEXT.encode()):
        assert stack.decode(stack.encode(text)) == text
    assert stack.levels[0].encode(np.frombuffer(b"ab", np.uint8)).tokens.tolist() == [158, 157]
    rows = json.loads((built / "report" / "report.json").read_text())["levels"]
    assert rows[0]["edit_places"] > 0
    (tmp_path / "text").write_text(TEXT * 3)
    call("compress", tmp_path / "text", "--stack", built)
    call("verify", tmp_path / "text.stk", "--stack", built)
    call("decompress", tmp_path / "text.stk", "--stack", built, "-o", tmp_path / "back")
    assert (tmp_path / "back").read_text() == TEXT * 3
    assert "mirror" in call("inspect", built)
    assert "M1/tokens/test" in call("build", folder / "recipe.toml", "--out", built, "--dry-run")
    call("eval", built, tmp_path / "text")
    call("export", built, "--to", "bin", "--level", "M1", "-o", tmp_path / "exported.bin")
    call("report", built, "-o", tmp_path / "page.html")


def test_no_text_is_generated_through_a_route_that_says_so(folder: Path) -> None:
    with pytest.raises(CodingError, match=r"M1: its tokens are mirror images, so nothing can be generated through it"):
        stackc.load(folder / "stack").generate(b"It", tokens=3)
