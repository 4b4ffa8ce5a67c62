"""Who is at fault: the name of a part in messages, and its unexpected exceptions turned into one line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stackc.api.errors import PartError, StackcError

if TYPE_CHECKING:
    from stackc.parts.part import Part

TRACEBACK = "STACKC_TRACEBACK"
"""The environment variable that has the command line print where an error came from."""


def blame(where: str, part: Part) -> str:
    """Who breaks a rule, for messages: ``M1: coder 'rans' (plugin 'stackc-rans', stackc-rans 0.1.0)``.

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

    Errors that the part may raise pass, and so does what the machine is to blame for: files and memory. A class and no
    generator, since it stands around every step of a model and a coder.

    Args:
        who: as `blame` says it.
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
    """What an exception says, in one line. Those of attrs carry more than that."""
    text = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return " ".join(text.split())
