"""A file by the stacks that ship with stackc: the same bytes on one thread and two, in new processes, by fresh kernels.

    python tests/same_bits/built_in.py FILE [--stack NAME ...] [--bytes N]

Each route is a process of its own, which compresses the file and restores what the route before has written. Exits with
1 if any byte differs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import attrs

STACKS = ("general-1", "general-2", "general-3", "fast-1", "fast-2")


def one_route(name: str, source: Path, size: int, threads: int, written: Path) -> str:
    """The SHA-256 of the compressed file, which is written to `written`; what is there is restored first."""
    from stackc.stack.finding import builtin
    from stackc.stack.stack import Stack

    folder = builtin(name)
    assert folder is not None, f"no stack named {name} is built in"
    stack = Stack(folder)
    stack.runtime = attrs.evolve(stack.runtime, threads=threads)  # before the model is opened
    with source.open("rb") as file:
        data = file.read(size)
    if written.exists():
        back = io.BytesIO()
        stack.decompress(io.BytesIO(written.read_bytes()), back)
        assert back.getvalue() == data, "the file did not come back"
    out = io.BytesIO()
    stack.compress(io.BytesIO(data), out, verify=False)
    written.write_bytes(out.getvalue())
    return hashlib.sha256(out.getvalue()).hexdigest()


def compare(name: str, source: Path, size: int) -> bool:
    """Whether all routes of a stack give the same file; prints a line for each."""
    found = set()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        routes = {"one thread": (1, {}), "two threads": (2, {}), "one thread, again": (1, {})}
        routes["two threads, kernels compiled anew"] = 2, {"NUMBA_CACHE_DIR": str(folder / "kernels")}
        for route, (threads, environment) in routes.items():
            done = subprocess.run(
                [sys.executable, __file__, "--route", name, str(source), str(size), str(threads), str(folder / "file")],
                capture_output=True, text=True, check=False, env=os.environ | environment,
            )  # fmt: skip
            if done.returncode:
                print(f"{name}, {route}: FAILED\n{done.stderr}", flush=True)
                return False
            found.add(done.stdout)
            print(f"{name}, {route}: {done.stdout.strip()}", flush=True)
    return len(found) == 1


def main() -> int:
    if sys.argv[1:2] == ["--route"]:
        name, source, size, threads, written = sys.argv[2:]
        print(one_route(name, Path(source), int(size), int(threads), Path(written)))
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--stack", nargs="+", default=STACKS)
    parser.add_argument("--bytes", type=int, default=10_000_000, dest="size")
    given = parser.parse_args()
    same = [compare(name, given.file, given.size) for name in given.stack]
    print("the same bytes by every route" if all(same) else "DIFFERENT BYTES")
    return 0 if all(same) else 1


if __name__ == "__main__":
    raise SystemExit(main())
