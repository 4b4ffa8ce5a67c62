"""A learner that holds a part of every weight on each rank, with its gradient and moments: torch's FSDP2.

Rows of each array are shared out in rank order. Around a layer's forward and its backward pass its rows are gathered
from all ranks and dropped again; each rank receives the summed gradients of its own rows.

FSDP2 and not our own partition: it gathers a layer while the one before is computed. Two ranks hold 8 bytes per
parameter each and not 16, but every step moves all weights; small networks are therefore replicated (`shard_from`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import torch
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from stackc.api import TrainingTask
from stackc_torch.frozen.rules import Array
from stackc_torch.training.architecture import Architecture, embedded, normed, trained_initial
from stackc_torch.training.learner import MOMENTS, is_matrix, optimiser, shrinking, take_step, taken
from stackc_torch.training.loss import HeadLoss
from stackc_torch.training.products import has_bfloat16
from stackc_torch.training.quantise import Factors, moved, rounded_weights
from stackc_torch.training.ranks import gathered_by_rank_0, summed
from stackc_torch.training.rows import Rows, Weights


class _Layer(torch.nn.Module):
    def __init__(self, architecture: Architecture, number: int, weights: Weights) -> None:
        super().__init__()
        self.architecture, self.number = architecture, number
        names = [name for name in weights if name.startswith(f"{number}.")]
        self.arrays = torch.nn.ParameterDict({name.split(".")[1]: weights[name] for name in names})

    def forward(self, x: Tensor, rows: Rows, scales: Any) -> Tensor:
        weights = {f"{self.number}.{name}": array for name, array in self.arrays.items()}
        return self.architecture.layer(weights, self.number, x, rows, scales)


class _Network(torch.nn.Module):
    """The network as a module of modules, one a layer: what `fully_shard` works on."""

    def __init__(self, architecture: Architecture, weights: Weights, z_loss: float) -> None:
        super().__init__()
        self.architecture, self.z_loss = architecture, z_loss
        numbers = range(architecture.config.layers)
        self.layers = torch.nn.ModuleList(_Layer(architecture, number, weights) for number in numbers)
        for name in self.outside(weights):
            setattr(self, name, torch.nn.Parameter(weights[name]))

    @staticmethod
    def outside(weights: Weights) -> list[str]:
        """The arrays of no layer: embedding and projection, and what byte-aware inputs have."""
        return [name for name in weights if "." not in name]

    def forward(self, rows: Rows, weight: float, scales: Any, bf16: bool) -> Tensor:
        """The nats of rows, each symbol weighing `weight` in the gradients; see `steps.AutogradStep`."""
        x = embedded(self.architecture, dict(self.named_parameters(recurse=False)), rows.inputs)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            for layer in self.layers:
                x = layer(x, rows, scales)
        y = normed(x, scales and scales.head_in).flatten(0, 1)
        y = y.to(torch.bfloat16) if bf16 else y
        nats: Tensor = HeadLoss.apply(y, self.head, rows.targets.reshape(-1), self.z_loss, weight)
        return nats


@attrs.frozen(kw_only=True, eq=False)
class _Part:
    """This rank's rows of one array.

    Attributes:
        shape: of the whole array.
        rows: which of its rows are here; none on the last ranks if there are few.
        parameter: as FSDP2 knows it: a DTensor.
        weights: its rows in floats, which the optimiser changes. The memory of `parameter`'s rows, until what is
            gathered are their rounded values.
    """

    shape: tuple[int, ...]
    rows: slice
    parameter: torch.nn.Parameter
    weights: torch.nn.Parameter

    @property
    def gathered(self) -> Tensor:
        """The rows that are gathered for a pass."""
        local: Tensor = self.parameter.detach().to_local()
        return local


class Sharded:
    """See `stackc_torch.training.learner.Learner`. Only for several ranks."""

    sharded = True

    def __init__(self, architecture: Architecture, task: TrainingTask, device: torch.device) -> None:
        self.architecture, self.settings, self.device = architecture, task.settings, device
        self.rank, self.ranks = task.rank, task.ranks
        self.bf16 = self.settings.precision == "bf16" and (device.type != "cpu" or has_bfloat16())
        initial = trained_initial(architecture, task.alphabet, task.seed)
        self._network = _Network(architecture, initial, self.settings.z_loss)
        self._shard()
        self._parts = {name: self._part(name, tuple(tensor.shape)) for name, tensor in initial.items()}
        matrices, rest = ([part.weights for part in group] for group in self._groups())
        self._optimiser = optimiser(matrices, rest, self.settings)
        self._scales: Any = None
        self._found: Factors = {}

    def _shard(self) -> None:
        mesh = init_device_mesh(self.device.type, (self.ranks,))
        # Layers travel in the precision that they multiply in. Embedding and projection stay in float32: what leaves
        # the one enters the stream, and the other's gradients are sums over the whole row.
        low = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32, cast_forward_inputs=False)
        for layer in self._network.layers:
            fully_shard(layer, mesh=mesh, mp_policy=low if self.bf16 else MixedPrecisionPolicy())
        fully_shard(self._network, mesh=mesh)
        for module in (*self._network.layers, self._network):
            assert isinstance(module, FSDPModule)
            # Sums, not means: each row's weight already counts the rows of all ranks.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)

    def _part(self, name: str, shape: tuple[int, ...]) -> _Part:
        owner, _, array = name.rpartition(".")
        parameter = self._network.layers[int(owner)].arrays[array] if owner else getattr(self._network, array)
        local = parameter.detach().to_local()
        share = -(-shape[0] // self.ranks)
        rows = slice(min(self.rank * share, shape[0]), min((self.rank + 1) * share, shape[0]))
        assert len(local) == rows.stop - rows.start, "FSDP2 shares rows out as torch.chunk does"
        return _Part(shape=shape, rows=rows, parameter=parameter, weights=torch.nn.Parameter(local))

    def _groups(self) -> list[list[_Part]]:
        """Matrices, which come first, and the rest."""
        return [[part for name, part in self._parts.items() if is_matrix(name) == kind] for kind in (True, False)]

    def whole(self) -> Weights:
        """See `Learner.whole`."""
        found = {name: self._gathered(part, part.weights.detach()) for name, part in self._parts.items()}
        return {} if self.rank else found

    def round_from_now(self, scales: Any) -> None:
        """From now on rounded copies of the rows are gathered; their gradients go to the float weights as they are."""
        self._scales = moved(scales, self.device)
        for name, (rows, columns) in self.architecture.factors(scales).items():
            part = self._parts[name]
            mine = rows[part.rows] if len(rows) > 1 else rows
            self._found[name] = mine.to(self.device), columns.to(self.device)
            part.weights.data = part.weights.data.clone()

    def gradients(self, parts: list[list[Rows]], symbols: int) -> Tensor:
        """See `Learner.gradients`. The blocks must be as many on every rank; see `Rows.idle`."""
        floats = {name: self._parts[name].weights.detach() for name in self._found}
        rounded_weights(floats, self._found, {name: self._parts[name].gathered for name in self._found})
        for part in self._parts.values():
            part.parameter.grad = None
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        for rows in (rows for blocks in parts for rows in blocks):
            weight = 0.0 if rows.idle else 1 / symbols
            nats = self._network(rows.to(self.device), weight, self._scales, self.bf16)
            nats.backward()
            total += 0.0 if rows.idle else nats.detach()
        for part in self._parts.values():
            assert part.parameter.grad is not None
            part.weights.grad = part.parameter.grad.to_local()
        return summed(total, self.ranks)

    def update(self, rate: float) -> Tensor | None:
        """See `Learner.update`."""
        gradients = [part.weights.grad for part in self._parts.values()]
        norm = None
        if self.settings.clip:
            squares = torch.stack([gradient.square().sum() for gradient in gradients]).sum()
            norm = summed(squares, self.ranks).sqrt()
            factor = shrinking(norm, self.settings.clip)
            for gradient in gradients:
                gradient.mul_(factor)
        take_step(self._optimiser, rate)
        return norm

    def state(self) -> dict[str, Array]:
        """See `Learner.state`. Gathered an array at a time, so that no rank but 0 holds more than one whole."""
        arrays = {"weights": self._flat([(part, part.weights.detach()) for part in self._parts.values()])}
        for number, group in enumerate(self._groups()):
            states = [self._optimiser.state[part.weights] for part in group]
            for name in MOMENTS:
                moments = [(part, state[name]) for part, state in zip(group, states, strict=True)]
                arrays[f"optimiser.{number}.{name}"] = self._flat(moments)
            arrays[f"optimiser.{number}.step"] = states[0]["step"].cpu().numpy()
        return arrays

    def _flat(self, tensors: list[tuple[_Part, Tensor]]) -> Array:
        """On rank 0 the whole arrays of which these are this rank's rows, end to end; nothing on the others."""
        return np.concatenate([self._gathered(part, rows).cpu().numpy().ravel() for part, rows in tensors])

    def _gathered(self, part: _Part, rows: Tensor) -> Tensor:
        """On rank 0 the whole array of which these are this rank's rows; no rows on the others."""
        share = torch.zeros(-(-part.shape[0] // self.ranks), *part.shape[1:], device=self.device)
        share[: len(rows)] = rows
        return torch.cat(gathered_by_rank_0(share, self.rank, self.ranks))[: part.shape[0]]

    def restore(self, arrays: dict[str, Array]) -> None:
        """See `Learner.restore`."""
        parts = list(self._parts.values())
        for part, rows in self._rows(arrays, "weights", parts):
            part.weights.data.copy_(rows)
        for number, group in enumerate(self._groups()):
            step = torch.from_numpy(np.array(arrays[f"optimiser.{number}.step"]))
            for part in group:
                self._optimiser.state[part.weights] = {"step": step.clone().to(self.device)}
            for name in MOMENTS:
                for part, rows in self._rows(arrays, f"optimiser.{number}.{name}", group):
                    self._optimiser.state[part.weights][name] = rows.to(self.device)

    def _rows(self, arrays: dict[str, Array], name: str, parts: list[_Part]) -> Iterator[tuple[_Part, Tensor]]:
        """This rank's rows of a flat array of a state."""
        flat = taken(arrays, name, sum(math.prod(part.shape) for part in parts))
        ends = np.cumsum([math.prod(part.shape) for part in parts])
        for part, whole in zip(parts, np.split(flat, ends[:-1]), strict=True):
            yield part, torch.from_numpy(np.array(whole.reshape(part.shape)[part.rows]))
