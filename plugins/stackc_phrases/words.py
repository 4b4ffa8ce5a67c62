"""What a word is: one rule, stated as a regular expression. `stackc_phrases.borders` is the same, compiled.

A blank belongs to the word that follows it, and bytes of 0x80 and above are letters. It is the rule of the windowing
`words`, so that windows of one word hold one word of this coder; a test compares the two.
"""

from __future__ import annotations

import re

RULE = (
    r"(?<=[0-9A-Za-z\x80-\xff])'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])(?![A-Za-z\x80-\xff])"
    r"| ?[A-Za-z\x80-\xff]+"
    r"| ?[0-9]+"
    r"| ?[^\t-\r 0-9A-Za-z\x80-\xff]+"
    r"|[\n\r]+"
    r"|[\t\x0b\x0c ]+(?= [^\t-\r ])"
    r"|[\t\x0b\x0c ]+"
)
"""The words of a text of bytes, read as the characters U+0000 to U+00FF: the first alternative that matches, again and
again. They cover every text."""

_RULE = re.compile(RULE)


def words_of(text: bytes) -> list[bytes]:
    """The words of a text, in plain Python."""
    return [found.encode("latin-1") for found in _RULE.findall(text.decode("latin-1"))]


def words_of_piece(piece: bytes) -> list[bytes]:
    """The words of a piece, before which a letter may stand: a contraction at its start is one."""
    if piece.startswith(b"'"):
        return words_of(b"a" + piece)[1:]
    return words_of(piece)
