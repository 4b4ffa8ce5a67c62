"""A unique string for every token, as tokenizers show them."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np

from stackc.coding.level import Level


def byte_letters() -> list[str]:
    """A printable letter for each byte, as in GPT-2: printable Latin-1 is unchanged, the rest starts at U+0100."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


def numbered(token: int) -> str:
    """The string of a token that has no text of its own. The brackets do not occur in `byte_letters`."""
    return f"\u27e8{token}\u27e9"


def token_pieces(levels: list[Level], alphabet: int) -> list[str]:
    """The string of every token: its text in `byte_letters`, with its number if the text is empty or not unique.

    Tokens without a meaning of their own (levels that are not compiled, codes of several tokens) are numbers only.
    """
    fixed = bool(levels) and all(level.route.windows_decode_alone and level.window_tokens == 1 for level in levels)
    if levels and not (fixed and all(level.texts is not None for level in levels)):
        return [numbered(token) for token in range(alphabet)]
    known = alphabet
    if levels and levels[-1].texts is not None:
        known = min(alphabet, len(levels[-1].texts))
    symbols, offsets = np.arange(known), np.arange(known + 1)
    for level in reversed(levels):
        if level.texts is None or (len(symbols) and int(symbols.max()) >= len(level.texts)):
            return [numbered(token) for token in range(alphabet)]
        back = level.decode(symbols, offsets)
        symbols, offsets = back.symbols, back.offsets
    letters = byte_letters()
    text = "".join(map(letters.__getitem__, symbols.tolist()))
    bounds = offsets.tolist()
    pieces = [text[low:high] for low, high in itertools.pairwise(bounds)] + [""] * (alphabet - known)
    often = Counter(pieces)
    return [piece if piece and often[piece] == 1 else piece + numbered(token) for token, piece in enumerate(pieces)]
