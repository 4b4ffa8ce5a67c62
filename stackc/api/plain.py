"""The description of a coder or windowing with which its level can be written as a plain ``tokenizer.json``."""

from __future__ import annotations

from typing import Literal

import attrs

from stackc.api.arrays import Float64, Int32, Int64

WORD_RULE = (
    r"(?<=[0-9A-Za-z\x80-\xff])'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])(?![A-Za-z\x80-\xff])"
    r"| ?[A-Za-z\x80-\xff]+"
    r"| ?[0-9]+"
    r"| ?[^\t-\r 0-9A-Za-z\x80-\xff]+"
    r"|[\n\r]+"
    r"|[\t\x0b\x0c ]+(?= [^\t-\r ])"
    r"|[\t\x0b\x0c ]+"
)
"""The words of a text of bytes, read as the characters U+0000 to U+00FF: the first alternative that matches, again and
again. They cover every text. A blank belongs to the word that follows it; bytes of 0x80 and above are letters.

One rule for the windowing `words` and the coder `phrases`, so that windows of one word hold one word of the coder."""


@attrs.frozen(kw_only=True)
class PlainTokenizer:
    """A piece coder as other programs know one. The texts of its tokens are its `PieceCoder.pieces`.

    Attributes:
        model: how the pieces of a word are chosen. ``"bpe"``: by merging pairs, in the order of `merges`.
            ``"unigram"``: the pieces whose `scores` have the greatest sum. ``"longest"``: always the longest piece.
        pattern: a regular expression whose matches, one after another, cover any text; each match is a word, coded on
            its own. It is written over bytes as characters of the same number, and names bytes from 0x80 on only
            together, as ``\\x80-\\xff`` in a class. None: a text is not cut.
        merges: int32[m, 2], pairs of tokens, for ``"bpe"``.
        scores: int64[N] or float64[N], N <= V, of the tokens, for ``"unigram"``. Of tokens with the same text only the
            one of the highest score is ever chosen. Sums of int64 are exact; those of float64 may be rounded to float32
            after each addition, from left to right, as SentencePiece's are.
    """

    model: Literal["bpe", "unigram", "longest"]
    pattern: str | None = None
    merges: Int32 | None = None
    scores: Int64 | Float64 | None = None
