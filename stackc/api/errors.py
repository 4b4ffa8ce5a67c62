"""The errors that a user, a recipe, a file or a plugin can cause. Each is one line for the user."""

from __future__ import annotations


class StackcError(Exception):
    """Base of every error that a user, a recipe, a file or a plugin can cause.

    The command line prints its text after ``error:`` and exits with code 2. The text says what
    happened, where (path in the recipe, level, plugin, file) and what to do about it.
    """

    @property
    def lines(self) -> list[str]:
        """The text as it is printed. One line unless a class says otherwise: names in it may hold new lines."""
        return [str(self)]


class RecipeError(StackcError):
    """A recipe that cannot be built. Holds every problem found, not only the first.

    Attributes:
        problems: one ``path: what is wrong`` line each, in the recipe's order.
    """

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        if len(self.problems) == 1:
            return [f"{self.source}: {self.problems[0]}"]
        return [f"{self.source}: {len(self.problems)} problems", *(f"  {line}" for line in self.problems)]


class PluginError(StackcError):
    """A plugin or a part that cannot be loaded, is missing, or breaks the contract."""


class MissingPackageError(PluginError):
    """A package that a part needs and that is not installed. The text says what to install."""


class CorpusError(StackcError):
    """Text that cannot be read: a missing file, an empty corpus, a damaged archive."""


class ArtifactError(StackcError):
    """A stack or token store that is missing, damaged, of another format or out of space."""


class CodingError(StackcError):
    """Tokens that do not decode, a symbol outside its alphabet, or frequencies that break the rules."""


class PartError(PluginError, CodingError):
    """A part that breaks a rule of the contract while it codes. Names the level, the part and the rule."""


class ContainerError(StackcError):
    """A `.stk` file that is damaged, cut off, or made by another stack or machine.

    Attributes:
        block: the number of the damaged block; None if the error is not about one block.
    """

    def __init__(self, text: str, block: int | None = None) -> None:
        super().__init__(text if block is None else f"block {block}: {text}")
        self.block = block
