"""`stackc_phrases.encoding` in plain Python, slow: the specification that tests check the kernels against.

A piece is used inside one word, or, if it holds several words, from the beginning of a word to the end of one.
"""

from __future__ import annotations

from collections.abc import Iterator

from stackc_phrases.words import words_of, words_of_piece


def usable(pieces: dict[bytes, int], several: set[bytes], window: bytes) -> Iterator[tuple[int, int, int]]:
    """(begin, end, token) of all places in a window where a piece may be used.

    Args:
        pieces: every piece's token.
        several: the pieces that hold several words.
    """
    ends = [0]
    for word in words_of(window):
        ends.append(ends[-1] + len(word))
    for begin in range(len(window)):
        border = next(end for end in ends if end > begin)
        for end in range(begin + 1, len(window) + 1):
            piece = window[begin:end]
            token = pieces.get(piece)
            if token is None:
                continue
            inside = piece not in several and end <= border
            words = len(words_of_piece(piece))
            whole = piece in several and begin in ends and end in ends
            if inside or (whole and ends.index(end) - ends.index(begin) == words):
                yield begin, end, token


def longest(pieces: dict[bytes, int], several: set[bytes], window: bytes) -> list[int]:
    """The tokens of a window: from the left, the longest piece first."""
    best: dict[int, tuple[int, int]] = {}
    for begin, end, token in usable(pieces, several, window):
        best[begin] = max(best.get(begin, (0, 0)), (end, token))
    at, out = 0, []
    while at < len(window):
        at, token = best[at]
        out.append(token)
    return out


def cheapest(pieces: dict[bytes, int], several: set[bytes], costs: list[int], window: bytes) -> list[int]:
    """The tokens of a window that cost least together; of equal ones those whose last piece is longest, and so on."""
    best: dict[int, tuple[int, int, int]] = {0: (0, 0, 0)}
    for begin, end, token in sorted(usable(pieces, several, window)):
        cost = best[begin][0] + costs[token]
        if end not in best or cost < best[end][0]:
            best[end] = cost, begin, token
    at, out = len(window), []
    while at:
        _, at, token = best[at]
        out.append(token)
    return out[::-1]
