"""The golden stacks and files of `tests/archive/golden`, and the one way to write them anew.

python tests/golden_stacks.py NAME [--force]: builds the stack of that name and keeps what it codes with, and the file
that it makes of `DATA`. Once released, a golden stack is never written anew: every version decodes it.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import stackc
from recipes_of_tests import TEXT, corpus, counting, recurrent, two_level, zipped
from stackc.stack.manifest import MANIFEST, coding_parts

FOLDER = Path(__file__).parent / "archive" / "golden"
DATA = (TEXT * 4).encode() + bytes(range(200))

USUAL_ZLIB = zlib.crc32(zlib.compress(TEXT.encode())) == 0xA695E296
"""Whether this zlib writes what the golden stacks' zlib wrote; zlib-ng and others write other streams, and all decode
each other's."""

RECIPES = {"counting": counting(), "two": two_level(steps=150), "recurrent": recurrent(steps=150), "zipped": zipped()}


def compressed(stack: stackc.Stack) -> bytes:
    """The file that a golden stack makes of `DATA`."""
    out = io.BytesIO()
    stack.compress(io.BytesIO(DATA), out, block_size=512, modified=1_700_000_000_000_000_000)
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--force", action="store_true", help="replace what is there: the bits of released files change")
    arguments = parser.parse_args()
    target = FOLDER / arguments.name
    if target.exists():
        if not arguments.force:
            sys.exit(f"{target}: is there already; --force replaces it")
        shutil.rmtree(target)
    with tempfile.TemporaryDirectory() as folder:
        corpus(Path(folder))
        (Path(folder) / "recipe.toml").write_text(RECIPES[arguments.name])
        stack = stackc.build(Path(folder) / "recipe.toml", Path(folder) / "stack")
        parts = {part: stack.manifest["parts"][part] for part in coding_parts(stack.manifest)}
        for part in parts:
            (target / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(stack.folder / part, target / part)
        manifest = {**stack.manifest, "parts": parts, "trained": {}}
        (target / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
    target.with_suffix(".stk").write_bytes(compressed(stackc.Stack(target)))


if __name__ == "__main__":
    main()
