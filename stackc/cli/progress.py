"""What shows long work, on standard error and on a terminal only: a bar for files, a line for the rest."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from stackc.api.messages import literal, shown
from stackc.archive.format import Report


@contextlib.contextmanager
def bar(title: str, total: int | None, quiet: bool) -> Iterator[Report]:
    """Shows the bytes done of `total` (None: not known) while the block runs; yields what to tell of them."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(shown(title), total=total)
        yield lambda done: progress.advance(task, done)


@contextlib.contextmanager
def status(quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Shows what is being done while the block runs; yields what to tell of that."""
    from rich.console import Console

    with Console(stderr=True, quiet=quiet).status("reading") as line:
        yield lambda text: line.update(literal(text))
