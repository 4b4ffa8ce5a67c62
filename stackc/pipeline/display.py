"""Shows the progress of a build: a live bar on a terminal, plain lines elsewhere, or nothing.

Logs are always written to the stack's `logs/` (`stackc.pipeline.logs`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stackc.api.messages import literal, shown
from stackc.pipeline.logs import StageLog

Show = Literal["auto", "plain", "quiet"]

PLAIN_INTERVAL_S = 10.0


class Display:
    """Shows stages, and logs their scalars.

    Args:
        logs: folder of the logs; None: no logs.
        mode: "auto" is live on a terminal and plain elsewhere; "quiet" shows no stages.
    """

    def __init__(self, logs: Path | None, mode: Show = "auto", console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.live = mode == "auto" and self.console.is_terminal
        self.quiet = mode == "quiet"
        self.logs = logs
        self._begun = time.monotonic()

    def line(self, text: str) -> None:
        """One line for the user, unless quiet."""
        if not self.quiet:
            self.console.print(literal(text), soft_wrap=True)

    def reused(self, name: str) -> None:
        self.line(f"[{self._clock()}] {name}: already finished, reused")

    @contextlib.contextmanager
    def stage(self, name: str, resumed: bool, logs: Path | None = None) -> Iterator[StageProgress]:
        """Show one stage from its start to its end; `logs`: folder of its logs, if not the display's."""
        begun = time.monotonic()
        suffix = " (resumed)" if resumed else ""
        bar = self._bar() if self.live else None
        progress = StageProgress(self, name, bar, resumed, logs or self.logs)
        try:
            with bar if bar is not None else contextlib.nullcontext():
                yield progress
        finally:
            progress.close()
        self.line(
            f"[{self._clock()}] {name}{suffix}: done in {time.monotonic() - begun:.1f} s {progress.last}".rstrip()
        )

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[StageProgress]:
        """Show that the corpus is read before it is known which stage needs it; a line only if that takes a second."""
        begun = time.monotonic()
        bar = self._bar() if self.live else None
        with bar if bar is not None else contextlib.nullcontext():
            yield StageProgress(self, name, bar, False)
        if (seconds := time.monotonic() - begun) >= 1:
            self.line(f"[{self._clock()}] {name}: read in {seconds:.1f} s")

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.fields[figures]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("elapsed,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self.console,
            transient=True,
            expand=True,
        )

    def _clock(self) -> str:
        seconds = int(time.monotonic() - self._begun)
        return f"{seconds // 60:3d}:{seconds % 60:02d}"


class StageProgress:
    """`stackc.api.models.Progress` of one stage."""

    def __init__(
        self, display: Display, name: str, bar: Progress | None, resumed: bool, logs: Path | None = None
    ) -> None:
        self._display, self._name, self._bar = display, name, bar
        self._task = bar.add_task(shown(name), total=None, figures="") if bar else None
        self._shown = self._begun = time.monotonic()
        self._first: int | None = None
        self._log = None if logs is None else StageLog(logs, name, resumed)
        self.last = ""

    def update(self, done: int, total: int, **figures: float) -> None:
        """Show `done` of `total` units, 0 if unknown; figures by name, e.g. loss=2.1, speed=30000."""
        self.last = "  ".join(f"{_label(name)} {_short(value)}" for name, value in figures.items())
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, figures=shown(self.last))
        elif now - self._shown >= PLAIN_INTERVAL_S and done:
            self._first = done if self._first is None else self._first
            self._shown = now
            left = (now - self._begun) / done * (total - done)
            much = f"{done}/{total}  {self.last}  about {left:.0f} s left" if total else f"{done}  {self.last}"
            self._display.line(f"          {self._name}: {much}".rstrip())

    def log(self, step: int, **scalars: float) -> None:
        """Log scalars at a step, as a line of metrics.jsonl and as TensorBoard events of the level's run."""
        if self._log is not None:
            self._log.add(step, scalars)

    def say(self, text: str) -> None:
        """One line for the user."""
        self._display.line(f"          {self._name}: {text}")

    def close(self) -> None:
        if self._log is not None:
            self._log.close()


def _label(name: str) -> str:
    return name.replace("_per_second", "/s").replace("_", " ")


def _short(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:.0f}k"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"
