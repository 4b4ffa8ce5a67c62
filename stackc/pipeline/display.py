"""What a build shows while it runs: a live bar on a terminal, plain lines elsewhere, or nothing.

Logs go to the stack's `logs/` in any case: `metrics.jsonl` and TensorBoard events. Neither is part of the stack.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from stackc.files import kept_in
from stackc.words import literal, shown

Mode = Literal["auto", "plain", "quiet"]

PLAIN_INTERVAL_S = 10.0


class Display:
    """Shows stages, and logs their scalars.

    Args:
        logs: folder of the logs; None: no logs.
        mode: "auto" is live on a terminal and plain elsewhere; "quiet" shows nothing of stages.
    """

    def __init__(self, logs: Path | None, mode: Mode = "auto", console: Console | None = None) -> None:
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
        self.line(f"[{self._clock()}] {name}: done before, reused")

    @contextlib.contextmanager
    def stage(self, name: str, resumed: bool) -> Iterator[StageProgress]:
        """Show one stage from its start to its end."""
        begun = time.monotonic()
        suffix = " (going on where it was)" if resumed else ""
        bar = self._bar() if self.live else None
        progress = StageProgress(self, name, bar)
        try:
            with bar if bar is not None else contextlib.nullcontext():
                yield progress
        finally:
            progress.close()
        self.line(
            f"[{self._clock()}] {name}{suffix}: done in {time.monotonic() - begun:.1f} s {progress.last}".rstrip()
        )

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
    """`stackc.parts.Progress` of one stage."""

    def __init__(self, display: Display, name: str, bar: Progress | None) -> None:
        self._display, self._name, self._bar = display, name, bar
        self._task = bar.add_task(shown(name), total=None, figures="") if bar else None
        self._said = self._begun = time.monotonic()
        self._first: int | None = None
        self._events: _Events | None = None
        self.last = ""

    def update(self, done: int, total: int, **figures: float) -> None:
        """Show `done` of `total` units; figures by name, e.g. loss=2.1, speed=30000."""
        self.last = "  ".join(f"{_label(name)} {_short(value)}" for name, value in figures.items())
        now = time.monotonic()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, figures=shown(self.last))
        elif now - self._said >= PLAIN_INTERVAL_S and done:
            self._first = done if self._first is None else self._first
            self._said = now
            left = (now - self._begun) / done * (total - done)
            self._display.line(f"          {self._name}: {done}/{total}  {self.last}  about {left:.0f} s left")

    def log(self, step: int, **scalars: float) -> None:
        """Scalars at a step, as a line of metrics.jsonl and as TensorBoard events of the level's own run."""
        logs = self._display.logs
        if logs is None:
            return
        record = {"time": round(time.time(), 3), "stage": self._name, "step": step, **scalars}
        with kept_in(logs):
            logs.mkdir(parents=True, exist_ok=True)
            with (logs / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(record) + "\n")
            if self._events is None:
                self._events = _Events(logs / "tensorboard" / self._name.replace("/", "-"))
            self._events.add(step, scalars)

    def say(self, text: str) -> None:
        """One line for the user."""
        self._display.line(f"          {self._name}: {text}")

    def close(self) -> None:
        if self._events is not None:
            self._events.close()


class _Events:
    """TensorBoard events of one run, in a file of their own, written at once: a writer with a thread of its own, such
    as torch's, says there what a full disk told it."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{platform.node()}.{os.getpid()}"
        self._file = (folder / name).open("ab")
        self._records = RecordWriter(self._file)
        self._write(file_version="brain.Event:2")

    def add(self, step: int, scalars: dict[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in scalars.items()]
        self._write(step=step, summary=Summary(value=values))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # what could not be written was said when it was
            self._file.close()

    def _write(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
        self._records.flush()


def _label(name: str) -> str:
    return name.replace("_per_second", "/s").replace("_", " ")


def _short(value: float) -> str:
    if abs(value) >= 10_000:
        return f"{value / 1000:.0f}k"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"
