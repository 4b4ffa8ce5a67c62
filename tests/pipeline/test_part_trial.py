"""`stackc plugins check` builds a small recipe with models and coders: right parts pass, wrong ones are found."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from stackc.api import Register, fields, hookimpl
from stackc.parts.registry import Registry, registry
from stackc.pipeline import part_trial
from stackc.pipeline.part_trial import build_with


@pytest.mark.parametrize(("kind", "name"), [("model", "counted"), ("coder", "bpe"), ("coder", "static-unigram")])
def test_models_and_piece_coders_are_built(kind: str, name: str) -> None:
    part = next(part for part in registry().parts(kind) if part.name == name)
    built = build_with(part)
    assert built.problem == ""
    assert built.note.startswith("built, coded and decoded in a small recipe: ")
    assert built.bits == build_with(part).bits
    assert len(str(built.bits)) == 64


@attrs.frozen(kw_only=True)
class Pieces:
    bits_version: ClassVar[int] = 1
    pieces: ClassVar[bool] = True
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False
    vocabulary: int = fields.bits(256, help="V")


class Wrong:
    """Says that every byte is a token, and encodes the letter a as b."""

    def fit(self, train: Any, alphabet: int, folder: Any) -> None:
        (folder / "nothing").write_bytes(b"")

    def load(self, folder: Any) -> None: ...

    def pieces(self) -> Any:
        return np.arange(256, dtype=np.uint8), np.arange(257)

    def encode(self, symbols: Any, bounds: Any) -> Any:
        return np.where(symbols == 97, 98, symbols).astype(np.uint32), np.diff(bounds)


class Plugin:
    @hookimpl
    def stackc_register_coders(self, register: Register) -> None:
        register("wrong", lambda config: Wrong(), Pieces, "a coder that is wrong")


def test_a_coder_that_does_not_restore_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Registry.of(_installed(), wrong=Plugin())
    part = next(part for part in found.parts("coder") if part.name == "wrong")
    assert build_with(part).note == "no recipe built: it is not installed"
    monkeypatch.setattr(part_trial, "registry", lambda: found)
    monkeypatch.setattr("stackc.recipe.load.installed_parts", lambda: found)
    built = build_with(part)
    assert built.problem.startswith("a small recipe with it does not build: ")
    assert "wrong" in built.problem or "M1" in built.problem
    assert built.bits is None


def _installed() -> dict[str, object]:
    from stackc.parts.registry import installed

    return {source.plugin: source.load() for source in installed() if source.distribution == "stackc"}
