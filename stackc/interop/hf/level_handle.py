"""A level of a stack as a tokenizer holds it: what was read and worked out is neither pickled nor hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackc.coding.dictionary.threads import once
from stackc.coding.level import Level
from stackc.interop.hf.token_strings import token_pieces
from stackc.stack.lower_levels import open_levels
from stackc.stack.stack import Stack


class OpenedLevel:
    """The levels of a stack up to one. Pickled it is a path and a name; another process reads the stack again.

    A tokenizer keeps its caches here and not in attributes of its own: `datasets` hashes those, whatever
    ``__getstate__`` says, to know whether a map has been done before.

    Args:
        folder: the stack's.
        name: of the level; None: the last one.

    Raises:
        StackcError: no stack there, a damaged one, no such level, or a model that answers on one machine only.
    """

    def __init__(self, folder: Path, name: str | None) -> None:
        self.folder = folder.resolve()  # it stays the same folder where the process changes its own
        self.stack = open_levels(self.folder, name)
        self.name = name or self.stack.recipe.levels[-1].name
        self.alphabet = self.stack.token_alphabet(self.name)

    @once
    def stack(self) -> Stack:
        return open_levels(self.folder, self.name)

    @property
    def levels(self) -> list[Level]:
        return self.stack.levels

    @once
    def pieces(self) -> list[str]:
        """The string of every token."""
        return token_pieces(self.levels, self.alphabet)

    @once
    def tokens(self) -> dict[str, int]:
        """`pieces` the other way round."""
        return {piece: token for token, piece in enumerate(self.pieces)}

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "name": self.name, "alphabet": self.alphabet}
