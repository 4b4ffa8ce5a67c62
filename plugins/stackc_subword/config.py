"""Configurations of the subword coders, and what they can do. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs
from attrs.validators import and_, ge, gt, in_, le

from stackc.api import MAX_ALPHABET, bits

BYTES = 256
"""The alphabet that the coders read."""


class _Subword:
    """What both coders can do; `kind` is what recipes call one."""

    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False
    pieces: ClassVar[bool] = True
    kind: ClassVar[str]

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """A level that does not read bytes."""
        if alphabet == BYTES:
            return []
        return [f"kind: '{self.kind}' codes bytes, and this level reads {alphabet} symbols; make it the first level"]


@attrs.frozen(kw_only=True)
class BpeConfig(_Subword):
    """Byte-level byte-pair encoding, as the library `tokenizers` trains it. A piece coder."""

    bits_version: ClassVar[int] = 1
    kind: ClassVar[str] = "bpe"

    vocabulary: int = bits(
        32_768,
        check=and_(ge(BYTES + 1), le(MAX_ALPHABET)),
        help="V, the tokens: every byte, and the merges; 257 or more",
    )


@attrs.frozen(kw_only=True)
class SentencePieceConfig(_Subword):
    """SentencePiece with identity normalisation and byte fall-back. A piece coder."""

    bits_version: ClassVar[int] = 1
    kind: ClassVar[str] = "sentencepiece"

    vocabulary: int = bits(
        8_192,
        check=and_(ge(BYTES + 2), le(MAX_ALPHABET)),
        help="V, the tokens: one for what is unknown, every byte, every common character, and pieces; 258 or more",
    )
    model: Literal["unigram", "bpe"] = bits(
        "unigram", check=in_(("unigram", "bpe")), help="how pieces are found; unigram takes several times as long"
    )
    coverage: float = bits(
        0.9995, check=and_(gt(0.0), le(1.0)), help="share of the text's characters that are pieces; the rest are bytes"
    )
    sample: int = bits(
        1 << 24,
        check=and_(ge(1 << 12), le(1 << 34)),
        help="bytes of the training text that are read, evenly spread, 2^12 to 2^34; all of them are held in memory",
    )
