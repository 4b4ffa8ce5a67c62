"""What the commands on many files share: names, and an error in one that leaves the others to be done."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import click

from stackc.cli import USER_ERROR, say
from stackc.errors import StackcError

STANDARD = "-"


def named(file: str | None) -> Path | None:
    """The path of an argument; None for ``-``."""
    return None if file is None or file == STANDARD else Path(file)


def check_once(files: tuple[str, ...]) -> None:
    """Raise `StackcError` where ``-`` stands twice: the second would be empty."""
    if files.count(STANDARD) > 1:
        raise StackcError("-: standard input can be read only once; name it once")


def for_each(files: tuple[str, ...], output: str | None, work: Callable[[str], int]) -> None:
    """Do `work` on every file; its exit code is the worst of theirs.

    Args:
        output: of ``-o``: with several files it must be a folder, or standard output.

    Raises:
        StackcError: several files and one output; standard input twice.
    """
    check_once(files)
    if len(files) > 1 and output is not None and output != STANDARD and not Path(output).is_dir():
        raise StackcError(f"-o {output}: {len(files)} files need a folder that is there")
    code = work(files[0]) if len(files) == 1 else max(_guarded(file, work) for file in files)
    if code:
        raise click.exceptions.Exit(code)


def _guarded(file: str, work: Callable[[str], int]) -> int:
    try:
        return work(file)
    except StackcError as error:
        say(f"error: {error}")
    except OSError as error:
        if error.errno == errno.EPIPE:  # nobody reads on
            raise
        say(f"error: {error.filename or file}: {error.strerror or error}")
    return USER_ERROR
