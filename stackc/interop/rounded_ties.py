"""Words that a coder and the library `tokenizers` cut differently for no reason but the rounding of their sums.

Both choose the pieces whose scores have the greatest sum, added from left to right. SentencePiece rounds each sum to
float32, `tokenizers` to float64. If two cuts have the same pieces in another order, as in a row of equal characters,
the exact sums are equal and only rounding decides: no scores make both libraries choose alike.
"""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Float64, Int64, Mask


def tied_words(
    data: bytes, theirs: list[int], own: list[int], lengths: npt.NDArray[np.integer], scores: Float64, rule: str
) -> list[bytes] | None:
    """The words in which ids differ, if in each of them only rounding decides between the two cuts; else None.

    That is so if the coder's cut has the greater sum in float32, or an equal one, and the other cut in float64.

    Args:
        data: a text.
        theirs, own: ids of it, of `tokenizers` and of the coder.
        lengths: integers [N], bytes of each token.
        scores: float64[N], of each token.
        rule: the expression that cuts a text into words; see `stackc.api.PlainTokenizer`.
    """
    ends = np.array([found.end() for found in re.finditer(rule, data.decode("latin-1"))], np.int64)
    marks = np.append(0, ends)
    sides = [np.array(ids, np.int64) for ids in (theirs, own)]
    cuts = []
    for ids in sides:
        bounds = np.append(0, np.cumsum(lengths[ids]))
        places = np.searchsorted(bounds, marks)
        if bounds[-1] != len(data) or (bounds[places] != marks).any():
            return None
        cuts.append(places)
    inside = (np.frombuffer(data, np.uint8) & 0xC0) == 0x80
    tied = []
    for number, (low, high) in enumerate(itertools.pairwise(marks.tolist())):
        left, right = (ids[cut[number] : cut[number + 1]] for ids, cut in zip(sides, cuts, strict=True))
        if np.array_equal(left, right):
            continue
        if not _only_rounded(left, right, lengths, scores, inside[low:high]):
            return None
        tied.append(data[low:high])
    return tied


def _only_rounded(theirs: Int64, own: Int64, lengths: npt.NDArray[np.integer], scores: Float64, inside: Mask) -> bool:
    """Whether each of two cuts of one word has the greater sum, or an equal one, in its own arithmetic.

    `inside`: bytes that are not the first of their character. The coder counts a character that it spells in bytes
    once, `tokenizers` counts every byte.
    """
    single, double = [], []
    for ids in theirs, own:
        firsts = np.append(0, np.cumsum(lengths[ids]))[:-1]
        single.append(np.cumsum(scores[ids][~inside[firsts]], dtype=np.float32)[-1])
        double.append(np.cumsum(scores[ids], dtype=np.float64)[-1])
    return bool(single[1] >= single[0] and double[0] >= double[1])
