"""What a trainer finds and a coder loads: pieces, how many words each holds, and what each costs. One file."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np

from stackc.api import ArtifactError, Int32, Int64, Uint8, offsets_of, read_tensors, write_tensors
from stackc_phrases.config import BYTES, MOST_WORDS
from stackc_phrases.words import words_of_piece

FILE = "phrases.safetensors"

LONGEST = 255
"""Bytes in a piece, at most."""

PHRASE_WORD = 15
"""Bytes in a word of a phrase, at most: such words are looked up whole."""

MOST_COST = 1 << 26
"""The cost of a piece, at most, so that no sum of costs leaves 64 bits."""

AGAIN = "build the stack again"


@attrs.frozen(kw_only=True, eq=False)
class Pieces:
    """The fitted tables.

    Attributes:
        texts: the bytes of every token; the first 256 are the bytes themselves.
        words: uint8[N]; 1: the piece is used inside words; n > 1: it is n whole words.
        costs: int32[N], of each in bits, with `fitting.COST_BITS` fractional bits, 1 or more.
    """

    texts: list[bytes]
    words: Uint8
    costs: Int32

    def write(self, folder: Path) -> None:
        """Write the file."""
        write_tensors(
            folder / FILE,
            {
                "pieces": np.frombuffer(b"".join(self.texts), np.uint8),
                "lengths": np.array(list(map(len, self.texts)), np.uint8),
                "words": self.words,
                "costs": self.costs,
            },
        )

    @classmethod
    def read(cls, folder: Path, vocabulary: int) -> Pieces:
        """Read the file and check all of it.

        Raises:
            ArtifactError: not a file that `write` wrote for this vocabulary or a larger one.
        """
        path = folder / FILE
        tensors = read_tensors(path)
        for name, kind in {"pieces": np.uint8, "lengths": np.uint8, "words": np.uint8, "costs": np.int32}.items():
            tensor = tensors.get(name)
            if tensor is None or tensor.dtype != kind or tensor.ndim != 1:
                raise ArtifactError(f"{path}: no {name} in it; {AGAIN}")
        texts = _cut(tensors["pieces"], tensors["lengths"], path)
        made = cls(texts=texts, words=tensors["words"], costs=tensors["costs"])
        problem = made.problem(vocabulary)
        if problem:
            raise ArtifactError(f"{path}: {problem}; {AGAIN}")
        return made

    def problem(self, vocabulary: int) -> str | None:
        """The problem of the tables; None if they are valid."""
        texts, size = self.texts, len(self.texts)
        if not size == len(self.words) == len(self.costs):
            return f"{size} pieces, and words and costs of {len(self.words)} and {len(self.costs)}"
        if size > vocabulary:
            return f"{size} pieces, more than the {vocabulary} of the recipe"
        if texts[:BYTES] != [bytes([byte]) for byte in range(BYTES)] or (self.words[:BYTES] != 1).any():
            return "the first pieces are not the 256 bytes"
        if len(set(texts)) != size:
            return "two pieces are equal"
        if int(self.costs.min()) < 1 or int(self.costs.max()) > MOST_COST:
            return f"a cost outside 1 .. {MOST_COST}"
        if int(self.words.min()) < 1 or int(self.words.max()) > MOST_WORDS:
            return f"a piece of fewer than one or more than {MOST_WORDS} words"
        for token in np.flatnonzero(self.words > 1).tolist():
            words = words_of_piece(texts[token])
            if len(words) != self.words[token] or max(map(len, words)) > PHRASE_WORD:
                return f"piece {token} is not {self.words[token]} words of at most {PHRASE_WORD} bytes"
        return None

    def joined(self) -> tuple[Uint8, Int64]:
        """All pieces end to end, and int64[N + 1], where each starts and ends."""
        return np.frombuffer(b"".join(self.texts), np.uint8), offsets_of(list(map(len, self.texts)))


def _cut(data: Uint8, lengths: Uint8, path: Path) -> list[bytes]:
    ends = offsets_of(lengths.astype(np.int64))
    if int(ends[-1]) != len(data) or (len(lengths) and int(lengths.min()) < 1):
        raise ArtifactError(f"{path}: texts whose lengths do not add up; {AGAIN}")
    whole = data.tobytes()
    return [whole[low:high] for low, high in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True)]
