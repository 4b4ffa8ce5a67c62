"""A unique string for every token, as tokenizers show them."""

from __future__ import annotations

import itertools
from collections import Counter

from stackc.coding.level import Level
from stackc.coding.texts import symbol_texts


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

    Tokens without their own text (`symbol_texts`) are numbers only.
    """
    texts = symbol_texts(levels)
    if texts is None:
        return [numbered(token) for token in range(alphabet)]
    letters = byte_letters()
    text = "".join(map(letters.__getitem__, texts.data.tolist()))
    pieces = [text[low:high] for low, high in itertools.pairwise(texts.offsets.tolist())]
    often = Counter(pieces)
    return [piece if piece and often[piece] == 1 else piece + numbered(token) for token, piece in enumerate(pieces)]
