"""What the commands on many files share: names, and an error in one that leaves the others to be done."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.cli import say
from stackc.cli.exit_codes import USER_ERROR
from stackc.stack.outputs import check_distinct, output_path

STANDARD = "-"


def named(file: str | None) -> Path | None:
    """The path of an argument; None for ``-``."""
    return None if file is None or file == STANDARD else Path(file)


def check_once(files: tuple[str, ...]) -> None:
    """Raise `StackcError` where ``-`` stands twice: the second would be empty."""
    if files.count(STANDARD) > 1:
        raise StackcError("-: standard input can be read only once; name it once")


def named_output(output: str) -> Path | None:
    """The file that ``-o`` names, or None for standard output. Raises `StackcError` for a folder that is not there."""
    return None if output == STANDARD else output_path(output)


def warning(text: str) -> None:
    """Say what went wrong and changed nothing of the result."""
    say(f"warning: {text}")


def for_each(
    files: tuple[str, ...],
    output: str | None,
    place: Callable[[str], Path | None],
    work: Callable[[str], int],
    force: bool = False,
) -> None:
    """Do `work` on every file; its exit code is the worst of theirs.

    Args:
        output: of ``-o``: with several files it must be a folder, or standard output.
        place: where a file's output goes; None: nowhere, or to standard output.
        force: outputs may replace what is there, so that they are held against all the files, too.

    Raises:
        StackcError: several files and one output, outputs that would replace each other or another file, or standard
            input twice.
    """
    check_once(files)
    if output not in (None, STANDARD):
        output_path(output)
    if len(files) == 1:
        code = work(files[0])
    else:
        if output is not None and output != STANDARD and not Path(output).is_dir():
            raise StackcError(f"-o {output}: {len(files)} files need a folder that is there")
        check_distinct(_places(files, place), map(named, files) if force else ())
        code = max(_guarded(file, work) for file in files)
    if code:
        raise click.exceptions.Exit(code)


def _places(files: tuple[str, ...], place: Callable[[str], Path | None]) -> Iterator[Path | None]:
    """The outputs of all files, but of those that have none: that is said in their turn."""
    for file in files:
        with contextlib.suppress(StackcError, OSError):
            yield place(file)


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
