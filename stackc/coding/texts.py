"""The texts of a level's symbols: the bytes of each, expanded through the tables of all levels below it.

Symbols have texts if every level below has one token per code and a table of texts: a dictionary, or the pieces of a
piece coder. If a code's meaning depends on what was coded before it (levels that are coded in lanes, whole windows), or
is spread over several tokens, no symbol has its own text.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stackc.api.arrays import Int64, Symbols, Uint8
from stackc.api.errors import CodingError
from stackc.api.offsets import offsets_of
from stackc.api.texts import SymbolTexts
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.parts.symbols import check_room, outside, symbol_dtype

MOST_BYTES = 1 << 28
"""Bytes, and symbols of one level's table, that all texts of an alphabet may have together."""


def byte_texts() -> SymbolTexts:
    """The texts of bytes: symbol b is the byte b."""
    return SymbolTexts(data=np.arange(256, dtype=np.uint8), offsets=np.arange(257))


def why_no_texts(specs: Sequence[LevelSpec]) -> str | None:
    """Why the symbols above some levels have no texts; None if they have, as far as is known before models exist.

    Args:
        specs: of all levels below, the lowest first; none: the symbols are bytes, which have texts.

    Returns:
        A clause that names the first level without texts, e.g. "M2 is not compiled: a window has 24 bits, and at most
        20 are compiled".
    """
    for spec in specs:
        per = spec.window_tokens
        if per is not None and per > 1:
            return f"{spec.name} has {per} tokens per window"
        reason = why_not_compiled(spec)
        if spec.vocabulary is None and reason is not None:
            return f"{spec.name} is not compiled: {reason}"
    return None


def symbol_texts(levels: Sequence[Level], most: int = MOST_BYTES) -> SymbolTexts | None:
    """The texts of the symbols that come out of some levels; None if those have no texts of their own.

    Deterministic: a function of the levels' tables alone. Codes without a text (code 0 of a dictionary, numbers past
    its last code) have an empty one, and so does what they contribute to a text of a level above.

    Args:
        levels: all levels below the symbols, the lowest first; none: the symbols are bytes.
        most: bytes of all texts together, and symbols of all texts of one level, at most.

    Raises:
        CodingError: the texts of a level are larger than `most`; found before memory is allocated for them.
    """
    texts = byte_texts()
    for level in levels:
        table = level.texts if level.window_tokens == 1 else None
        if table is None:
            return None
        lengths = np.zeros(level.token_alphabet, np.int64)
        lengths[: len(table)] = table.length
        check_room(level.name, int(lengths.sum()), most)
        codes = np.arange(len(table))
        symbols, _ = table.decode(codes, np.arange(len(table) + 1))
        data, ends = expanded(texts, symbols, most)
        texts = SymbolTexts(data=data, offsets=ends[offsets_of(lengths)])
    texts.data.flags.writeable = False
    texts.offsets.flags.writeable = False
    return texts


def expanded(texts: SymbolTexts, symbols: Symbols, most: int | None = None) -> tuple[Uint8, Int64]:
    """The bytes of symbols one after another: uint8[m], and int64[n + 1], where the bytes of each start and end.

    Args:
        texts: of an alphabet that has all of the symbols.
        symbols: integers [n].
        most: bytes at most; None: any number.

    Raises:
        CodingError: more bytes than `most`, found before memory is allocated for them.
    """
    from stackc.coding.text_kernels import copy_texts, measure_texts  # and numba with them

    alphabet = len(texts)
    if (strange := outside(symbols, alphabet)) is not None:
        raise IndexError(f"symbol {strange} is outside the alphabet of {alphabet}")
    # Of few types and never writeable: the kernels are compiled for those alone.
    given, offsets = np.require(symbols, symbol_dtype(alphabet), ["C", "A"]).view(np.ndarray), texts.offsets.view()
    data, ends = np.ascontiguousarray(texts.data).view(), np.zeros(len(symbols) + 1, np.int64)
    given.flags.writeable = offsets.flags.writeable = data.flags.writeable = False
    total = int(measure_texts(given, offsets, ends))
    if most is not None and total > most:
        raise CodingError(f"texts of {total:,} bytes; at most {most:,} are expanded")
    out = np.empty(total, np.uint8)
    copy_texts(given, offsets, data, ends, out)
    return out, ends
