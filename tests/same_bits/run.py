"""The same bits by every route, each in a process of its own: python tests/same_bits/run.py STACK --text FILE

STACK is a folder that `stackc build` made, of transformers or recurrent networks at every level (recipes/smoke.toml,
recipes/gru.toml); FILE is a text, as it is or .xz. Text and tokens are repeated until there are enough. Where there is
a GPU it is one more way. Exits with 1 where a bit differs.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import attrs
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parents[1]))

from same_bits.routes import Route, matrix
from same_bits.rows import SEGMENT

ROUTES = Path(__file__).with_name("routes.py")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", type=Path)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--symbols", type=int, default=10_000_000, help="by scoring and in 64 and 1,024 lanes")
    parser.add_argument("--few", type=int, default=100_000, help="in fewer lanes")
    parser.add_argument("--twin", type=int, default=4_000, help="in plain integers")
    parser.add_argument("--level", action="append", help="only this level, or the top model")
    arguments = parser.parse_args()
    if any(count % SEGMENT for count in (arguments.symbols, arguments.few, arguments.twin)):
        parser.error(f"counts must be multiples of {SEGMENT}")
    differing = 0
    with tempfile.TemporaryDirectory(prefix="stackc-same-bits-") as folder:
        texts = write_texts(arguments.stack, arguments.text, Path(folder), arguments.symbols)
        for level, alphabet, text in texts:
            if arguments.level and level not in arguments.level:
                continue
            routes = matrix(arguments.symbols, arguments.few, arguments.twin, has_cuda())
            differing += compare(arguments.stack / level / "frozen", text, level, alphabet, routes)
    print(f"{differing} routes that differ" if differing else "zero differing bits")
    return 1 if differing else 0


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def write_texts(stack: Path, text: Path, folder: Path, symbols: int) -> list[tuple[str, int, Path]]:
    """What every model of the stack reads: (its name, its alphabet, a .npy file)."""
    import stackc

    opened = stackc.load(stack)
    data = lzma.decompress(text.read_bytes()) if text.suffix == ".xz" else text.read_bytes()
    read: npt.NDArray[np.integer] = np.frombuffer(data, np.uint8)
    names = [level.name for level in opened.levels]
    written = []
    for name, level in zip([*names, opened.recipe.top.name], [*opened.levels, None], strict=True):
        print(f"{name}: {len(read):,} symbols, repeated to {symbols:,}", flush=True)
        np.save(folder / f"{name}.npy", np.resize(read, symbols))
        written.append((name, level.alphabet if level else opened.recipe.top.alphabet, folder / f"{name}.npy"))
        if level:
            read = level.encode(read).tokens
    return written


def compare(frozen: Path, text: Path, level: str, alphabet: int, routes: list[Route]) -> int:
    """Run the routes one after another: how many differ from the first that ran as many symbols."""
    first: dict[int, str] = {}
    totals: dict[int, int] = defaultdict(int)
    differing = 0
    # Scoring of every length first: what the others are held against.
    lengths = sorted({route.symbols for route in routes} - {route.symbols for route in routes if route == routes[0]})
    for route in [*(attrs.evolve(routes[0], symbols=length) for length in lengths), *routes]:
        found, seconds = in_a_process(frozen, text, alphabet, route)
        same = first.setdefault(route.symbols, found) == found
        differing += not same
        totals[route.symbols] += 1
        verdict = "" if same else f"   DIFFERS from {first[route.symbols]}"
        print(f"{level}  {route.symbols:>12,}  {route.name:<44} {found}  {seconds:7.1f} s{verdict}", flush=True)
    print(f"{level}: " + ", ".join(f"{many} routes of {length:,} symbols" for length, many in totals.items()))
    return differing


def in_a_process(frozen: Path, text: Path, alphabet: int, route: Route) -> tuple[str, float]:
    """The route's number from a new process, and seconds of all of it."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stackc-cache-") as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache} if route.fresh else dict(os.environ)
        command = [sys.executable, str(ROUTES), str(frozen), str(text), str(alphabet), json.dumps(attrs.asdict(route))]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        assert not route.fresh or any(Path(cache).rglob("*.nbc")), "loops were compiled anew"
    return json.loads(done.stdout)["number"], time.monotonic() - begun


if __name__ == "__main__":
    sys.exit(main())
