"""The one place that sets torch's threads and precision modes, each with its reason."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

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


class _Switch:
    """A setting of the whole process that callers need in one position; they overlap in any order.

    Args:
        read, write: get and set it.
        wanted: the position.
        by_thread: whether each thread sets it for itself, and for all threads that first use torch later.

    Attributes:
        users: callers that need it now; the last one that leaves restores it.
        before: the position that the first one found.
    """

    def __init__(self, read: Callable[[], Any], write: Callable[[Any], object], wanted: Any, by_thread: bool) -> None:
        self.read, self.write, self.wanted, self.by_thread = read, write, wanted, by_thread
        self.lock, self.users, self.before = threading.Lock(), 0, wanted

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if not self.users:
                self.before = self.read()
            self.users += 1
            self.write(self.wanted)
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                # By thread: of this one and of those to come; others that are at work keep the one that they set.
                if self.by_thread or not self.users:
                    self.write(self.before)


def _allow_tf32(allowed: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = allowed


exact_products = _Switch(lambda: torch.backends.cuda.matmul.allow_tf32, _allow_tf32, False, by_thread=False)
"""Float32 matrix products on CUDA hold integers below 2^24 exactly only with TF32 off."""

one_thread = _Switch(torch.get_num_threads, torch.set_num_threads, 1, by_thread=True)
"""The number of threads decides in which order a matrix product adds up."""


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
