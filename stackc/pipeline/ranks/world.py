"""Several processes that build one stack together, started by `torchrun`, one per device.

Rank 0 builds as a single process does. The others wait for its orders, train with it, and do nothing else:

    rank 0    read ─► train ─► freeze, compile, encode ─► train ─► … ─► report
    rank 1    wait    train    wait                       train         wait

Orders are sent through the key-value store by which the processes found each other, data and gradients through the
process group of torch.distributed; both are set up here. Artifacts are read from the stack's folder, which all ranks
share.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import attrs

from stackc.api.errors import StackcError
from stackc.api.extras import need
from stackc.api.streams import write_all

PATIENCE = datetime.timedelta(days=365)
"""How long a rank waits for the others: rank 0 runs some stages alone, and their time has no bound."""

GRACE_SECONDS = 2.0
"""Time between torchrun's request to end and the end, so that an earlier error is printed first. Also the time between
the turns in which ranks report an error that all may have."""

MEETING_SECONDS = 0.05
"""Interval at which rank 0 checks which ranks have joined."""

LOST = "another rank of this build was lost; nothing half-done was kept, and the same command resumes the build"

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class RankError(StackcError):
    """The build cannot continue because another rank ended; `quiet` if that rank reports the reason."""

    def __init__(self, text: str = LOST, quiet: bool = False) -> None:
        super().__init__(text)
        self.quiet = quiet


@attrs.frozen(kw_only=True)
class World:
    """This process among all. `store` transmits orders and replies (`stackc.pipeline.ranks.orders`); None if there is
    one process.

    Attributes:
        rank: 0 .. ranks - 1.
        ranks: number of processes.
    """

    rank: int = 0
    ranks: int = 1
    store: Any = attrs.field(default=None, eq=False, repr=False)

    def lost(self) -> RankError:
        """The error of this rank if another was lost: rank 0 reports it, and rank 1 too, in case rank 0 was lost."""
        return RankError(quiet=self.rank > 1)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Around work of all ranks: if one dies, the others report it in one line."""
        try:
            yield
        except RuntimeError as error:
            if self.ranks > 1 and _of_a_lost_rank(error):
                raise self.lost() from error
            raise


def ranks_of_environment() -> tuple[int, int]:
    """(rank, ranks) from torchrun's environment; (0, 1) if torchrun did not start this process."""
    if not all(os.environ.get(name) for name in ENVIRONMENT):
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


@contextlib.contextmanager
def one_voice() -> Iterator[None]:
    """Around the work of a process that torchrun may have started with others: a shared error is printed once.

    Rank 0 prints at once. Each other rank waits for its turn: the first that ends makes torchrun end the rest. So an
    error of only one rank, or one machine, is printed too, and no rank depends on another.
    """
    try:
        yield
    except RankError:
        raise
    except StackcError as error:
        rank, _ = ranks_of_environment()
        if not rank:
            raise
        time.sleep(GRACE_SECONDS * (1 + int(os.environ.get("LOCAL_RANK", "0"))))
        raise StackcError(f"rank {rank}: {error}") from error


@contextlib.contextmanager
def world(device: str) -> Iterator[World]:
    """Join the other processes of this build, if there are any, and leave them at the end.

    Args:
        device: see `stackc.stack.runtime.Runtime`: on CUDA each process takes the GPU of its local rank.

    Raises:
        StackcError: more processes than GPUs.
    """
    rank, ranks = ranks_of_environment()
    if ranks == 1:
        yield World()
        return
    need("torch", "torch", "a build by several processes")
    import torch
    import torch.distributed as dist

    _end_with_a_line(rank)
    backend = "gloo"
    if device != "cpu" and torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise StackcError(
                f"rank {rank}: there are {torch.cuda.device_count()} GPUs here; start that many processes per machine"
            )
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    store, _, _ = next(iter(dist.rendezvous("env://")))
    with World(rank=rank, ranks=ranks).together():
        start = _start(store, rank, ranks)
        group = dist.PrefixStore(f"group/{start}", store)
        dist.init_process_group(backend, store=group, rank=rank, world_size=ranks, timeout=PATIENCE)
    yield World(rank=rank, ranks=ranks, store=dist.PrefixStore(f"stackc/{start}", store))
    # Only without an error: a process cannot leave a group that has lost a rank.
    try:
        dist.barrier()
        dist.destroy_process_group()
    except RuntimeError as error:
        # All shared work is done: a rank that is lost now does not matter.
        if not _of_a_lost_rank(error):
            raise


def _start(store: Any, rank: int, ranks: int) -> str:
    """A name for this start of all ranks, the same on each: the store may still hold entries of an earlier start.

    torchrun's store outlives the ranks that it restarts, and its count of restarts may differ between machines, so it
    cannot be that name. Instead each rank draws a random name and calls rank 0 with it; rank 0 replies to every call
    that it finds, old ones too, until all ranks have received their reply.
    """
    mine = uuid.uuid4().hex
    if rank:
        store.set(f"call/{rank}", mine)
        store.wait([f"start/{mine}"], PATIENCE)
        start: str = store.get(f"start/{mine}").decode()
        store.set(f"came/{start}/{rank}", "")
        return start
    away = list(range(1, ranks))
    while away := [other for other in away if not store.check([f"came/{mine}/{other}"])]:
        for other in away:
            if store.check([f"call/{other}"]):
                store.set(f"start/{store.get(f'call/{other}').decode()}", mine)
        time.sleep(MEETING_SECONDS)
    return mine


def _of_a_lost_rank(error: RuntimeError) -> bool:
    """Whether the error of torch.distributed is about a connection."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or "gloo" in str(error).lower() or "closed by peer" in str(error)


def _end_with_a_line(rank: int) -> None:
    """If torchrun ends this process because another failed, print that, even during a call that never returns.

    A signal's Python handler runs only between calls; the wake-up pipe is read by a thread at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda number, frame: None)

    def watch() -> None:
        while signal.SIGTERM not in os.read(read, 1):
            pass
        time.sleep(GRACE_SECONDS)
        if rank == 0:
            with contextlib.suppress(OSError), open(2, "wb", buffering=0, closefd=False) as file:
                write_all(file, f"error: {LOST}\n".encode())
        os._exit(2)

    threading.Thread(target=watch, daemon=True).start()
