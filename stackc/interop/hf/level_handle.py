"""A tokenizer's handle on a level of a stack. Loaded files and caches are neither pickled nor hashed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackc.api.errors import StackcError
from stackc.coding.dictionary.threads import once
from stackc.coding.level import Level
from stackc.interop.hf.words import WordMemory, word_rule
from stackc.interop.token_strings import token_pieces
from stackc.interop.tokenizer_json import Extras, Written, tokenizer_json
from stackc.stack.lower_levels import open_levels
from stackc.stack.stack import Stack


class OpenedLevel:
    """The levels of a stack up to one. Its pickle is a path and a name; another process reads the stack again.

    A tokenizer keeps its caches here and not in its own attributes: `datasets` hashes those, regardless of
    ``__getstate__``, to find out whether the result of a map is cached.

    Args:
        folder: the stack's folder.
        name: the level's name; None: the last level.

    Raises:
        StackcError: a missing or damaged stack, no such level, or a model whose outputs are exact on one machine only.
    """

    def __init__(self, folder: Path, name: str | None) -> None:
        self.folder = folder.resolve()  # absolute, since the process may change its current folder
        self.stack = open_levels(self.folder, name)
        self.name = name or self.stack.recipe.levels[-1].name
        self.alphabet = self.stack.token_alphabet(self.name)
        self._plain: tuple[Extras, Written | str] | None = None

    @once
    def stack(self) -> Stack:
        return open_levels(self.folder, self.name)

    @property
    def levels(self) -> list[Level]:
        return self.stack.levels

    @once
    def words(self) -> WordMemory | None:
        """The ids of words, if every level codes each word on its own."""
        rule = word_rule(self.levels)
        return None if rule is None else WordMemory(self.levels, rule)

    @once
    def pieces(self) -> list[str]:
        """The string of every token."""
        return token_pieces(self.levels, self.alphabet)

    @once
    def tokens(self) -> dict[str, int]:
        """The inverse of `pieces`."""
        return {piece: token for token, piece in enumerate(self.pieces)}

    def plain(self, extras: Extras) -> Written | str:
        """The level as a ``tokenizer.json``, or why it cannot be one; the last answer is kept."""
        if self._plain is None or self._plain[0] != extras:
            try:
                self._plain = extras, tokenizer_json(self.stack, self.name, extras)
            except StackcError as error:
                self._plain = extras, str(error)
        return self._plain[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder, "name": self.name, "alphabet": self.alphabet, "_plain": None}
