"""Runs shards as tasks on a Ray cluster: the cluster of RAY_ADDRESS, or of `ray start` on this machine, or a new one of
this machine alone."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from stackc.api.errors import StackcError
from stackc.api.extras import need
from stackc.pipeline.engines.base import Item, Result

RETRIES = 3
"""Times that a shard is given to another worker after its worker died."""

AHEAD = 2
"""Shards submitted for each that can run, so that the next can start at once when one ends."""

OBJECT_STORE = 256 << 20
"""Bytes of shared memory of a cluster of this machine alone; shards of a build are passed as files."""

ANSWER_SECONDS = 5.0
"""A cluster that accepts no connection within this time counts as absent; Ray itself would try for minutes."""


class Ray:
    """An `stackc.pipeline.engines.base.Engine`. Every machine of the cluster needs stackc and the stack's folder.

    Args:
        say: receives a line that names the cluster.
        again: the end of the error for a lost shard: what to do.
    """

    here = False

    def __init__(self, threads: int, gpu: bool, say: Callable[[str], None], again: str) -> None:
        # No usage statistics and no dashboard: only tasks are needed.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self.ray = need("ray", "ray", "--engine ray")
        self.again = again
        if not self.ray.is_initialized():
            self._connect(say)
        self.task = self.ray.remote(num_cpus=threads, num_gpus=int(gpu), max_retries=RETRIES)(_call)
        self.slots = max(1, int(self.ray.cluster_resources().get("CPU", 1)) // threads)

    def _connect(self, say: Callable[[str], None]) -> None:
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        named = os.environ.get("RAY_ADDRESS", "")
        address, whose = named, "of RAY_ADDRESS"
        if named in ("", "auto", "local"):
            address, whose = "" if named == "local" else _noted(), "started by `ray start` here"
        if address:
            try:
                if not _takes_connections(address):
                    raise ConnectionError
                self._init(address=address, **quiet)
            except ConnectionError:
                if address == named:
                    raise StackcError(
                        f"--engine ray: no cluster responds at RAY_ADDRESS={named}; check that it runs, and that "
                        "RAY_AUTH_TOKEN is its token if it has one"
                    ) from None
                say(f"no Ray cluster responds at {address}, {whose} (`ray stop` makes Ray forget it)")
            else:
                say(f"on the Ray cluster at {address}, {whose}")
                return
        say("on a Ray cluster of this machine alone, for as long as this runs")
        self._init(address="local", include_dashboard=False, object_store_memory=OBJECT_STORE, **quiet)

    def _init(self, **how: Any) -> None:
        """`ray.init`, which raises plain exceptions if the cluster does not start, and replaces the SIGTERM handler."""
        handler = signal.getsignal(signal.SIGTERM)
        try:
            self.ray.init(**how)
            if callable(handler) and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)
        except ConnectionError:
            raise
        except Exception as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise StackcError(f"--engine ray: Ray did not start ({text}); try again, or omit --engine") from error

    def map(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        handed: deque[tuple[int, Any]] = deque()
        try:
            for number, item in enumerate(items):
                if len(handed) >= AHEAD * self.slots:
                    yield self._result(*handed[0])
                    handed.popleft()
                with self._told(number):
                    handed.append((number, self.task.remote(work, item)))
            while handed:
                yield self._result(*handed[0])
                handed.popleft()
        finally:
            for _, task in handed:
                with contextlib.suppress(self.ray.exceptions.RayError):  # the cluster is lost
                    self.ray.cancel(task)

    def _result(self, number: int, task: Any) -> Any:
        with self._told(number):
            return self.ray.get(task)

    @contextlib.contextmanager
    def _told(self, number: int) -> Iterator[None]:
        """Turn Ray's errors about shard `number` into stackc's."""
        errors = self.ray.exceptions
        try:
            yield
        except errors.RayTaskError as error:
            if isinstance(error.cause, errors.RayError):  # the worker could not even unpickle its task
                last = (str(error.cause).strip() or type(error.cause).__name__).splitlines()[-1]
                raise StackcError(f"shard {number}: {last}; every machine needs the packages of this one") from error
            raise error.cause from None
        except errors.RayError as error:
            what = (str(error).strip() or type(error).__name__).splitlines()[0]
            if isinstance(error, errors.WorkerCrashedError):
                what = f"its worker died {RETRIES + 1} times ({what})"
            elif isinstance(error, errors.LocalRayletDiedError | errors.NodeDiedError):
                what = f"a machine of the Ray cluster was lost, or the raylet on it ({what})"
            raise StackcError(f"shard {number}: {what}; {self.again}") from error


def _noted() -> str:
    """The address of the cluster that `ray start` started or joined last on this machine, or nothing."""
    temporary = os.environ.get("RAY_TMPDIR") or (sys.platform == "linux" and os.environ.get("TMPDIR")) or "/tmp"
    try:
        return Path(temporary, "ray", "ray_current_cluster").read_text().strip()
    except OSError:
        return ""


def _takes_connections(address: str) -> bool:
    """Whether anything listens at "host:port" or "ray://host:port"."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _call(work: Callable[[Item], Result], item: Item) -> Result:
    return work(item)
