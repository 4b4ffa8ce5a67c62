"""The name of a part in messages, and its unexpected exceptions turned into one line with that name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stackc.api.errors import PartError, StackcError

if TYPE_CHECKING:
    from stackc.parts.part import Part

TRACEBACK = "STACKC_TRACEBACK"
"""The environment variable that makes the command line print tracebacks."""


def blame(where: str, part: Part) -> str:
    """The part that breaks a rule, for messages: ``M1: coder 'rans' (plugin 'stackc-rans', stackc-rans 0.1.0)``.

    Args:
        where: the level's name, or "corpus".
    """
    package = f", {part.distribution} {part.version}" if part.distribution else ""
    return f"{where}: {part.kind} '{part.name}' (plugin '{part.plugin}'{package})"


def wants_traceback() -> bool:
    """Whether the user asked where errors come from."""
    return os.environ.get(TRACEBACK, "") not in ("", "0")


class blaming:
    """Around a call of a part: an exception that no part should raise becomes an error that names it.

    Errors that the part may raise pass, and so do errors of the machine: files and memory. A class and not a generator
    with `contextlib.contextmanager`, which is several times slower: it surrounds every step of a model and a coder.

    Args:
        who: see `blame`.
        what: the method that is called.

    Raises:
        PartError: with the exception as its cause.
    """

    __slots__ = ("_what", "_who")

    def __init__(self, who: str, what: str) -> None:
        self._who, self._what = who, what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, where: object) -> None:
        if not isinstance(error, Exception) or isinstance(error, StackcError | OSError | MemoryError):
            return
        raised = f"{type(error).__name__}: {said(error)}".removesuffix(": ")
        raise PartError(f"{self._who}: {self._what} raised {raised} ({TRACEBACK}=1 shows where)") from error


def said(error: BaseException) -> str:
    """The text of an exception in one line; exceptions of attrs have more arguments than the text."""
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return " ".join(text.split())
