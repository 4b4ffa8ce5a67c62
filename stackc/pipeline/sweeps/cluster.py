"""Runs as tasks of a Ray cluster: the same calls as `stackc.pipeline.sweeps.pool.Pool`.

Every machine needs stackc, and the sweep's folder and its corpus under the same names, on a disk whose locks work
between machines.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from stackc.pipeline.engines.base import KEPT
from stackc.pipeline.engines.ray import Ray
from stackc.pipeline.sweeps.pool import Answer
from stackc.pipeline.sweeps.worker import build_alone


class Cluster:
    """Runs on a Ray cluster. Use it in a `with` statement.

    Args:
        workers: runs at a time; None: as many as the cluster has processors.
        gpu: whether each run takes a GPU.
        say: receives a line that names the cluster.

    Raises:
        StackcError: Ray is not installed, or does not start.
    """

    def __init__(self, workers: int | None, gpu: bool, say: Callable[[str], None]) -> None:
        self._engine = Ray(1, gpu, say, KEPT)
        self.idle = list(range(workers or self._engine.slots))
        self._tasks: dict[Any, int] = {}  # workers by the references of their tasks
        self._begun: dict[int, float] = {}

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._tasks:
            with contextlib.suppress(self._engine.ray.exceptions.RayError):  # the cluster is lost
                self._engine.ray.cancel(task)

    def start(self, job: dict[str, Any]) -> int:
        """Hand out a run."""
        worker = self.idle.pop(0)
        self._begun[worker] = time.monotonic()
        self._tasks[self._engine.task.remote(build_alone, job)] = worker
        return worker

    def answer(self, seconds: float) -> Answer | None:
        """The answer of a run that ended; None if none ends for this long."""
        ray = self._engine.ray
        if not self._tasks:
            time.sleep(seconds)
            return None
        done, _ = ray.wait(list(self._tasks), timeout=seconds)
        if not done:
            return None
        worker = self._tasks.pop(done[0])
        self.idle.append(worker)
        try:
            content = ray.get(done[0])
        except ray.exceptions.RayError as error:  # its process died, again and again, or a machine was lost
            what = (str(error).strip() or type(error).__name__).splitlines()[0]
            content = {"event": "failed", "reason": what}
        return Answer(worker=worker, content=content, seconds=time.monotonic() - self._begun[worker])

    def retire(self, worker: int) -> None:
        """Nothing: Ray has its own processes."""
