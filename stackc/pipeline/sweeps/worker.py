"""A process that builds runs of a sweep, one after another, as its parent asks: ``python -m`` this module.

A separate process, because a run may exhaust memory or end the process in any other way, and the others must not end
with it. Requests and answers are lines of JSON on standard input and output; whatever else prints goes to standard
error. When standard input ends, the parent is gone, and the process ends at once, in the middle of a stage too: a stage
that was killed is resumed by whoever needs it next.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from stackc.api.errors import StackcError
from stackc.pipeline.build import run
from stackc.pipeline.display import Display, StageProgress
from stackc.pipeline.fingerprints import Remembered
from stackc.pipeline.stage_store import StageStore
from stackc.pipeline.sweeps.row import finished_row
from stackc.pipeline.workspace import FolderBusyError
from stackc.recipe import recipe_from_dict
from stackc.stack.runtime import Runtime

LONGEST = 2000
"""Characters of a reason, at most."""

Tell = Callable[[dict[str, Any]], None]
"""Sends an answer to the parent."""


class _Lines:
    """A text stream whose lines are sent to the parent."""

    encoding = "utf-8"

    def __init__(self, tell: Tell) -> None:
        self._tell, self._held = tell, ""

    def write(self, text: str) -> int:
        *lines, self._held = (self._held + text).split("\n")
        for line in lines:
            self._tell({"event": "line", "text": line})
        return len(text)

    def flush(self) -> None:
        """Lines are sent when they end."""


class _Display(Display):
    """Plain lines, and an event for every stage that was run."""

    def __init__(self, logs: Path, tell: Tell) -> None:
        console = Console(file=_Lines(tell), width=200, highlight=False, force_terminal=False)  # type: ignore[arg-type]
        super().__init__(logs, "plain", console)
        self._tell = tell

    @contextlib.contextmanager
    def stage(self, name: str, resumed: bool, logs: Path | None = None) -> Iterator[StageProgress]:
        with super().stage(name, resumed, logs) as progress:
            yield progress
        self._tell({"event": "stage", "name": name})


def build_run(job: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Build one run and give the answer about it: ``done`` with its figures, ``failed``, or ``busy``.

    Args:
        job: its recipe, and the folders.
        tell: receives the lines that the build shows.
    """
    try:
        recipe = recipe_from_dict(job["recipe"], Path(job["base"]))
        folder, store = Path(job["folder"]), StageStore(Path(job["stages"]))
        runtime = Runtime.of(recipe.run, device=job["device"] or recipe.run.device)
        run(recipe, folder, runtime, _Display(folder / "logs", tell), store, Remembered(Path(job["fingerprints"])))
        return {"event": "done", "figures": finished_row(recipe, folder, store)}
    except FolderBusyError as error:
        return {"event": "busy", "reason": str(error)}
    except StackcError as error:
        return {"event": "failed", "reason": str(error)[:LONGEST]}
    except Exception as error:  # a fault of a part or of stackc ends this run, not the sweep
        traceback.print_exc()
        return {"event": "failed", "reason": f"{type(error).__name__}: {error}"[:LONGEST]}


def build_alone(job: dict[str, Any]) -> dict[str, Any]:
    """Same as `build_run`, without a listener, on a machine of a cluster."""
    return build_run(job, lambda answer: None)


def _read(source: IO[str], jobs: queue.SimpleQueue[dict[str, Any]]) -> None:
    for line in source:
        jobs.put(json.loads(line))
    os._exit(0)


def main() -> None:
    """Answer the parent until it closes standard input."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    jobs: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(sys.stdin, jobs), daemon=True).start()

    def tell(answer: dict[str, Any]) -> None:
        channel.write(json.dumps(answer) + "\n")
        channel.flush()

    try:
        while True:
            job = jobs.get()
            tell({**build_run(job, tell), "id": job["id"]})
    except (KeyboardInterrupt, BrokenPipeError):
        os._exit(130)


if __name__ == "__main__":
    main()
