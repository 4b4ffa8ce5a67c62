"""The frozen network in torch operations on any device: the route for CUDA, tested on CPU against the others.

The same bits as `twin`: float32 matrix products of integers below 2^24 (TF32 off), everything else in int64, or
in float64 where all is below 2^53. B rows advance together, T positions each; A alphabet, C context.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stackc.api import IDLE, RESTART, CodingError, Frequencies, Portability, Symbols
from stackc_torch import integers as I
from stackc_torch.cpu import pass_inputs
from stackc_torch.exact import ELEMENTS, added, answers, norm, product, rshift
from stackc_torch.gemm import FLOAT_INNER
from stackc_torch.integers import Frozen
from stackc_torch.numerics import exact_products

PASS = 1024
"""Positions of a scoring pass."""

LANES = 4096
"""Lanes that step together; more are taken in turn."""

VALUE_KEYS = FLOAT_INNER
"""Keys summed at once: exact in float32."""

HIDDEN_SCORE = -(1 << 30)


@attrs.define(kw_only=True)
class DeviceState:
    """Lanes in the middle of their texts: see `cpu.State`; kv is int8[L, slots, 2HD] a layer, on the device."""

    positions: npt.NDArray[np.int64]
    kv: list[Tensor]


class DevicePredictor:
    """A `stackc.api.Predictor` over a frozen network, on a torch device."""

    portability: Portability = "portable"

    def __init__(self, frozen: Frozen, device: torch.device) -> None:
        self.frozen = frozen
        self.alphabet = frozen.alphabet
        self.device = device
        self._w = {name: torch.from_numpy(array).to(device) for name, array in attrs.asdict(frozen).items()}
        for name in ("qkv_shift", "out_shift", "gate_up_shift", "down_shift", "head_shift", "exponential", "bias"):
            self._w[name] = self._w[name].to(torch.int64)
        table = rshift(self._w["exponential"], I.WEIGHT_SHIFT).clamp(max=I.WEIGHT_TOP)
        # w = 128 h + l: both halves are operands of float32 products.
        self._high, self._low = (table >> 7).float(), (table & 127).float()
        self._weight = table
        limit = (I.EXPONENTIAL_TOP << I.SCORE_SHIFT) // self._w["score"].to(torch.int64) + 1
        self._limit = limit[:, :, None, None]
        self._score = self._w["score"].to(torch.int64)[:, :, None, None]

    def start(self, lanes: int) -> DeviceState:
        """A state of `lanes` lanes; the first step must restart each."""
        return self._state(np.full(lanes, -1, np.int64), min(16, self.frozen.context))

    def step(self, state: DeviceState, symbols: npt.NDArray[np.int64]) -> Frequencies:
        """See `stackc.api.Predictor.step`."""
        answer = np.zeros((len(symbols), self.alphabet), np.uint32)
        active = np.flatnonzero(symbols != IDLE)
        for start in range(0, len(active), LANES):
            lanes = active[start : start + LANES]
            answer[lanes] = self._step(state, lanes, np.asarray(symbols)[lanes])
        return answer

    def take(self, state: DeviceState, lanes: npt.NDArray[np.int64]) -> DeviceState:
        """A new state whose lane i is a copy of lane lanes[i]."""
        chosen = torch.from_numpy(np.asarray(lanes, np.int64)).to(self.device)
        return DeviceState(positions=state.positions[lanes].copy(), kv=[layer[chosen] for layer in state.kv])

    @torch.no_grad()
    def score(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> Iterator[Frequencies]:
        """See `stackc.api.Predictor`; the last C - 1 keys and values are carried from pass to pass."""
        frozen = self.frozen
        if len(segment) and not 0 <= int(segment.min()) <= int(segment.max()) < self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        size = max(16, min(PASS, ELEMENTS // (frozen.heads * (frozen.context + PASS))))
        past = [torch.empty((1, 0, 2 * frozen.inner), dtype=torch.int8, device=self.device)] * frozen.layers
        restart = 0
        for start in range(0, len(segment), size):
            inputs, starts = pass_inputs(
                segment, restarts, start, min(start + size, len(segment)), self.alphabet, restart
            )
            restart = int(starts[-1])
            queries = torch.arange(start, start + len(inputs), device=self.device)
            keys = torch.arange(start - past[0].shape[1], start + len(inputs), device=self.device)
            first = torch.from_numpy(starts).to(self.device)

            def mix(
                layer: int, qkv: Tensor, queries: Tensor = queries, keys: Tensor = keys, first: Tensor = first
            ) -> Tensor:
                kv = torch.cat([past[layer], qkv[None, :, frozen.inner :]], 1)
                past[layer] = kv[:, max(0, kv.shape[1] - frozen.context + 1) :]
                distance = queries[:, None] - keys[None, :]
                seen = (distance >= 0) & (distance < frozen.context) & (keys >= first[:, None])
                return self._attend(layer, qkv[None, :, : frozen.inner], kv, distance[None], seen[None])[0]

            with exact_products():
                yield from self._rows(self._body(torch.from_numpy(inputs).to(self.device), mix))

    @torch.no_grad()
    def _step(self, state: DeviceState, lanes: npt.NDArray[np.int64], symbols: npt.NDArray[np.int64]) -> Frequencies:
        """Advance the given lanes by one symbol each."""
        frozen = self.frozen
        positions = self._advance(state, lanes, symbols)
        slots = state.kv[0].shape[1]
        rows = torch.from_numpy(lanes).to(self.device)
        at = torch.from_numpy(positions).to(self.device)
        # Slot s of a ring holds the last position that is s modulo the slots and not ahead of the lane's own.
        distance = (at[:, None] - torch.arange(slots, device=self.device)) % slots
        seen = distance <= at[:, None]

        def mix(layer: int, qkv: Tensor) -> Tensor:
            state.kv[layer][rows, at % slots] = qkv[:, frozen.inner :]
            kv = state.kv[layer][rows]
            return self._attend(layer, qkv[:, None, : frozen.inner], kv, distance[:, None], seen[:, None])[:, 0]

        inputs = np.where(symbols == RESTART, self.alphabet, symbols)
        with exact_products():
            y = self._body(torch.from_numpy(inputs).to(self.device), mix)
            return np.concatenate(list(self._rows(y)))

    def _advance(
        self, state: DeviceState, lanes: npt.NDArray[np.int64], symbols: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Move lanes on by one position, making room where needed; their positions."""
        if int(symbols.min()) < RESTART or int(symbols.max()) >= self.alphabet:
            raise CodingError(f"a symbol outside the alphabet of {self.alphabet}")
        positions = np.where(symbols == RESTART, 0, state.positions[lanes] + 1)
        if (positions + (symbols == RESTART) < 1).any():
            raise CodingError("a lane was stepped before it was restarted")
        state.positions[lanes] = positions
        slots, needed = state.kv[0].shape[1], int(positions.max()) + 1
        if needed > slots < self.frozen.context:
            more = min(max(needed, 2 * slots), self.frozen.context) - slots
            state.kv = [torch.nn.functional.pad(layer, (0, 0, 0, more)) for layer in state.kv]
        return positions

    def _state(self, positions: npt.NDArray[np.int64], slots: int) -> DeviceState:
        shape = (len(positions), slots, 2 * self.frozen.inner)
        layers = range(self.frozen.layers)
        return DeviceState(
            positions=positions, kv=[torch.zeros(shape, dtype=torch.int8, device=self.device) for _ in layers]
        )

    def _body(self, inputs: Tensor, mix) -> Tensor:  # type: ignore[no-untyped-def]
        """int8[n, d] before the projection to symbols; mix(layer, qkv int8[n, 3HD]) -> int8[n, HD] is attention."""
        w = self._w
        x = w["embed"][inputs].to(torch.int64)
        for layer in range(self.frozen.layers):
            y = norm(x, int(self.frozen.norms[2 * layer]))
            qkv = rshift(product(y, w["qkv"][layer]), w["qkv_shift"][layer]).clamp(-I.TOP, I.TOP).to(torch.int8)
            x = added(x, product(mix(layer, qkv), w["out"][layer]), w["out_shift"][layer])
            y = norm(x, int(self.frozen.norms[2 * layer + 1]))
            both = rshift(product(y, w["gate_up"][layer]), w["gate_up_shift"][layer])
            gate, up = both.clamp(-I.GATE_TOP, I.GATE_TOP).chunk(2, -1)
            hidden = rshift(gate.clamp(min=0) * up, I.PRODUCT_SHIFT).clamp(-I.TOP, I.TOP).to(torch.int8)
            x = added(x, product(hidden, w["down"][layer]), w["down_shift"][layer])
        return norm(x, int(self.frozen.norms[-1]))

    def _attend(self, layer: int, q: Tensor, kv: Tensor, distance: Tensor, seen: Tensor) -> Tensor:
        """q int8[B, T, HD] over kv int8[B, S, 2HD]: int8[B, T, HD].

        Args:
            distance: int64[1 or B, T, S], how far back each key lies (any number where not seen).
            seen: bool of the same shape.
        """
        heads, size, context = self.frozen.heads, self.frozen.head_size, self.frozen.context
        q = q.unflatten(-1, (heads, size)).transpose(1, 2).float()
        k, v = kv.unflatten(-1, (2, heads, size)).permute(2, 0, 3, 1, 4).float()
        bias = self._w["bias"][layer][:, distance.clamp(0, context - 1)].transpose(0, 1)
        scores = ((q @ k.transpose(2, 3)).long() + bias).masked_fill_(~seen[:, None], HIDDEN_SCORE)
        difference = torch.minimum(scores.amax(-1, keepdim=True) - scores, self._limit[layer])
        index = rshift(difference * self._score[layer], I.SCORE_SHIFT).clamp_(max=I.EXPONENTIAL_TOP)
        # A key that is not seen must weigh nothing even where every difference is small.
        index.masked_fill_(~seen[:, None], I.EXPONENTIAL_TOP)
        total = self._weight[index].sum(-1, keepdim=True)
        high, low = self._high[index], self._low[index]
        sums = torch.zeros_like(q, dtype=torch.int64)
        for start in range(0, v.shape[2], VALUE_KEYS):
            part = slice(start, start + VALUE_KEYS)
            sums += ((high[..., part] @ v[:, :, part]).long() << 7) + (low[..., part] @ v[:, :, part]).long()
        mixed = torch.div(2 * sums + total, 2 * total, rounding_mode="floor")
        return mixed.to(torch.int8).transpose(1, 2).flatten(2)

    def _rows(self, y: Tensor) -> Iterator[Frequencies]:
        """Frequencies uint32[m, A] for y[n, d], in blocks."""
        return answers(y, self._w["head"], self._w["head_shift"], self._w["exponential"])
