"""Commands on many files: their names, and an error in one file that does not stop the others."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.cli.command import USER_ERROR, error_text, say
from stackc.stack.outputs import check_distinct, output_path

STANDARD = "-"

Files = tuple[str, ...]


def named(file: str | None) -> Path | None:
    """The path that an argument names; None for ``-``."""
    return None if file is None or file == STANDARD else Path(file)


def check_once(files: Files) -> None:
    """Raise `StackcError` if ``-`` is named twice: the second would be empty."""
    if files.count(STANDARD) > 1:
        raise StackcError("-: standard input can be read only once; name it once")


def named_output(output: str) -> Path | None:
    """The file that ``-o`` names; None for standard output. Raises `StackcError` if a folder in it is missing."""
    return None if output == STANDARD else output_path(output)


def warning(text: str) -> None:
    """Report a problem that did not change the result."""
    say(f"warning: {text}")


def for_each(
    files: Files,
    work: Callable[[str, Path | None, Path | None], int],
    output: str | None = None,
    name: Callable[[Path | None, Path | None], Path | None] | None = None,
    force: bool = False,
) -> None:
    """Do `work` on every file and exit with the worst of their exit codes.

    Args:
        work: is given the argument, and the input and output that it means (None: standard input or output); returns
            an exit code.
        output: the value of ``-o``: for several files it must be a folder, or standard output.
        name: the output's name from the input's and that of ``-o``; None: the command writes no files.
        force: outputs may replace existing files, so they are checked against all inputs, too.

    Raises:
        StackcError: several files and one output, outputs that would replace each other or another file, or standard
            input twice.
    """

    def place(file: str) -> Path | None:
        return None if name is None or output == STANDARD else name(named(file), named(output))

    def one(file: str) -> int:
        return work(file, named(file), place(file))

    check_once(files)
    if output not in (None, STANDARD):
        output_path(output)
    if len(files) == 1:
        code = one(files[0])
    else:
        if output is not None and output != STANDARD and not Path(output).is_dir():
            raise StackcError(f"-o {output}: for {len(files)} files, name an existing folder")
        check_distinct(_places(files, place), map(named, files) if force else ())
        code = max(_guarded(file, one) for file in files)
    if code:
        raise click.exceptions.Exit(code)


def _places(files: Files, place: Callable[[str], Path | None]) -> Iterator[Path | None]:
    """The outputs of all files. A file without one is skipped here: the error is reported when its turn comes."""
    for file in files:
        with contextlib.suppress(StackcError, OSError):
            yield place(file)


def _guarded(file: str, work: Callable[[str], int]) -> int:
    try:
        return work(file)
    except StackcError as error:
        click.echo(error_text(error.lines), err=True)
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of standard output has gone: the other files have none, too
            raise
        say(f"error: {error.filename or file}: {error.strerror or error}")
    return USER_ERROR
