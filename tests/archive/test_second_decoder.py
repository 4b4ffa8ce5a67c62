"""The documents suffice to decode a file: `second_decoder` was written from them."""

from __future__ import annotations

import ast
import io
from collections.abc import Callable
from pathlib import Path

from archive import second_decoder
from golden_stacks import DATA
from golden_stacks import FOLDER as GOLDEN
from recipes_of_tests import TEXT
from stackc import Stack

SOURCE = Path(second_decoder.__file__)


def test_it_is_short_and_knows_nothing_of_stackc() -> None:
    text = SOURCE.read_text()
    assert len(text.splitlines()) < 200
    modules = {
        name
        for node in ast.walk(ast.parse(text))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [str(node.module)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert modules == {"__future__", "hashlib", "json", "struct", "bisect", "itertools", "pathlib"}


def test_it_decodes_the_golden_file() -> None:
    stack = second_decoder.folder(GOLDEN / "counting")
    assert stack.sha256() == Stack(GOLDEN / "counting").sha256
    assert second_decoder.original((GOLDEN / "counting.stk").read_bytes(), stack) == DATA


def test_it_decodes_other_files_and_those_that_carry_their_stack(stack: Callable[[str], Stack]) -> None:
    """Through two levels, in blocks of several sizes, some of them longer than a segment at the top."""
    data = (TEXT * 9).encode()[:3000] + bytes(range(256))
    for name, block_size, size, carried in (
        ("counting", 4000, 3256, True), ("counting", 700, 1500, False), ("twice", 700, 1500, True),
        ("twice", 1, 20, False),
    ):  # fmt: skip
        opened, out = stack(name), io.BytesIO()
        embedded = opened.embeddable() if carried else None
        opened.compress(io.BytesIO(data[:size]), out, block_size=block_size, embedded=embedded)
        given = None if carried else second_decoder.folder(opened.folder)
        assert second_decoder.original(out.getvalue(), given) == data[:size]
