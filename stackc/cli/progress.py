"""A bar for long work on files: on a terminal only, on standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from stackc.container.format import Report


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
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.advance(task, done)
