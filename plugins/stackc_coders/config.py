"""Configurations of the coders, and what each coder can do. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import MAX_ALPHABET, bits


@attrs.frozen(kw_only=True)
class ArithmeticConfig:
    """Arithmetic coding of a model's frequencies by the slot rule."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True
    takes_bitwise: ClassVar[bool] = True
    masks: ClassVar[bool] = True


@attrs.frozen(kw_only=True)
class StaticUnigramConfig:
    """The slot rule under one fixed row of frequencies, counted on the training text."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False
    masks: ClassVar[bool] = True


def _too_small(vocabulary: int, alphabet: int, more: str) -> list[str]:
    """The problem of a vocabulary that cannot hold every symbol and something more; empty if it can."""
    if vocabulary > alphabet:
        return []
    return [f"vocabulary: {vocabulary} is too small for {alphabet} symbols and {more}"]


@attrs.frozen(kw_only=True)
class TunstallConfig:
    """The V most probable texts under a model; a window is the longest one that matches. A dictionary coder."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True
    masks: ClassVar[bool] = True

    vocabulary: int = bits(
        65_536,
        check=and_(ge(2), le(MAX_ALPHABET)),
        help="V, the codes: the empty text, every symbol, and the most probable longer texts",
    )

    def problems(self, alphabet: int, settings: None) -> list[str]:
        return _too_small(self.vocabulary, alphabet, "the empty text")


@attrs.frozen(kw_only=True)
class LexiconConfig:
    """V texts, proposed by a model and kept if the training text uses them; windows are cut at least cost."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True
    masks: ClassVar[bool] = True
    pieces: ClassVar[bool] = True

    vocabulary: int = bits(
        4_096,
        check=and_(ge(2), le(MAX_ALPHABET)),
        help="V, the tokens: every symbol alone, and those longer texts that the training text uses best",
    )
    proposals: int = bits(
        8, check=and_(ge(1), le(64)), help="texts that the model proposes, as a multiple of V, 1 to 64"
    )
    surcharge: int = bits(
        3,
        check=and_(ge(0), le(64)),
        help="bits that every token costs beyond its own, 0 to 64: more of them make fewer tokens",
    )
    rounds: int = bits(
        10, check=and_(ge(1), le(100)), help="times that windows are cut and the least useful texts dropped, 1 to 100"
    )

    def problems(self, alphabet: int, settings: None) -> list[str]:
        return _too_small(self.vocabulary, alphabet, "a text")


@attrs.frozen(kw_only=True)
class GzipConfig:
    """A zlib stream per window. A coder of whole windows."""

    bits_version: ClassVar[int] = 1
    whole: ClassVar[bool] = True
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    level: int = bits(6, check=and_(ge(1), le(9)), help="zlib's effort, 1 (fast) to 9 (small)")
