"""Generation keeps its promise: the output starts with the prompt, at any depth and through any windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

from registered import coder, windowing
from stackc.api import CodingError, StackcError, Windowing
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.pipeline.compiling import compiled
from stackc.stack.generation.constraint import CodeRange, InCode
from stackc.stack.generation.generate import generate, prompt_tokens
from toys import ToyPredictor

SEGMENT = 40

STACKS: dict[str, list[tuple[Windowing, int]]] = {
    "one token a window": [(windowing("equal-info", bits=12), 12), (windowing("equal-info", bits=13), 13)],
    "several tokens a window": [(windowing("equal-info", bits=16), 4), (windowing("equal-info", bits=24), 8)],
    "long windows": [(windowing("equal-info", bits=64), 8), (windowing("equal-info", bits=12), 12)],
    "segment contexts": [
        (windowing("equal-info", bits=16, context="segment"), 8),
        (windowing("equal-info", bits=20, context="segment"), 10),
    ],
    "contexts of several windows": [
        (windowing("equal-info", bits=16, context_windows=2), 8),
        (windowing("equal-info", bits=20, context_windows=3), 10),
    ],
    "whole below": [(windowing("whole"), 8), (windowing("equal-info", bits=16), 16)],
    "fixed-token above": [(windowing("equal-info", bits=12), 6), (windowing("fixed-token", symbols=3), 8)],
    "fixed-token below": [(windowing("fixed-token", symbols=3), 8), (windowing("equal-info", bits=20), 10)],
    "three levels": [
        (windowing("equal-info", bits=10), 10),
        (windowing("equal-info", bits=12), 12),
        (windowing("equal-info", bits=14), 7),
    ],
    "budget of two symbols": [(windowing("equal-info", bits=16, symbols=2), 8), (windowing("equal-info", bits=12), 12)],
}  # fmt: skip


def levels_of(name: str) -> tuple[list[Level], ToyPredictor]:
    alphabet, made = 256, []
    for number, (window, token_bits) in enumerate(STACKS[name]):
        model = ToyPredictor(alphabet, order=1, seed=number, sharpness=1.5)
        level = Level(
            LevelSpec(
                name=f"M{number + 1}",
                alphabet=alphabet,
                segment=SEGMENT,
                windowing=window,
                **coder("arithmetic"),
                token_bits=token_bits,
                load_predictor=lambda model=model: model,
            )
        )
        if why_not_compiled(level.spec, level.spec.model) is None:
            level = Level(level.spec, compiled(level.spec))
        made.append(level)
        alphabet = level.token_alphabet
    return made, ToyPredictor(alphabet, order=1, seed=9)


PROMPTS = [b"", b"a", b"Hello, wor", bytes(range(39)), bytes(40), b"x" * 41, "naïve ☃".encode()[:-1], bytes(range(200))]


@pytest.mark.parametrize("name", STACKS)
def test_output_starts_with_the_prompt(name: str) -> None:
    levels, top = levels_of(name)
    for number, prompt in enumerate(PROMPTS):
        for temperature in (0.0, 1.0):
            out = generate(levels, top, SEGMENT, prompt, tokens=12, temperature=temperature, seed=number)
            assert out.startswith(prompt), (name, prompt, temperature)
            assert len(out) > len(prompt)


@pytest.mark.parametrize("window", [windowing("whole"), windowing("fixed-token", symbols=1500)])
@pytest.mark.parametrize("context", ["window", "segment"])
def test_a_long_open_window_is_walked_not_nested(window: Windowing, context: str) -> None:
    """A prompt longer than Python's recursion goes, all of it in one window."""
    model = ToyPredictor(256, order=1, seed=1)
    level = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=5000,
            windowing=attrs.evolve(window, restart=context),
            **coder("arithmetic"),
            token_bits=8,
            load_predictor=lambda: model,
        )
    )
    for length in (1400, 1500, 2900):
        prompt = bytes(np.random.default_rng(length).integers(97, 123, length).tolist())
        assert generate([level], ToyPredictor(256, order=1), 5000, prompt, tokens=3).startswith(prompt)


def test_every_allowed_token_keeps_the_prompt_and_no_other_does() -> None:
    """On one level with one token a window, exhaustively: the allowed tokens are those whose text keeps the tail."""
    levels, _ = levels_of("one token a window")
    level = levels[0]
    for prompt in (b"ab", b"zz9", b"hello"):
        written, constraint = prompt_tokens([level], prompt)
        assert constraint is not None
        kept = level.decode(np.array(written, np.int64)).symbols.astype(np.uint8).tobytes()
        tail = prompt[len(kept) :]
        allowed = {t for first, last, _ in constraint.options() for t in range(first, last + 1)}
        texts = {code: bytes(level.dictionary.text(code)) for code in range(1, 4096)}  # type: ignore[union-attr]
        assert allowed >= {code for code, text in texts.items() if text.startswith(tail)}
        assert all(texts[code].startswith(tail) or tail.startswith(texts[code]) for code in allowed)


def test_seeds_repeat_and_differ() -> None:
    levels, top = levels_of("one token a window")
    one, again, other = (generate(levels, top, SEGMENT, b"Hi", tokens=20, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_code_ranges_split_into_tokens() -> None:
    ranges = (CodeRange(0x0F, 0x31, 8, None), CodeRange(0x31, 0x32, 8, None), CodeRange(0x80, 0x90, 8, None))
    seen = []
    for first, last, after in InCode(ranges, 4).options():
        for token in range(first, last + 1):
            low = [(0, 15, None)] if after is None else after.options()
            seen += [token << 4 | value for a, b, _ in low for value in range(a, b + 1)]
    assert seen == [*range(0x0F, 0x32), *range(0x80, 0x90)]


def test_coders_that_decode_only_what_they_encoded_are_refused(tmp_path: Path) -> None:
    level = Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=SEGMENT,
            windowing=windowing("whole"),
            **coder("gzip"),
            token_bits=8,
        )
    )
    with pytest.raises(CodingError, match="M1: its coder decodes only tokens that it encoded"):
        generate([level], ToyPredictor(256), SEGMENT, b"a", tokens=1)


@pytest.mark.parametrize(
    "bad", [{"tokens": -1}, {"tokens": 1, "temperature": -0.5}, {"tokens": 1, "temperature": float("nan")}]
)
def test_impossible_numbers_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(StackcError, match="must be 0 or more"):
        generate([], ToyPredictor(256), SEGMENT, b"a", **bad)
