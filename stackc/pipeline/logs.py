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
import shutil
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackc.api.files import kept_in, write_atomically

METRICS, TENSORBOARD = "metrics.jsonl", "tensorboard"

EVENTS = "events.out.tfevents.*"
"""Files of TensorBoard events, in the folder of a run of TensorBoard."""

TAGS = {
    "loss": ("loss/bits_per_symbol", "Cross-entropy of the training text, bits per symbol: mean since the last point."),
    "bits_per_byte": ("loss/bits_per_byte", "The same per byte of the source text: comparable between tokenizers."),
    "valid_loss": ("valid/bits_per_symbol", "Cross-entropy of held-out text, bits per symbol, float model."),
    "valid_bits_per_byte": ("valid/bits_per_byte", "The same per byte of the source text."),
    "symbols_per_second": ("speed/symbols_per_second", "Symbols trained on per second since the last point."),
    "learning_rate": ("optimiser/learning_rate", "Learning rate of the step."),
    "gradient_norm": ("optimiser/gradient_norm", "Norm of the step's gradients before they are clipped."),
    "bytes_seen": ("progress/bytes_seen", "Bytes of source text that were trained on, repeats counted."),
    "operations": ("progress/operations", "Operations of the whole training, softmax counted."),
}
"""The tag of each scalar in TensorBoard, with its unit, and its description; any other scalar keeps its name."""


class StageLog:
    """The curve of one stage.

    Args:
        folder: the folder of the logs.
        stage: the stage's name, e.g. "M1/model".
        resumed: whether an earlier process started the stage.
    """

    def __init__(self, folder: Path, stage: str, resumed: bool) -> None:
        self._folder, self._stage = folder, stage
        self._run = folder / TENSORBOARD / _run_of(stage)
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
            for events in self._run.glob(EVENTS):
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
    if not own:
        return
    with kept_in(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / METRICS).open("ab") as file:
            file.write(b"".join(own))
        run = folder / TENSORBOARD / _run_of(stage)
        for events in sorted((source / TENSORBOARD / run.name).glob(EVENTS)):
            run.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(events, run / events.name)  # not a link: a stage that resumes cuts its events in place


def write_summary(folder: Path, texts: dict[str, str]) -> None:
    """Texts by tag as the TensorBoard run ``summary``, in place of those of an earlier build.

    Args:
        folder: the folder of the logs.
        texts: Markdown.
    """
    if not importlib.util.find_spec("tensorboard"):
        return
    with kept_in(folder):
        run = folder / TENSORBOARD / "summary"
        for old in run.glob(EVENTS):
            old.unlink()
        with contextlib.closing(_Events(run)) as events:
            for tag, text in texts.items():
                events.text(tag, text)


def _run_of(stage: str) -> str:
    """The name of a stage's run of TensorBoard."""
    return stage.replace("/", "-")


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
        try:
            self._write(file_version="brain.Event:2")
        except BaseException:
            self.close()
            raise

    def add(self, step: int, scalars: dict[str, float]) -> None:
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.scalar.metadata import create_summary_metadata

        values = []
        for name, value in scalars.items():
            tag, description = TAGS.get(name, (name, ""))
            metadata = create_summary_metadata(display_name=tag, description=description)  # names the plugin
            values.append(Summary.Value(tag=tag, simple_value=value, metadata=metadata))
        self._write(step=step, summary=Summary(value=values))

    def text(self, tag: str, markdown: str) -> None:
        """A text, as TensorBoard's text page shows it."""
        from tensorboard.plugins.text.summary_v2 import text_pb

        self._write(step=0, summary=text_pb(tag, markdown))

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a failed write was reported when it happened
            self._file.close()

    def _write(self, **content: Any) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._records.write(Event(wall_time=time.time(), **content).SerializeToString())
        self._records.flush()
