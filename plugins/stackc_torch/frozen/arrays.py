"""A frozen network as a file of arrays, each declared once: its type, its range and its shape, checked when loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs
import numpy as np

from stackc.api import MAX_ALPHABET, ArtifactError, read_tensors, write_tensors
from stackc_torch.frozen.rules import MAX_INNER, TOP, Array

FILE = "frozen.safetensors"

Shape = Callable[[Any], tuple[int, ...]]
"""The shape of an array, from the sizes of its network."""


def array(kind: type, least: int, largest: int, shape: Shape) -> Any:
    """A field of a `FrozenArrays`: numbers in least .. largest."""
    return attrs.field(metadata={"kind": np.dtype(kind), "range": (least, largest), "shape": shape})


def operands(shape: Shape) -> Any:
    """A field: the weights of matrix products."""
    return array(np.int8, -TOP, TOP, shape)


def shifts(shape: Shape) -> Any:
    """A field: the right shifts of the rows of products."""
    return array(np.int32, 0, 30, shape)


def size(name: str, axis: int) -> property:
    """A property: the length of one axis of an array."""
    return property(lambda network: int(getattr(network, name).shape[axis]))


class FrozenArrays:
    """A network of integers: an attrs class whose fields are made by `array`, `operands` and `shifts`.

    Attributes:
        name: of its backend.
        ranks: the number of axes of every array that a size is read from.
        embed, norms, head, head_shift: arrays that every network has: into the stream, its norms, out to symbols.
    """

    name: ClassVar[str]
    ranks: ClassVar[dict[str, int]]
    embed: Array
    norms: Array
    head: Array
    head_shift: Array

    alphabet = size("head", 0)
    width = size("head", 1)

    @property
    def inner_sizes(self) -> tuple[int, ...]:
        """The numbers of inputs of its matrix products."""
        raise NotImplementedError

    def check(self, where: str) -> None:
        """Raise `ArtifactError` unless every array is in the range that the exactness of the routes relies on."""
        if any(getattr(self, name).ndim != rank for name, rank in self.ranks.items()):
            raise ArtifactError(f"{where}: arrays of unexpected rank; build the stack again")
        for field in attrs.fields(type(self)):  # type: ignore[arg-type]
            found, kind, shape = getattr(self, field.name), field.metadata["kind"], field.metadata["shape"](self)
            least, largest = field.metadata["range"]
            if found.dtype != kind or found.shape != shape or found.size == 0:
                raise ArtifactError(f"{where}: {field.name} is {found.dtype}{found.shape}, expected {kind}{shape}")
            if int(found.min()) < least or int(found.max()) > largest:
                raise ArtifactError(f"{where}: {field.name} leaves {least} .. {largest}; build the stack again")
        if max(self.inner_sizes) > MAX_INNER or self.alphabet > MAX_ALPHABET:
            raise ArtifactError(f"{where}: sizes that no configuration allows; build the stack again")

    def save(self, folder: Path) -> None:
        """Write `frozen.safetensors`."""
        write_tensors(folder / FILE, attrs.asdict(self), format="1")  # type: ignore[arg-type]

    @classmethod
    def load(cls, folder: Path, alphabet: int) -> Self:
        """Read and check what `save` wrote.

        Raises:
            ArtifactError: missing, damaged, or of another alphabet.
        """
        path = folder / FILE
        tensors = read_tensors(path)
        names = {field.name for field in attrs.fields(cls)}  # type: ignore[arg-type]
        if set(tensors) != names:
            raise ArtifactError(f"{path}: not a frozen {cls.name} (arrays {sorted(set(tensors) ^ names)} do not match)")
        # Kernels are compiled for aligned, writable, contiguous arrays.
        frozen = cls(**{name: np.require(found, requirements=("C", "A", "W")) for name, found in tensors.items()})
        frozen.check(str(path))
        if frozen.alphabet != alphabet:
            raise ArtifactError(f"{path}: frozen for {frozen.alphabet} symbols, wanted for {alphabet}")
        return frozen
