"""The ways to one model's frequencies that must give the same bits."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from same_bits.rows import scored, stepped


@attrs.frozen
class Route:
    """One way.

    Attributes:
        products: "fastest" (exact product of this machine), "int8" (where that is exact), "float32", "device" (torch
            operations, the way of CUDA, here on the CPU), "cuda" (the same on a GPU), "kernels" (those of compiled
            loops) or "twin" (plain Python integers).
        lanes: side by side when stepping; 0 for scoring.
        threads: of torch.
        symbols: of the text.
        fresh: compile every loop anew, into an empty cache.
    """

    products: str
    lanes: int
    threads: int
    symbols: int
    fresh: bool = False

    @property
    def name(self) -> str:
        how = f"{self.lanes} lanes" if self.lanes else "scoring"
        return f"{self.products}, {how}, {self.threads} thread{'s' * (self.threads > 1)}{', fresh cache' * self.fresh}"


def matrix(long: int, few: int, twin: int, cuda: bool = False) -> list[Route]:
    """All of them: `long` symbols by scoring and in many lanes, `few` in fewer, `twin` in plain integers."""
    gpu = [*(Route("cuda", lanes, 1, long) for lanes in (0, 64, 1024)), *(Route("cuda", n, 1, few) for n in (1, 2, 7))]
    return [
        Route("fastest", 0, 1, long),
        Route("fastest", 64, 1, long),
        Route("fastest", 1024, 1, long),
        *(Route("fastest", lanes, 1, few) for lanes in (1, 2, 7)),
        *(Route("fastest", lanes, 2, few) for lanes in (0, 1, 2, 7, 64, 1024)),
        *(Route("int8", lanes, 1, few) for lanes in (0, 64)),
        *(Route("float32", lanes, threads, few) for lanes in (0, 7, 64, 1024) for threads in (1, 2)),
        Route("device", 0, 1, few),
        Route("device", 64, 1, few),
        Route("fastest", 0, 1, few, fresh=True),
        Route("fastest", 2, 1, few, fresh=True),
        Route("fastest", 64, 1, few, fresh=True),
        *(Route("kernels", lanes, 1, few) for lanes in (1, 2, 7)),
        Route("kernels", 2, 1, few, fresh=True),
        Route("twin", 1, 1, twin),
        *(gpu if cuda else []),
    ]


def number(frozen: Any, text: npt.NDArray[np.integer], route: Route) -> int:
    """What the route makes of the first symbols of the text, in this process."""
    from stackc.api import Device
    from stackc_torch.frozen import numerics

    numerics.use_threads(Device(name="cpu", threads=route.threads))
    predictor = _makers(frozen)[route.products](frozen)
    part = text[: route.symbols]
    return stepped(predictor, part, route.lanes) if route.lanes else scored(predictor, part)


def opened(folder: Path, alphabet: int) -> Any:
    """The frozen network in a folder, a transformer or a recurrent one."""
    from stackc.api import read_tensors
    from stackc_torch.gru.arrays import FrozenGru
    from stackc_torch.transformer.arrays import Frozen

    recurrent = "recall" in read_tensors(folder / "frozen.safetensors")
    return (FrozenGru if recurrent else Frozen).load(folder, alphabet)


def _makers(frozen: Any) -> dict[str, Callable[[Any], Any]]:
    import torch

    from stackc_torch.frozen.gemm import float_product
    from stackc_torch.frozen.golden import ByKernels
    from stackc_torch.frozen.predictor import FrozenPredictor
    from stackc_torch.gru.arrays import FrozenGru

    if isinstance(frozen, FrozenGru):
        from stackc_torch.gru.cpu import CpuArithmetic as OnCpu
        from stackc_torch.gru.device import DeviceArithmetic as OnDevice
        from stackc_torch.gru.twin import GruTwin as Twin
    else:
        from stackc_torch.transformer.cpu import CpuArithmetic as OnCpu  # type: ignore[assignment]
        from stackc_torch.transformer.device import DeviceArithmetic as OnDevice  # type: ignore[assignment]
        from stackc_torch.transformer.twin import Twin  # type: ignore[assignment]
    return {
        "fastest": lambda one: FrozenPredictor(OnCpu(one)),
        "int8": lambda one: FrozenPredictor(OnCpu(one, _in_int8)),
        "float32": lambda one: FrozenPredictor(OnCpu(one, float_product)),
        "kernels": lambda one: ByKernels(OnCpu(one)),
        "device": lambda one: FrozenPredictor(OnDevice(one, torch.device("cpu"))),
        "cuda": lambda one: FrozenPredictor(OnDevice(one, torch.device("cuda"))),
        "twin": Twin,
    }


def _in_int8(weights: Any) -> Any:
    """Products in int8, whether or not that is fast here."""
    from stackc_torch.frozen.gemm import float_product, int8_is_exact, int8_product

    return int8_product(weights) if int8_is_exact(*weights.shape) else float_product(weights)


def main() -> None:
    """One route in this process: prints its number and seconds as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("frozen", type=Path, help="the folder of a frozen network")
    parser.add_argument("text", type=Path, help="its symbols, .npy")
    parser.add_argument("alphabet", type=int)
    parser.add_argument("route", type=json.loads)
    arguments = parser.parse_args()
    frozen = opened(arguments.frozen, arguments.alphabet)
    begun = time.monotonic()
    found = number(frozen, np.load(arguments.text, mmap_mode="r"), Route(**arguments.route))
    print(json.dumps({"number": f"{found:016x}", "seconds": round(time.monotonic() - begun, 1)}))


if __name__ == "__main__":
    main()
