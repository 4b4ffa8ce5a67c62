"""The one place that sets torch's threads and precision modes, each with its reason."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import torch

from stackc.api import Device, StackcError


def pick(device: Device) -> torch.device:
    """The torch device that `device` names.

    Raises:
        StackcError: it is not available.
    """
    if device.name == "cuda" and not torch.cuda.is_available():
        raise StackcError("device cuda: torch sees no CUDA device here; use device = cpu")
    return torch.device(device.name)


def use_threads(device: Device) -> None:
    """Let torch use the threads that `device` allows; the bits of a frozen network do not depend on it.

    Left alone, torch takes every core, and matrices of these sizes get slower when a core is shared.
    """
    torch.set_num_threads(device.threads)


class _Exact:
    """The callers that need TF32 off: it is one switch of the whole process, and they overlap in any order.

    Attributes:
        users: threads that need it off; it is restored when the last one is done.
        before: its state when the first one came.
    """

    def __init__(self) -> None:
        self.lock, self.users, self.before = threading.Lock(), 0, False


_EXACT = _Exact()


@contextlib.contextmanager
def exact_products() -> Iterator[None]:
    """Float32 matrix products on CUDA hold integers below 2^24 exactly only with TF32 off."""
    switch = torch.backends.cuda.matmul
    with _EXACT.lock:
        if not _EXACT.users:
            _EXACT.before = switch.allow_tf32
        _EXACT.users += 1
        switch.allow_tf32 = False
    try:
        yield
    finally:
        with _EXACT.lock:
            _EXACT.users -= 1
            if not _EXACT.users:
                switch.allow_tf32 = _EXACT.before


class _OneThread:
    """torch's number of threads, which a thread sets for itself and for all threads that first use torch later.

    Attributes:
        users: callers that work with one thread now.
        before: the number that they found.
    """

    def __init__(self) -> None:
        self.lock, self.users, self.before = threading.Lock(), 0, 1


_ONE_THREAD = _OneThread()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """The number of threads decides in which order a matrix product adds up."""
    with _ONE_THREAD.lock:
        if not _ONE_THREAD.users:
            _ONE_THREAD.before = torch.get_num_threads()
        _ONE_THREAD.users += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _ONE_THREAD.lock:
            _ONE_THREAD.users -= 1
            # Of this thread and of those to come; the others that are at work keep the one that they set.
            torch.set_num_threads(_ONE_THREAD.before)


@contextlib.contextmanager
def training_mode(device: Device) -> Iterator[torch.device]:
    """Settings under which a killed and resumed training ends in the same bytes (on CPU, same threads and build)."""
    target = pick(device)
    threads = torch.get_num_threads()
    # The number of threads decides in which order a matrix product adds up.
    torch.set_num_threads(device.threads)
    try:
        # TF32 rounds operands to 10 bits: the float model would no longer be the one that is reported.
        with exact_products():
            yield target
    finally:
        torch.set_num_threads(threads)
