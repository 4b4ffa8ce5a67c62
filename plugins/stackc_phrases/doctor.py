"""The coder `phrases` on this machine: a text cut by hand-made pieces, compared with cuts that must never change."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

import numpy as np

from stackc.api import StackcError
from stackc_phrases.coder import PhrasesCoder
from stackc_phrases.config import PhrasesConfig
from stackc_phrases.fitting import COST_BITS
from stackc_phrases.pieces import Pieces

_PIECES = {
    " th": (1, 6), " the": (1, 4), "em": (1, 8), " of": (1, 4), "he": (1, 7), " of the": (2, 5),
    " of the the": (3, 30), "'s": (1, 5), "It": (1, 9), "It's": (2, 10), "  ": (1, 3), ". The": (2, 9),
    "them": (1, 20), " The": (1, 14), "\n ": (2, 6),
}  # fmt: skip
"""The words of each piece, and its cost in bits; a byte costs 12."""

SAID = "It's of the the then, of them.  The   the\n them of the."

GOLDEN: dict[Literal["longest", "optimal"], str] = {
    "longest": "It's| of the the| the|n|,| of| the|m|.| | The|  | the|\n| the|m| of the|.",
    "optimal": "It's| of the| the| the|n|,| of| th|em|.| | The|  | the|\n| th|em| of the|.",
}
"""`SAID`, cut by each parse."""


def hand_made() -> Pieces:
    """The bytes, and `_PIECES`."""
    every = [(bytes([byte]), 1, 12) for byte in range(256)]
    every += [(text.encode(), words, cost) for text, (words, cost) in _PIECES.items()]
    return Pieces(
        texts=[text for text, _, _ in every],
        words=np.array([words for _, words, _ in every], np.uint8),
        costs=np.array([cost << COST_BITS for *_, cost in every], np.int32),
    )


def examine() -> str:
    """Compare the compiled cuts with the golden ones. Raises `StackcError` if one differs."""
    pieces, text = hand_made(), np.frombuffer(SAID.encode(), np.uint8)
    for parse, golden in GOLDEN.items():
        with tempfile.TemporaryDirectory() as folder:
            pieces.write(Path(folder))
            coder = PhrasesCoder(PhrasesConfig(vocabulary=len(pieces.texts), parse=parse))
            coder.load(Path(folder))
        tokens, _ = coder.encode(text, np.array([0, len(text)], np.int64))
        cut = "|".join(pieces.texts[token].decode() for token in tokens.tolist())
        if cut != golden:
            raise StackcError(f"the {parse} parse gave {cut!r}, not {golden!r}; please report this")
    return f"golden cuts by {' and '.join(GOLDEN)} parse are right"
