"""What this machine codes: one line of JSON for each thing that must be the same everywhere.

    python tests/other_machines/codes.py [NAME ...]

Of every golden stack: its file decoded, the file that it writes, the tokens of every level and the text back from them,
by the usual route, and by model and coder in step, in one lane and in eight. Of the stacks that ship with stackc: a
file written and read. `run.py` compares these lines with another machine's.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import stackc
from golden_stacks import DATA, FOLDER, USUAL_ZLIB, compressed
from stackc.coding.level import Level
from stackc.coding.routes import Stepped
from stackc.parts.abilities import codes_whole_windows
from stackc.stack.finding import builtin

GOLDEN = ("counting", "two", "recurrent", "zipped")
SHIPPED = ("general-1", "general-2", "general-3", "fast-1", "fast-2")


def main() -> None:
    chosen = sys.argv[1:] or [*GOLDEN, *SHIPPED]
    for name in chosen:
        began = time.process_time()
        for what, found in golden(name) if name in GOLDEN else shipped(name):
            line = {"stack": name, "what": what, "sha256": sha256(found), "seconds": time.process_time() - began}
            print(json.dumps(line), flush=True)
            began = time.process_time()


def golden(name: str) -> Iterator[tuple[str, bytes]]:
    """What a golden stack codes, or a ValueError that says what did not come back."""
    stack = stackc.Stack(FOLDER / name)
    kept = FOLDER.joinpath(f"{name}.stk").read_bytes()
    yield "golden file, decoded", same(decompressed(stack, kept), DATA, f"{name}.stk decoded")
    if name != "zipped" or USUAL_ZLIB:
        yield "file", same(compressed(stack), kept, f"{name}.stk written again")
    symbols, bounds = np.frombuffer(DATA, np.uint8), np.array([0, len(DATA)], np.int64)
    for level in stack.levels:
        routes = {"usual route": level}
        # The model of a compiled level is not kept; a coder of whole windows has no steps.
        if (level.dictionary is None or not level.spec.flags.needs_model) and not codes_whole_windows(level.spec.coder):
            routes |= {f"in step, {lanes} lanes": in_step(level, lanes) for lanes in (1, 8)}
        tokens: dict[str, bytes] = {}
        for how, one in routes.items():
            coded = one.encode(symbols, bounds)
            back = one.decode(coded.tokens, coded.offsets)
            same(
                back.symbols.astype(np.int64).tobytes(),
                symbols.astype(np.int64).tobytes(),
                f"{name} {level.name} {how}",
            )
            tokens[how] = coded.tokens.astype("<u4").tobytes()
            yield f"{level.name}, {how}", same(tokens[how], tokens["usual route"], f"{name} {level.name} {how}")
        symbols, bounds = coded.tokens, coded.offsets


def in_step(level: Level, lanes: int) -> Level:
    """The same level without its dictionary: model and coder run."""
    made = Level(level.spec.changed(lanes=lanes))
    assert isinstance(made.route, Stepped), f"{level.name} is not stepped"
    return made


def shipped(name: str) -> Iterator[tuple[str, bytes]]:
    """A file of a stack that ships with stackc, whose model learns while it codes."""
    found = builtin(name)
    assert found is not None, name
    stack = stackc.load(found)
    out = io.BytesIO()
    stack.compress(io.BytesIO(DATA), out, block_size=1 << 16, modified=0)
    yield "file", out.getvalue()
    yield "decoded", same(decompressed(stack, out.getvalue()), DATA, f"{name} decoded")


def decompressed(stack: stackc.Stack, data: bytes) -> bytes:
    out = io.BytesIO()
    stack.decompress(io.BytesIO(data), out)
    return out.getvalue()


def same(found: bytes, wanted: bytes, what: str) -> bytes:
    if found != wanted:
        raise ValueError(f"{what}: {len(found)} bytes that are not the {len(wanted)} expected")
    return found


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


if __name__ == "__main__":
    main()
