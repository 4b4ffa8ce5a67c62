"""A unique string for every token, as tokenizers show them."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import cast

import numpy as np

from stackc.api.arrays import Int64, Mask, Symbols
from stackc.api.offsets import offsets_of
from stackc.api.plain import PlainTokenizer
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.coding.pieces import PieceTable
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
    """The string of every token: its text in `byte_letters`, with its number if the text is empty or another token's.

    Of tokens with the same text, the one that encoding writes has the plain text; if several are written, none has.
    Tokens without their own text (`symbol_texts`) are numbers only.
    """
    texts = symbol_texts(levels)
    if texts is None:
        return [numbered(token) for token in range(alphabet)]
    letters = byte_letters()
    text = "".join(map(letters.__getitem__, texts.data.tolist()))
    pieces = [text[low:high] for low, high in itertools.pairwise(texts.offsets.tolist())]
    written = _written(levels)
    often = Counter(itertools.compress(pieces, written))
    return [
        piece if piece and own and often[piece] == 1 else piece + numbered(token)
        for token, (piece, own) in enumerate(zip(pieces, written, strict=True))
    ]


def _written(levels: list[Level]) -> list[bool]:
    """Whether encoding can write each token of levels whose symbols have texts.

    Several codes of a dictionary have one text where all that could follow it is masked, as after the whole word
    ``'s`` in windows of words. Encoding writes the lowest of them, and no token whose symbols it does not write. Of
    pieces with one text it writes that of the highest score.
    """
    below: Mask = np.ones(256, np.bool_)
    for level in levels:
        table = cast(Dictionary | PieceTable, level.texts)
        codes = np.arange(len(table))
        symbols, offsets = table.decode(codes, np.arange(len(table) + 1))
        unwritten = offsets_of(~below[symbols])[offsets]
        below = np.zeros(level.token_alphabet, np.bool_)
        below[: len(table)] = (table.canonical == codes) & (np.diff(unwritten) == 0)
        if isinstance(table, PieceTable) and hasattr(level.spec.coder, "plain"):
            below[_outscored(level.spec.coder.plain(), symbols, offsets)] = False
    written: list[bool] = below.tolist()
    return written


def _outscored(plain: PlainTokenizer | None, symbols: Symbols, offsets: Int64) -> list[int]:
    """Tokens whose symbols another one has too, with a higher score (of equal ones, a lower number)."""
    if plain is None or plain.scores is None:
        return []
    data, width = symbols.tobytes(), symbols.itemsize
    best: dict[bytes, int] = {}
    worse = []
    for token, score in enumerate(plain.scores.tolist()):
        text = data[width * int(offsets[token]) : width * int(offsets[token + 1])]
        other = best.setdefault(text, token)
        if score > plain.scores[other]:
            best[text] = token
            worse.append(other)
        elif other != token:
            worse.append(token)
    return worse
