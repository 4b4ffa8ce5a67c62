"""The self-test of this machine and this installation: every check reports its result in one line.

Parts test themselves: a plugin registers them with a `self_test` (see `stackc.api.hooks`). The framework tests the
device, a small stack from training to files, and that any number of lanes gives the same tokens.
"""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from stackc.api.errors import MissingPackageError, StackcError
from stackc.api.files import temporary_folder
from stackc.api.messages import amount
from stackc.api.models import Device
from stackc.api.version import installed_version, stackc_version
from stackc.coding.level import Level
from stackc.parts.registry import Registry, installed
from stackc.pipeline.build import build
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack
from stackc.stack.store import Store

SYMBOLS = 10_000
"""Symbols to train the small stack's models on: just enough for models that compress."""


@attrs.frozen(kw_only=True)
class Finding:
    """One check.

    Attributes:
        name: of the check.
        ok: whether it passed or was skipped.
        skipped: whether it requires a package that is not installed.
        text: the result, the error, or what to install.
        seconds: duration of the check.
    """

    name: str
    ok: bool
    skipped: bool = False
    text: str
    seconds: float


def examine(device: str = "auto", tell: Callable[[str], None] = lambda name: None) -> Iterator[Finding]:
    """Run all checks, one after another. Without a usable device the checks after it are skipped.

    Args:
        device: "auto", "cpu" or "cuda".
        tell: called before each check with its number, of how many, and its name; for progress.
    """
    found: list[Device] = []

    def resolve() -> str:
        found.append(Runtime(device=device).resolve())
        return _device(found[0])

    checks: list[tuple[str, Callable[[], str]]] = [("software", _software), ("device", resolve), ("plugins", _plugins)]
    for part in Registry(installed()).parts():
        if part.self_test is not None:
            checks.append((f"{part.kind} {part.name}", lambda test=part.self_test: test(found[0])))  # type: ignore[misc]
    with temporary_folder() as folder:
        small = _SmallStack(folder, device)
        checks += [("build", small.build), ("tokens", small.tokens), ("files", small.files)]
        for number, (name, test) in enumerate(checks, 1):
            tell(f"{number} of {len(checks)}: {name}")
            begun = time.monotonic()
            ok, skipped = True, False
            try:
                text = test()
            except MissingPackageError as error:
                # Every check after the device needs it, so a device that is missing is not skipped.
                text, ok, skipped = str(error), name != "device", name != "device"
            except Exception as error:  # whatever goes wrong here is a finding
                text = str(error) if isinstance(error, StackcError) else f"{type(error).__name__}: {error}"
                ok = False
            yield Finding(
                name=name, ok=ok, skipped=skipped, text=" ".join(text.split()), seconds=time.monotonic() - begun
            )
            if name == "device" and not ok:
                return


def _software() -> str:
    found = {name: installed_version(name) for name in ("numpy", "numba", "torch", "safetensors")}
    versions = ", ".join(f"{name} {version}" if version else f"no {name}" for name, version in found.items())
    return f"stackc {stackc_version()}, Python {platform.python_version()}, {versions}"


def _device(device: Device) -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    where = f"{device.name}, {amount(device.threads, 'thread')} per operation, {usable} usable cores"
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
    """A stack from the recipe ``smoke``, trained for a moment only."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder / "smoke"
        self._device = device
        self._stack: Stack | None = None

    def build(self) -> str:
        models, names = ("level.1", "level.2", "top"), "trained, frozen"
        try:
            short = tuple(f"{path}.train.symbols={SYMBOLS}" for path in models)
            self._stack = build("smoke", self.folder, overrides=short, device=self._device)
        except MissingPackageError:  # the checks that follow are about the framework, and counts do for them too
            names = "counted"
            tables = ('model={backend="counted"}', "train={}")
            counted = tuple(f"{path}.{table}" for path in models for table in tables)
            self._stack = build("smoke", self.folder, overrides=counted, device=self._device)
        return f"{names}, compiled, encoded and decoded {amount(len(self._stack.levels), 'level')} and a top model"

    def tokens(self) -> str:
        """One lane and many, one thread and two must give the same tokens."""
        text = self._text()[:2000]
        made = []
        for lanes, threads in (1, 1), (7, 1), (64, 2):
            stack = Stack(self.folder, Runtime(device=self._device, threads=threads, lanes=lanes))
            stack.levels = [Level(level.spec) for level in stack.levels]  # without dictionaries: run the models
            tokens = stack.encode(text)
            made.append((tokens.tobytes(), stack.decode(tokens)))
        compiled = Stack(self.folder, Runtime(device=self._device)).encode(text).tobytes()
        if any(one != (compiled, text) for one in made):
            raise StackcError("lanes, threads or routes gave different tokens; please report this")
        return "the same from dictionaries and from models, in 1, 7 and 64 lanes, on 1 and 2 threads"

    def files(self) -> str:
        """A file must be restored, and damage must be detected."""
        assert self._stack is not None, "built before"
        text = self._text()[:20_000]
        file, back = io.BytesIO(), io.BytesIO()
        made = self._stack.compress(io.BytesIO(text), file, block_size=4096)
        self._stack.decompress(io.BytesIO(file.getvalue()), back)
        if back.getvalue() != text or made.failed:
            raise StackcError("a file was not restored exactly; please report this")
        damaged = bytearray(file.getvalue())
        damaged[len(damaged) // 2] ^= 1
        try:
            self._stack.decompress(io.BytesIO(damaged), io.BytesIO())
        except StackcError as error:
            return f"{made.size:,} bytes as {made.written:,} and back; a flipped bit was detected ({error})"
        raise StackcError("a damaged file was decoded without an error; please report this")

    def _text(self) -> bytes:
        return Store(self.folder / "corpus" / "test").symbols.tobytes()
