"""The configuration of the coder `phrases`, and what it can do. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar, Literal

import attrs
from attrs.validators import and_, ge, in_, le

from stackc.api import MAX_ALPHABET, bits

BYTES = 256
"""The alphabet that the coder reads."""

MOST_WORDS = 16
"""Words in a phrase, at most."""


@attrs.frozen(kw_only=True)
class PhrasesConfig:
    """Pieces of whole words and phrases, found in the training text by our own trainer. A piece coder."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False
    pieces: ClassVar[bool] = True

    vocabulary: int = bits(
        32_768,
        check=and_(ge(BYTES + 1), le(MAX_ALPHABET)),
        help="V, the tokens: every byte, parts of words, words and phrases; 257 or more",
    )
    words: int = bits(
        4, check=and_(ge(1), le(MOST_WORDS)), help="most words in a phrase, 1 to 16; 1: no token holds more than a word"
    )
    objective: Literal["use", "unigram"] = bits(
        "unigram",
        check=in_(("use", "unigram")),
        help="which pieces stay: those used most often, or those whose loss would cost most bits under their own "
        "frequencies",
    )
    parse: Literal["longest", "optimal"] = bits(
        "optimal",
        check=in_(("longest", "optimal")),
        help="how text is cut: the longest piece first, or the pieces that cost fewest bits together",
    )
    share: float = bits(
        0.1, check=and_(ge(0.0), le(1.0)), help="share of the vocabulary that phrases have at most, 0 to 1"
    )
    surcharge: int = bits(
        3,
        check=and_(ge(0), le(64)),
        help="bits that every token costs beyond its own in an optimal parse, 0 to 64: more of them make fewer tokens",
    )
    rounds: int = bits(
        10, check=and_(ge(1), le(100)), help="times that the text is cut and the least useful pieces dropped, 1 to 100"
    )
    sample: int = bits(
        1 << 25,
        check=and_(ge(1 << 12), le(1 << 34)),
        help="bytes of the training text that are read, evenly spread, 2^12 to 2^34; all of them are held in memory",
    )
    candidates: int = bits(
        1 << 22,
        check=and_(ge(1 << 12), le(1 << 28)),
        help="entries of each table that counts candidates, 2^12 to 2^28, about 50 bytes each; when one is full, the "
        "rarest are dropped",
    )

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """A level that does not read bytes."""
        if alphabet == BYTES:
            return []
        return [f"kind: 'phrases' codes bytes, and this level reads {alphabet} symbols; make it the first level"]
