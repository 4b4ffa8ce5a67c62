"""Progress of long work, on standard error if that is a terminal: a bar for files, a line for everything else."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from stackc.api.messages import literal, one_line
from stackc.archive.format import Report


@contextlib.contextmanager
def bar(title: str, total: int | None, quiet: bool) -> Iterator[Report]:
    """Show the bytes done of `total` (None: unknown) while the block runs; yields a function that adds to them."""
    if quiet or not _may_be_terminal():
        yield lambda done: None
        return
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done: None
        return
    columns = (
        progress.TextColumn("{task.description}", markup=False), progress.BarColumn(), progress.DownloadColumn(),
        progress.TransferSpeedColumn(), progress.TimeRemainingColumn(),
    )  # fmt: skip
    with progress.Progress(*columns, console=console, transient=True) as shown_bar:
        task = shown_bar.add_task(one_line(title), total=total)
        yield lambda done: shown_bar.advance(task, done)


def _may_be_terminal() -> bool:
    """Whether rich may take standard error for a terminal: importing rich takes a tenth of a short command's time."""
    return any(name in os.environ for name in ("FORCE_COLOR", "TTY_COMPATIBLE")) or (
        sys.stderr is not None and sys.stderr.isatty()
    )


def size_of(path: Path | None) -> int | None:
    """A file's size; None if unknown. Files in /proc report 0 and have content all the same."""
    return path.stat().st_size or None if path is not None and path.is_file() else None


@contextlib.contextmanager
def status(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show the current step while the block runs; yields a function that sets it."""
    from rich.console import Console

    with Console(stderr=True, quiet=quiet).status("reading") as line:
        yield lambda text: line.update(literal(text))
