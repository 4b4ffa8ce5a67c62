"""The logs of a stack, which are not part of it: `metrics.jsonl`, one line per point, and, if tensorboard is installed,
TensorBoard events, one run per stage.

A stage has one curve. A stage that starts again, perhaps with another seed, drops its old curve. A stage that resumes
after a kill logs the steps since its last checkpoint again, so the killed process's points from there on are dropped:
otherwise the curve would hold them twice.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackc.api.files import kept_in, write_atomically

METRICS = "metrics.jsonl"


class StageLog:
    """The curve of one stage.

    Args:
        folder: the folder of the logs.
        stage: the stage's name, e.g. "M1/model".
        resumed: whether an earlier process started the stage.
    """

    def __init__(self, folder: Path, stage: str, resumed: bool) -> None:
        self._folder, self._stage = folder, stage
        self._run = folder / "tensorboard" / stage.replace("/", "-")
        self._events: _Events | None = None
        self._begun = False
        if not resumed:
            self._drop(None)

    def add(self, step: int, scalars: dict[str, float]) -> None:
        """Log scalars at a step."""
        record = {"time": round(time.time(), 3), "stage": self._stage, "step": step, **scalars}
        with kept_in(self._folder):
            if not self._begun:
                self._begun = True
                self._drop(step)
                self._folder.mkdir(parents=True, exist_ok=True)
                self._events = _Events(self._run) if importlib.util.find_spec("tensorboard") else None
            with (self._folder / METRICS).open("a") as file:
                file.write(json.dumps(record) + "\n")
            if self._events is not None:
                self._events.add(step, scalars)

    def close(self) -> None:
        if self._events is not None:
            self._events.close()

    def _drop(self, step: int | None) -> None:
        """Drop the stage's points at `step` and later; None: all of them."""
        with kept_in(self._folder):
            path = self._folder / METRICS
            lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
            # A killed process may have left half a line, to which the next line would be appended.
            kept = [line for line in lines if line.endswith(b"\n") and not _is_of(line, self._stage, step)]
            if len(kept) < len(lines):
                with write_atomically(path) as file:
                    file.write(b"".join(kept))
            for events in self._run.glob("events.out.tfevents.*"):
                if step is None:
                    events.unlink()
                else:
                    _cut_off(events, step)


def adopt(source: Path, folder: Path, stage: str) -> None:
    """Make the curve of a stage in the logs `source` the one in the logs `folder`, if `source` has one."""
    path = source / METRICS
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    own = [line for line in lines if line.endswith(b"\n") and _is_of(line, stage, None)]
    StageLog(folder, stage, resumed=False).close()  # drops what is there
    if own:
        with kept_in(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / METRICS).open("ab") as file:
                file.write(b"".join(own))


def _is_of(line: bytes, stage: str, step: int | None) -> bool:
    """Whether a line belongs to the stage, at the step or later."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return False
    if not isinstance(entry, dict) or entry.get("stage") != stage:
        return False
    return step is None or not isinstance(entry.get("step"), int) or entry["step"] >= step


def _cut_off(path: Path, step: int) -> None:
    """Cut TensorBoard events off at the step, or at an incomplete event that a killed process left."""
    with path.open("r+b") as file:
        end = 0
        for last, event in _read(file, path.stat().st_size):
            if event.HasField("summary") and event.step >= step:
                break
            end = last
        file.truncate(end)


def _read(file: Any, size: int) -> Iterator[tuple[int, Any]]:
    """The complete events of a file, each with its end. A record: length, checksum, event, checksum."""
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto.event_pb2 import Event

    while len(head := file.read(12)) == 12:
        length = struct.unpack("<Q", head[:8])[0]
        if file.tell() + length + 4 > size:
            return
        try:
            event = Event.FromString(file.read(length))
        except DecodeError:
            return
        file.read(4)
        yield file.tell(), event


class _Events:
    """TensorBoard events of one run, written to a new file at once.

    Not torch's SummaryWriter: it writes in a thread, so that the error of a full disk is raised there and not here.
    """

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
        with contextlib.suppress(OSError):  # a failed write was reported when it happened
            self._file.close()

    def _write(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
        self._records.flush()
