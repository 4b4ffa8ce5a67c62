"""Settings of a session that affect speed only, and the device that predictors run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from stackc.api.errors import MissingPackageError, StackcError
from stackc.api.extras import need
from stackc.api.models import Device

if TYPE_CHECKING:
    from stackc.recipe.tables import RunSection


@attrs.frozen(kw_only=True)
class Runtime:
    """Speed-only settings of a session.

    Attributes:
        device: "auto" (CUDA if torch finds a device), "cpu" or "cuda".
        threads: threads inside one operation of a model, and in a compiled level.
        lanes: windows or segments coded side by side.
        memory: megabytes that compiling a level may take, a working copy of a bitwise model, and counting texts.
        shard_from: a model of at least this many parameters is sharded among the ranks that train it.
        engine: where shards of a corpus are encoded, "local" or "ray" (`stackc.pipeline.engines.choose`).
    """

    device: str = "auto"
    threads: int = 1
    lanes: int = 256
    memory: int = 1024
    shard_from: int = 500_000_000
    engine: str = "local"

    @classmethod
    def of(cls, run: RunSection, **changes: Any) -> Runtime:
        """The settings of the recipe's ``[run]``, with changes."""
        return attrs.evolve(cls(**attrs.asdict(run)), **changes)

    def resolve(self) -> Device:
        """The device itself. Imports torch unless the setting is "cpu"; without torch, "auto" is the CPU.

        Raises:
            MissingPackageError: the setting is "cuda" and torch is missing.
            StackcError: the setting is "cuda" and there is no CUDA device.
        """
        if self.device != "cpu" and self._sees_cuda():
            return Device(name="cuda", threads=self.threads, memory=self.memory)
        return Device(name="cpu", threads=self.threads, memory=self.memory)

    def device_of(self, config: object) -> Device:
        """The device of a model; see `resolve`. A model that needs none (`on_device`) does not wait for torch."""
        if self.device == "auto" and not getattr(config, "on_device", True):
            return Device(name="cpu", threads=self.threads, memory=self.memory)
        return self.resolve()

    def _sees_cuda(self) -> bool:
        try:
            torch = need("torch", "torch", f"--device {self.device}")
        except MissingPackageError:
            if self.device == "auto":
                return False
            raise
        if self.device == "cuda" and not torch.cuda.is_available():
            raise StackcError("--device cuda: torch finds no CUDA device here; use --device cpu, or auto")
        return bool(torch.cuda.is_available())
