"""Shards as tasks on a Ray cluster: the one that RAY_ADDRESS or this machine knows, else one of this machine alone."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stackc.engine import Item, Result
from stackc.errors import StackcError
from stackc.extras import need

RETRIES = 3
"""Times that a shard is given to another worker when its worker died."""

AHEAD = 2
"""Shards handed out for each that can run: the next is at hand when one ends."""

OBJECT_STORE = 256 << 20
"""Bytes of shared memory of a cluster of this machine alone; shards of a build travel as files."""


class Ray:
    """An `stackc.engine.Engine`. Every machine of the cluster needs stackc and the stack's folder."""

    here = False

    def __init__(self, threads: int, gpu: bool) -> None:
        # Neither figures sent home nor a dashboard: only tasks are wanted.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self.ray = need("ray", "ray", "--engine ray")
        if not self.ray.is_initialized():
            quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
            try:
                self.ray.init(address="auto", **quiet)
            except ConnectionError:
                if os.environ.get("RAY_ADDRESS"):
                    raise StackcError(
                        f"--engine ray: no cluster answers at RAY_ADDRESS={os.environ['RAY_ADDRESS']}; check that it "
                        "runs, and that RAY_AUTH_TOKEN is its token where it has one"
                    ) from None
                self.ray.init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE, **quiet)
        self.task = self.ray.remote(num_cpus=threads, num_gpus=int(gpu), max_retries=RETRIES)(_call)
        self.slots = max(1, int(self.ray.cluster_resources().get("CPU", 1)) // threads)

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        handed: deque[tuple[int, Any]] = deque()
        try:
            for number, item in enumerate(items):
                if len(handed) >= AHEAD * self.slots:
                    yield self._result(*handed[0])
                    handed.popleft()
                handed.append((number, self.task.remote(work, item)))
            while handed:
                yield self._result(*handed[0])
                handed.popleft()
        finally:
            for _, task in handed:
                self.ray.cancel(task)

    def _result(self, number: int, task: Any) -> Any:
        errors = self.ray.exceptions
        try:
            return self.ray.get(task)
        except errors.RayTaskError as error:
            if isinstance(error.cause, errors.RayError):  # the worker could not even read what it was to do
                last = str(error.cause).strip().splitlines()[-1]
                raise StackcError(f"shard {number}: {last}; every machine needs what this one has installed") from error
            raise error.cause from None
        except errors.RayError as error:
            what = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise StackcError(
                f"shard {number}: its worker died {RETRIES + 1} times ({what}); finished shards are kept, the same "
                "command goes on with the rest"
            ) from error


def _call(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)
