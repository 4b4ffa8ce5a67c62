"""The words of a text, in plain Python: `stackc.api.WORD_RULE`. `stackc.api.find_words` is the same, compiled."""

from __future__ import annotations

import re

from stackc.api import WORD_RULE

_RULE = re.compile(WORD_RULE)


def words_of(text: bytes) -> list[bytes]:
    """The words of a text, in plain Python."""
    return [found.encode("latin-1") for found in _RULE.findall(text.decode("latin-1"))]


def words_of_piece(piece: bytes) -> list[bytes]:
    """The words of a piece, before which a letter may stand: a contraction at its start is one."""
    if piece.startswith(b"'"):
        return words_of(b"a" + piece)[1:]
    return words_of(piece)
