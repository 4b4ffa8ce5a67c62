"""The matrix products of training on CPU, forward and backward, in float32 or in bfloat16.

N positions; a weight is [R, K], as `Transformer.shapes` has it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stackc_torch.training.rows import Weights


class Workspace:
    """Buffers by name, kept from step to step: fresh memory costs a page fault for every 4 KB."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._dtype = dtype
        self._held: dict[str, Tensor] = {}

    def get(self, name: str, *shape: int) -> Tensor:
        """An uninitialised tensor that lives until the name is asked for again."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < size:
            held = self._held[name] = torch.empty(size, dtype=self._dtype)
        return held[:size].view(shape)


class Float32Products:
    """Products in float32; the caller keeps the inputs."""

    def __init__(self, weights: Weights, grads: Weights) -> None:
        self.weights = weights
        self.grads = grads

    def begin(self) -> None:
        """A step begins: the weights have changed."""

    def keep(self, name: str, x: Tensor) -> None:
        """Note the input of a product that was made elsewhere, for `backward`."""

    def forward(self, name: str, x: Tensor, out: Tensor, base: Tensor | None = None) -> Tensor:
        """out[N, R] = x[N, K] times the weight transposed, plus base."""
        if base is None:
            return torch.mm(x, self.weights[name].T, out=out)
        return torch.addmm(base, x, self.weights[name].T, out=out)

    def backward(self, name: str, d_out: Tensor, x: Tensor, d_x: Tensor) -> Tensor:
        """Add the weight's gradient; d_x[N, K] = the input's. `d_x` may be `x` itself."""
        self.grads[name].addmm_(d_out.T, x)
        return torch.mm(d_out, self.weights[name], out=d_x)


class Bfloat16Products(Float32Products):
    """Operands rounded to bfloat16, sums in float32 inside a product: about twice as fast where the CPU has it.

    Inputs are kept here, rounded, between forward and backward.
    """

    def __init__(self, weights: Weights, grads: Weights) -> None:
        super().__init__(weights, grads)
        self._space = Workspace(torch.bfloat16)
        self._rounded: Weights = {}

    def begin(self) -> None:
        self._rounded = {}

    def keep(self, name: str, x: Tensor) -> None:
        self._space.get(name, *x.shape).copy_(x)

    def forward(self, name: str, x: Tensor, out: Tensor, base: Tensor | None = None) -> Tensor:
        product = torch.mm(self._space.get(name, *x.shape).copy_(x), self._weight(name).T)
        return out.copy_(product) if base is None else torch.add(base, product, out=out)

    def backward(self, name: str, d_out: Tensor, x: Tensor, d_x: Tensor) -> Tensor:
        rounded = self._space.get("d_out", *d_out.shape).copy_(d_out)
        self.grads[name].add_(torch.mm(rounded.T, self._space.get(name, *x.shape)))
        return d_x.copy_(torch.mm(rounded, self._weight(name)))

    def _weight(self, name: str) -> Tensor:
        """A weight in bfloat16, rounded once a step."""
        if name not in self._rounded:
            self._rounded[name] = self.weights[name].to(torch.bfloat16)
        return self._rounded[name]


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 matrices in hardware; in software they are slower than float32."""
    supported = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return torch.backends.mkldnn.is_available() and any(check is not None and check() for check in supported)
