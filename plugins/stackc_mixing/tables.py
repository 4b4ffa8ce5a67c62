"""The fixed tables of the model, all computed with integers: squash and stretch, reciprocals, bit histories.

Probabilities are those of a one. *Stretch* is the logistic scale ln(p / (1 - p)) with 8 fractional bits; *squash* is
its inverse, with 16 bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SPAN = 2839
"""Stretched probabilities are -SPAN .. SPAN: 1/65536 and less would be coded with more than 16 bits."""

_ONE = 1 << 80


def _exponential(x: int) -> int:
    """e^(-x / 256) for x >= 0, over 2^80, rounded down: a Taylor series of x / 2^12 / 256, squared 12 times."""
    small, term, total, n = (x << 80) // (256 << 12), _ONE, _ONE, 1
    while term:
        term = term * small // _ONE // n
        total += -term if n % 2 else term
        n += 1
    for _ in range(12):
        total = total * total // _ONE
    return total


def _squash(x: int) -> int:
    """65536 / (1 + e^(-x / 256)), rounded to nearest, within 1 .. 65535."""
    e = _exponential(abs(x))
    p = ((2 << 16) * _ONE // (_ONE + e) + 1) // 2
    return min(max(p if x >= 0 else 65536 - p, 1), 65535)


def _stretch(squash: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """int32[4096]: of p / 4096 + 1 / 8192, the x whose squash is nearest from below, plus one."""
    points = np.arange(4096, dtype=np.int64) * 16 + 8
    return (np.searchsorted(squash, points) - SPAN).astype(np.int32)


SQUASH: npt.NDArray[np.int32] = np.array([_squash(x) for x in range(-SPAN, SPAN + 1)], np.int32)
"""int32[2 SPAN + 1]: the probability over 2^16 of a stretched one plus SPAN."""

STRETCH = _stretch(SQUASH)
"""int32[4096]: the stretched probability of one over 2^12."""


# --------------------------------------------------------------------------------------------------
# Bit histories: what a context has seen, in a byte

_EXACT = 4
"""Histories of up to so many bits are kept as they are."""

_MOST = (41, 40, 12, 6, 5)
"""Beyond, counts of zeros and ones: at most so many of the more frequent bit, by the count of the other."""

_SHORT = 16
"""Histories of fewer bits know their last bit as well."""

_FADED = (0, 1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 6)
"""What a bit leaves of the count of the other: what is old weighs less (6 of more)."""


class Histories:
    """All bit histories, numbered from the empty one, and where each bit leads.

    A history is its bits, as text, or (zeros, ones, last bit or 2).
    """

    def __init__(self) -> None:
        self.known: list[str | tuple[int, int, int]] = [""]
        numbers: dict[str | tuple[int, int, int], int] = {"": 0}
        moves: list[tuple[int, int]] = []
        for history in self.known:  # it grows
            both = (self._after(history, 0), self._after(history, 1))
            for one in both:
                if one not in numbers:
                    numbers[one] = len(self.known)
                    self.known.append(one)
            moves.append((numbers[both[0]], numbers[both[1]]))
        assert len(self.known) <= 256, "a history is a byte"
        spare = [(0, 0)] * (256 - len(moves))
        self.moves: npt.NDArray[np.uint8] = np.array(moves + spare, np.uint8)
        counts = [self.counts(one) for one in self.known] + [(0, 0)] * len(spare)
        self.seen: npt.NDArray[np.uint8] = np.array([sum(one) for one in counts], np.uint8)
        # (ones + 2/5) / (bits + 4/5) over 2^22
        self.start: npt.NDArray[np.uint32] = np.array(
            [((5 * one + 2) << 22) // (5 * (zero + one) + 4) for zero, one in counts], np.uint32
        )

    @staticmethod
    def counts(history: str | tuple[int, int, int]) -> tuple[int, int]:
        if isinstance(history, str):
            return history.count("0"), history.count("1")
        return history[0], history[1]

    def _after(self, history: str | tuple[int, int, int], bit: int) -> str | tuple[int, int, int]:
        if isinstance(history, str) and len(history) < _EXACT:
            return history + str(bit)
        counts = list(self.counts(history))
        counts[bit] += 1
        other = counts[1 - bit]
        if not isinstance(history, str) and other > 2:
            counts[1 - bit] = _FADED[other] if other < len(_FADED) else 6
        while not self._kept(counts):
            # The bit that was just seen counts: the other gives way, unless this one alone is too frequent.
            alone = counts[bit] > counts[1 - bit] and counts[1 - bit] < len(_MOST)
            counts[bit if alone else 1 - bit] -= 1
        return counts[0], counts[1], bit if sum(counts) < _SHORT else 2

    @staticmethod
    def _kept(counts: list[int]) -> bool:
        return min(counts) < len(_MOST) and max(counts) <= _MOST[min(counts)]


HISTORIES = Histories()

MOVES: npt.NDArray[np.uint8] = HISTORIES.moves.reshape(-1)
"""uint8[512]: the history after history h and bit b, at 2 h + b."""

SEEN = HISTORIES.seen
"""uint8[256]: bits of a history; the least is replaced first."""


# --------------------------------------------------------------------------------------------------
# Bytes

LETTER, END_OF_LINE, SEPARATOR, CONTROL = 1, 2, 3, 4


def _kind(byte: int) -> int:
    if byte >= 128 or chr(byte).isalpha():  # other scripts and accented letters are bytes from 128 on in UTF-8
        return LETTER
    if byte < 9 or 14 <= byte < 27 or 28 <= byte < 32:  # 27 begins the colours of a terminal
        return CONTROL
    return END_OF_LINE if byte == 10 else SEPARATOR if byte in b",;\t" else 0


KINDS: npt.NDArray[np.uint8] = np.array([_kind(byte) for byte in range(256)], np.uint8)
"""uint8[256]: what a byte is to words, lines and fields, or that no text has it; 0 for all that only ends a word."""

LOWER: npt.NDArray[np.uint8] = np.array([byte + 32 if 65 <= byte <= 90 else byte for byte in range(256)], np.uint8)
"""uint8[256]: letters of ASCII as small ones."""


def _class(byte: int) -> int:
    if byte >= 128:
        return 7
    character = chr(byte)
    if character.isalpha():
        return 1 if character.islower() else 2
    if character in '<>/="&;':
        return 6
    return 4 if byte < 32 else 3 if byte == 32 else 5 if character.isdigit() else 0


CLASS: npt.NDArray[np.uint8] = np.array([_class(byte) for byte in range(256)], np.uint8)
"""uint8[256]: small letters, capitals, the space, control characters, digits, marks of markup and of code, bytes of
0x80 and more, and 0 for the rest."""
