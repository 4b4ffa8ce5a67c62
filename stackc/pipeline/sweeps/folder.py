"""A sweep's folder: its runs, the stages that they share, and its table.

    sweep.json       the sweep: its runs in order, and what varies
    table.jsonl      one line per run that ended, appended; the last line of a run counts
    table.csv .md .tex   the same, written again with every line: the runs of sweep.json in their order
    runs/<id>/       a stack for each run, named by the hash of its resolved recipe and corpus
    stages/<key>/    the stages of all of them (`stackc.pipeline.stage_store`)

Several processes may run sweeps in one folder: a run is held by its own lock, a stage by its own, the table by another.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stackc.api.errors import ArtifactError
from stackc.api.files import kept_in, read_json, write_atomically
from stackc.api.messages import utf8
from stackc.pipeline.sweeps.columns import are_figures, cells, csv_table, headings
from stackc.pipeline.sweeps.expand import Run, Sweep
from stackc.pipeline.sweeps.written import as_csv, as_latex, as_markdown
from stackc.stack.manifest import MANIFEST

FORMAT = 1
SWEEP, TABLE, LOCK = "sweep.json", "table.jsonl", ".table.lock"

MAX_LINE = 1 << 20
"""Characters of a line of the table, at most."""


def is_sweep(folder: Path) -> bool:
    """Whether a folder is the folder of a sweep."""
    try:
        return type(read_json(folder / SWEEP, "sweep").get("stackc_sweep")) is int
    except ArtifactError:
        return False


class SweepFolder:
    """The folder of a sweep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages = folder / "stages"

    def run_folder(self, run: str) -> Path:
        """The stack of the run with this id."""
        return self.folder / "runs" / run

    def describe(self, sweep: Sweep) -> None:
        """Write the sweep's description. Another sweep that shares the folder is replaced; its rows stay in the table.

        Raises:
            ArtifactError: the folder holds a stack, or files of these names that no sweep wrote.
        """
        self._check_ours()
        content = {
            "stackc_sweep": FORMAT,
            "name": sweep.name,
            "axes": list(sweep.axes),
            "runs": [_described(run) for run in sweep.runs],
        }
        with kept_in(self.folder):
            (self.folder / "runs").mkdir(parents=True, exist_ok=True)
            with self._locked():
                with write_atomically(self.folder / SWEEP) as file:
                    file.write(json.dumps(content, indent=1).encode())
                self._mend()

    def check(self) -> None:
        """Raise `ArtifactError` if the folder is not a sweep's."""
        if not is_sweep(self.folder):
            raise ArtifactError(f"{self.folder}: not a sweep (no {SWEEP}); run one with `stackc sweep`")

    @property
    def name(self) -> str:
        return str(self._content()["name"])

    @property
    def axes(self) -> tuple[str, ...]:
        """Addresses of what varies, besides arms and seeds."""
        return tuple(self._content()["axes"])

    def ended(self) -> dict[str, dict[str, Any]]:
        """The last line of every run that ended, by its id."""
        found: dict[str, dict[str, Any]] = {}
        path = self.folder / TABLE
        if path.is_file():
            with path.open(encoding="utf-8", errors="replace") as file:
                while line := file.readline(MAX_LINE):
                    row = _row(line)
                    if row is not None:
                        found[row["run"]] = row
        return found

    def rows(self) -> list[dict[str, Any]]:
        """A row for every run of the sweep, in its order; those that have not ended have the status "missing"."""
        ended = self.ended()
        return [
            {**one, **({} if (row := ended.get(one["run"])) is None else _outcome(row))}
            for one in self._content()["runs"]
        ]

    def add(self, run: Run, outcome: dict[str, Any]) -> None:
        """Append the row of a run that ended, unless another process has appended the same."""
        row = {**_described(run), **outcome}
        with kept_in(self.folder), self._locked():
            last = self.ended().get(run.id)
            if last is None or not (last["status"] == row["status"] == "done"):
                self._mend()
                with (self.folder / TABLE).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            self._derive()

    def derive(self) -> None:
        """Write the derived tables again."""
        with kept_in(self.folder), self._locked():
            self._derive()

    def _derive(self) -> None:
        rows, axes = self.rows(), self.axes
        shown = [cells(row, axes) for row in rows]
        heads, left = headings(axes), 1 + len(axes)
        texts = {
            "table.csv": as_csv(csv_table(rows, axes)),
            "table.md": as_markdown(heads, shown, left),
            "table.tex": as_latex(heads, shown, left),
        }
        for name, text in texts.items():
            with write_atomically(self.folder / name) as file:
                file.write(utf8(text))

    def _mend(self) -> None:
        """Remove an incomplete line that a killed process left at the end of the table."""
        path = self.folder / TABLE
        if path.is_file() and (size := path.stat().st_size):
            with path.open("r+b") as file:
                file.seek(max(0, size - MAX_LINE))
                tail = file.read()
                if not tail.endswith(b"\n"):
                    file.truncate(size - len(tail) + tail.rfind(b"\n") + 1)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with open(descriptor, "r+b", buffering=0) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _content(self) -> dict[str, Any]:
        path = self.folder / SWEEP
        content = read_json(path, "sweep")
        version = content.get("stackc_sweep")
        if type(version) is not int or version > FORMAT:
            raise ArtifactError(f"{path}: a sweep of format {version!r:.40}; this stackc reads up to {FORMAT}")
        runs, axes = content.get("runs"), content.get("axes")
        described = isinstance(runs, list) and all(_is_described(run) for run in runs)
        named = isinstance(axes, list) and all(isinstance(axis, str) for axis in axes)
        if not (described and named and isinstance(content.get("name"), str)):
            raise ArtifactError(f"{path}: not a readable sweep; run it again")
        return content

    def _check_ours(self) -> None:
        """Refuse a folder in which something else would be overwritten."""
        foreign = "no sweep wrote this; move it, or give the sweep another --out"
        if os.path.lexists(self.folder) and not self.folder.is_dir():
            raise ArtifactError(f"{self.folder}: is a file; a sweep is a folder")
        if (self.folder / MANIFEST).exists():
            raise ArtifactError(f"{self.folder / MANIFEST}: a stack is in this folder; give the sweep another --out")
        if os.path.lexists(self.folder / SWEEP) and not is_sweep(self.folder):
            raise ArtifactError(f"{self.folder / SWEEP}: {foreign}")
        if not is_sweep(self.folder):
            for name in (TABLE, "table.csv", "table.md", "table.tex", "runs", "stages"):
                if os.path.lexists(self.folder / name) and not self._empty(name):
                    raise ArtifactError(f"{self.folder / name}: {foreign}")

    def _empty(self, name: str) -> bool:
        """A sweep that was killed before its first line may have left empty folders."""
        path = self.folder / name
        return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _described(run: Run) -> dict[str, Any]:
    """The columns of a run that are known before it starts."""
    return {
        "run": run.id,
        "arm": run.arm,
        "label": run.label,
        "axes": dict(run.point),
        "values": run.values,
        "seed": run.seed,
        "status": "missing",
        "reason": "not run yet",
    }


_KINDS = {"run": str, "arm": str, "label": str, "axes": dict, "values": dict, "seed": int, "status": str}


def _is_described(value: Any) -> bool:
    """Whether it is a run that has figures, or says why it has none."""
    described = isinstance(value, dict) and all(isinstance(value.get(key), kind) for key, kind in _KINDS.items())
    named = described and all(isinstance(one, str) for one in value["values"].values())
    if not named or ("figures" in value and not are_figures(value["figures"])):
        return False
    return "figures" in value if value["status"] == "done" else isinstance(value.get("reason"), str)


def _row(line: str) -> dict[str, Any] | None:
    """A line of the table; None if it is not one: another process may be writing it, or a crash cut it short."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if _is_described(row) else None


def _outcome(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("status", "reason", "figures") if key in row}
