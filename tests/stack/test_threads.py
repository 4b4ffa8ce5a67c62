"""A stack, its levels and its tokenizer in several threads at once give what one thread gets from them."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import stackc
from recipes_of_tests import TEXT
from stackc.coding.dictionary.threads import once
from stackc.coding.scoring import total_bits

GOLDEN = Path(__file__).parents[1] / "archive" / "golden"
"""Stacks of transformers and of recurrent networks, a level of each stepped and one compiled."""

THREADS = 4

PIECES = [(TEXT[i * 7 :] + TEXT * 2)[: 300 + 40 * i].encode() for i in range(8)]


@pytest.fixture(params=["two", "recurrent"])
def folder(request: pytest.FixtureRequest) -> Path:
    torch.set_num_threads(1)
    return GOLDEN / str(request.param)


def in_threads(work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    """What a function makes of every item, in threads that begin at one moment."""
    barrier = threading.Barrier(THREADS)

    def share(first: int) -> list[Any]:
        barrier.wait()
        return [work(item) for item in items[first::THREADS]]

    with ThreadPoolExecutor(THREADS) as pool:
        shares = list(pool.map(share, range(THREADS)))
    return [shares[i % THREADS][i // THREADS] for i in range(len(items))]


def compressed(stack: stackc.Stack, data: bytes) -> bytes:
    out = io.BytesIO()
    stack.compress(io.BytesIO(data), out, verify=False, modified=0)
    return out.getvalue()


def decompressed(stack: stackc.Stack, file: bytes) -> bytes:
    out = io.BytesIO()
    stack.decompress(io.BytesIO(file), out)
    return out.getvalue()


def stepped(stack: stackc.Stack, tokens: Any) -> Any:
    """What a top model answers in nine lanes: by matrix products."""
    state = stack.top.start(9)
    stack.top.step(state, np.full(9, -1))
    rows = [stack.top.step(state, np.roll(tokens[:9], i).astype(np.int64)).copy() for i in range(6)]
    return np.stack(rows).tobytes()


def scored(stack: stackc.Stack, tokens: Any) -> float:
    return total_bits(stack.top, tokens, np.array([0, len(tokens)]), 400)


def test_a_stack_is_shared_by_threads(folder: Path) -> None:
    alone = stackc.Stack(folder)
    tokens = [alone.encode(piece) for piece in PIECES]
    files = [compressed(alone, piece) for piece in PIECES]
    for work, items in (
        (lambda stack, piece: stack.encode(piece).tobytes(), PIECES),
        (lambda stack, some: stack.decode(some), tokens),
        (compressed, PIECES),
        (decompressed, files),
        (stepped, tokens),
        (scored, tokens),
        (lambda stack, piece: stack.generate(piece[:20], tokens=4, seed=len(piece)), PIECES),
    ):
        shared = stackc.Stack(folder)  # not used yet: whoever comes first opens its models
        assert in_threads(lambda item: work(shared, item), items) == [work(alone, item) for item in items]  # noqa: B023
    assert [alone.decode(some) for some in tokens] == PIECES


def test_a_tokenizer_is_shared_by_threads(folder: Path) -> None:
    from stackc.hf import StackTokenizer

    alone, shared = StackTokenizer.from_stack(folder), StackTokenizer.from_stack(folder)
    texts = [piece.decode() for piece in PIECES]
    ids = [alone(text)["input_ids"] for text in texts]
    assert in_threads(shared.decode, ids) == texts
    assert in_threads(lambda text: shared(text)["input_ids"], texts) == ids
    assert in_threads(lambda text: shared.tokenize(text), texts) == [alone.tokenize(text) for text in texts]


def test_what_is_opened_on_first_use_is_opened_once() -> None:
    class Holder:
        made = 0

        @once
        def value(self) -> int:
            seen = self.made
            threading.Event().wait(0.01)  # the others come meanwhile
            self.made = seen + 1
            return self.made

    holder = Holder()
    assert in_threads(lambda _: holder.value, list(range(THREADS))) == [1] * THREADS
    assert holder.made == 1
