"""Toy models that code bit by bit: one in plain Python that learns, and one that is zlib, which is fast."""

from __future__ import annotations

import types
import zlib
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np

from stackc.api import ArtifactError, BitCoder, Cost, Device, Portability, TrainingTask
from stackc.api.files import read_tensors, write_tensors


@attrs.frozen(kw_only=True)
class ToyConfig:
    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=alphabet)


class Toy:
    """Counts decisions after the last symbol; primed with `seen` ones at every decision. It keeps all rules."""

    portability: Portability = "portable"

    def __init__(self, alphabet: int, seen: int = 3) -> None:
        self.alphabet, self.seen = alphabet, seen
        self.bits = max(1, (alphabet - 1).bit_length())
        self.state_bytes = 1 << 20

    def begin(self) -> Any:
        state = types.SimpleNamespace()
        self.restart(state)
        return state

    def restart(self, state: Any) -> None:
        state.counts, state.last = {}, 0

    def p(self, state: Any, node: int) -> int:
        zeros, ones = state.counts.get((state.last, node), (1, self.seen))
        return min(max(65536 * ones // (zeros + ones), 1), 65535)

    def learn(self, state: Any, node: int, bit: int) -> None:
        zeros, ones = state.counts.get((state.last, node), (1, self.seen))
        state.counts[state.last, node] = (zeros, ones + 1) if bit else (zeros + 1, ones)

    def symbol(self, state: Any, coder: BitCoder, symbol: int) -> int:
        node = 1
        for shift in range(self.bits - 1, -1, -1):
            bit = coder.code(self.p(state, node), symbol >> shift & 1)
            self.learn(state, node, bit)
            node = 2 * node + bit
        state.last = node - (1 << self.bits)
        return int(state.last)

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        self.restart(state)
        coder = BitCoder()
        for symbol in symbols.tolist():
            self.symbol(state, coder, symbol)
        payload = coder.finish()
        if len(payload) > len(out):
            return -1
        out[: len(payload)] = np.frombuffer(payload, np.uint8)
        return len(payload)

    def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
        self.restart(state)
        coder = BitCoder(payload.tobytes())
        for i in range(len(symbols)):
            symbols[i] = self.symbol(state, coder, 0)

    def tree(self, state: Any, out: Any) -> None:
        for node in range(1, 1 << self.bits):
            out[node] = self.p(state, node)

    def advance(self, state: Any, symbol: int) -> None:
        self.symbol(state, BitCoder(), symbol)


class Packed(Toy):
    """zlib as a model of bytes: for tests of what is around the model. Its rows say nothing."""

    def __init__(self) -> None:
        super().__init__(256)
        self.begun = 0

    def begin(self) -> Any:
        self.begun += 1
        return super().begin()

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        payload = zlib.compress(symbols.tobytes(), 1)
        if len(payload) > len(out):
            return -1
        out[: len(payload)] = np.frombuffer(payload, np.uint8)
        return len(payload)

    def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
        try:
            found = zlib.decompressobj().decompress(payload.tobytes(), len(symbols))
        except zlib.error:
            found = b""
        symbols[:] = 0
        symbols[: len(found)] = np.frombuffer(found, np.uint8)


class ToyBackend:
    """Its training counts nothing but one number, which is stored."""

    model: type[Toy] = Toy

    def train(self, task: TrainingTask) -> None:
        task.progress.update(1, 1)
        write_tensors(task.folder / "toy.safetensors", {"seen": np.array([3])})

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        write_tensors(folder / "toy.safetensors", read_tensors(trained / "toy.safetensors"))

    def load(self, folder: Path, alphabet: int, device: Device) -> Toy:
        seen = read_tensors(folder / "toy.safetensors").get("seen")
        if seen is None or seen.shape != (1,):
            raise ArtifactError(f"{folder}: no toy")
        return self.model(alphabet, int(seen[0]))
