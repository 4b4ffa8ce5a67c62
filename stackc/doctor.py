"""The self-test of this machine and this installation: every check says in a line what it found.

Parts test themselves: a plugin may register a ``self_test`` with a part (see `stackc.api.hooks`). What is
left to the framework is the device, a small stack from training to files, and the same tokens in any lanes.
"""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from stackc.api.errors import StackcError
from stackc.api.files import temporary_folder
from stackc.api.messages import amount
from stackc.api.models import Device
from stackc.api.version import stackc_version
from stackc.coding.level import Level
from stackc.parts.registry import Registry, installed
from stackc.pipeline.build import build
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack

SYMBOLS = 10_000
"""Symbols that the small stack's models are trained on: enough to have something to compress with."""


@attrs.frozen(kw_only=True)
class Finding:
    """One check.

    Attributes:
        name: what was checked.
        ok: whether it is as it must be.
        text: what was found, or what is wrong.
        seconds: how long it took.
    """

    name: str
    ok: bool
    text: str
    seconds: float


def examine(device: str = "auto") -> Iterator[Finding]:
    """Run every check, one after another; the last says how many failed.

    Args:
        device: "auto", "cpu" or "cuda".
    """
    failed = 0
    found: list[Device] = []

    def resolve() -> str:
        found.append(Runtime(device=device).resolve())
        return _device(found[0])

    checks: list[tuple[str, Callable[[], str]]] = [("software", _software), ("device", resolve)]
    checks += [("plugins", _plugins)]
    registry = Registry(installed())
    for part in registry.parts():
        if part.self_test is not None:
            checks.append((f"{part.kind} {part.name}", lambda test=part.self_test: test(found[0])))  # type: ignore[misc]
    with temporary_folder() as folder:
        small = _SmallStack(folder, device)
        checks += [("build", small.build), ("tokens", small.tokens), ("files", small.files)]
        for name, test in checks:
            begun = time.monotonic()
            try:
                text, ok = test(), True
            except Exception as error:  # whatever goes wrong here is a finding
                text = str(error) if isinstance(error, StackcError) else f"{type(error).__name__}: {error}"
                ok = False
            failed += not ok
            yield Finding(name=name, ok=ok, text=" ".join(text.split()), seconds=time.monotonic() - begun)
            if name == "device" and not ok:
                return


def _software() -> str:
    names = ("numpy", "numba", "torch", "safetensors")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return f"stackc {stackc_version()}, Python {platform.python_version()}, {versions}"


def _device(device: Device) -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = f"{device.name}, {device.threads} thread an operation, {usable} cores usable"
    if device.name == "cuda":
        import torch

        where += f", {torch.cuda.get_device_name()}"
    return f"{where}; {platform.system()} {platform.machine()}"


def _plugins() -> str:
    registry = Registry(installed())
    if registry.broken:
        raise StackcError("; ".join(str(broken) for broken in registry.broken))
    return f"{amount(len(registry.sources), 'plugin')}, {amount(len(registry.parts()), 'part')}, none set aside"


class _SmallStack:
    """A stack from the recipe ``smoke``, trained for a moment."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder / "smoke"
        self._device = device
        self._stack: Stack | None = None

    def build(self) -> str:
        short = tuple(f"{path}.train.symbols={SYMBOLS}" for path in ("level.1", "level.2", "top"))
        self._stack = build("smoke", self.folder, overrides=short, device=self._device)
        return (
            f"trained, frozen, compiled, encoded and decoded {amount(len(self._stack.levels), 'level')} and a top model"
        )

    def tokens(self) -> str:
        """The same tokens in one lane and in many, on one thread and on two."""
        text = self._text()[:2000]
        ways = [(1, 1), (7, 1), (64, 2)]
        made = []
        for lanes, threads in ways:
            stack = Stack(self.folder, Runtime(device=self._device, threads=threads, lanes=lanes))
            stack.levels = [Level(level.spec) for level in stack.levels]  # without dictionaries: the models are stepped
            tokens = stack.encode(text)
            made.append((tokens.tobytes(), stack.decode(tokens)))
        compiled = Stack(self.folder, Runtime(device=self._device)).encode(text).tobytes()
        if any(one != (compiled, text) for one in made):
            raise StackcError("lanes, threads or routes gave different tokens; please report this")
        return "the same from dictionaries and from stepping, in 1, 7 and 64 lanes, on 1 and 2 threads"

    def files(self) -> str:
        """A file there and back; a damaged one is noticed."""
        assert self._stack is not None, "built before"
        text = self._text()[:20_000]
        file, back = io.BytesIO(), io.BytesIO()
        made = self._stack.compress(io.BytesIO(text), file, block_size=4096)
        self._stack.decompress(io.BytesIO(file.getvalue()), back)
        if back.getvalue() != text or made.failed:
            raise StackcError("a file did not come back as it was; please report this")
        damaged = bytearray(file.getvalue())
        damaged[len(damaged) // 2] ^= 1
        try:
            self._stack.decompress(io.BytesIO(damaged), io.BytesIO())
        except StackcError as error:
            return f"{made.size:,} bytes as {made.written:,} and back; one flipped bit was noticed ({error})"
        raise StackcError("a damaged file was decoded without an error; please report this")

    def _text(self) -> bytes:
        from stackc.stack.store import Store

        return Store(self.folder / "corpus" / "test").symbols.tobytes()
