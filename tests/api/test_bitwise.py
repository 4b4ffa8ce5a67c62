"""The binary arithmetic coder: compiled it is its twin, any bytes decode, and nothing is out of bounds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stackc.api import CODER_STATE, BitCoder, code_bit, finish_coder, kernel, start_coder

GUARD = 64
"""Bytes behind a buffer that must not change."""

GOLDEN = [
    ([], ""),
    ([(32768, 1)], ""),
    ([(32768, 0)], "81"),
    ([(1, 1)] * 3, ""),
    ([(1, 0)] * 3, "01"),
    ([(65535, 0)] * 3, "ffffffffffff"),
    ([(32768, bit) for bit in (1, 0, 1, 1, 0, 0, 1, 0, 1)], "4d"),
    ([(1000 * i + 1, i % 3 % 2) for i in range(65)], "00568ce63a27ed2e270617"),
    ([(65535, i % 2) for i in range(20)], "fffffffefffeffffffff0001fffefffeffffffff"),
    ([(1, i % 2) for i in range(20)], "0001000100000000ffff0001000100000000ffff"),
]
"""(decisions, payload in hexadecimal): the bits of bitwise models rest on them."""


@kernel
def run(ps: Any, bits: Any, buffer: Any, size: int, decoding: bool) -> int:
    """Code decisions whose probabilities are known, and give the bytes; -1 if they do not fit."""
    coder = np.zeros(CODER_STATE, np.int64)
    start_coder(coder, buffer, size, decoding)
    for i in range(len(ps)):
        bits[i] = code_bit(coder, buffer, ps[i], bits[i])
    return size if decoding else finish_coder(coder, buffer)


def encoded(decisions: list[tuple[int, int]], room: int | None = None) -> bytes | None:
    """The payload from the compiled coder, which must leave what lies behind its buffer alone."""
    size = 2 * len(decisions) + 4 if room is None else room
    memory = np.full(size + GUARD, 170, np.uint8)
    ps, bits = (np.array([one[i] for one in decisions], kind) for i, kind in enumerate((np.uint16, np.uint8)))
    count = run(ps, bits.copy(), memory[:size], size, False)
    assert (memory[size:] == 170).all()
    return None if count < 0 else memory[:count].tobytes()


def decoded(payload: bytes, ps: list[int]) -> list[int]:
    bits = np.zeros(len(ps), np.uint8)
    run(np.array(ps, np.uint16), bits, np.frombuffer(payload, np.uint8).copy(), len(payload), True)
    return [int(bit) for bit in bits]


def twin_payload(decisions: list[tuple[int, int]]) -> bytes:
    twin = BitCoder()
    assert [twin.code(*one) for one in decisions] == [bit for _, bit in decisions]
    return twin.finish()


def twin_bits(payload: bytes, ps: list[int]) -> list[int]:
    twin = BitCoder(payload)
    return [twin.code(p) for p in ps]


def sample(rng: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Decisions of one of several kinds: even, nearly certain and right, nearly certain and wrong, mixed."""
    kind = rng.integers(5)
    if kind == 0:
        ps = rng.integers(1, 65536, count)
    elif kind == 1:
        ps = np.full(count, 32768)
    else:
        ps = rng.choice([1, 2, 65534, 65535, 30000], count)
    bits = rng.random(count) * 65536 < ps
    if kind == 4:
        bits = ~bits
    return list(zip(ps.tolist(), bits.astype(int).tolist(), strict=True))


@pytest.mark.parametrize(("decisions", "payload"), GOLDEN, ids=range(len(GOLDEN)))
def test_payloads_are_those_written_down(decisions: list[tuple[int, int]], payload: str) -> None:
    assert twin_payload(decisions).hex() == payload
    found = encoded(decisions)
    assert found is not None
    assert found.hex() == payload
    assert decoded(found, [p for p, _ in decisions]) == [bit for _, bit in decisions]


@pytest.mark.parametrize("seed", range(200))
def test_the_compiled_coder_is_its_twin_both_ways(seed: int) -> None:
    rng = np.random.default_rng(seed)
    decisions = sample(rng, int(rng.integers(0, 400)))
    ps, bits = [p for p, _ in decisions], [bit for _, bit in decisions]
    payload = encoded(decisions)
    assert payload is not None
    assert payload == twin_payload(decisions)
    assert decoded(payload, ps) == twin_bits(payload, ps) == bits
    assert decoded(payload + bytes(3), ps) == bits, "zeros follow a payload, written or not"
    assert not payload.endswith(b"\0")


@pytest.mark.parametrize("seed", range(100))
def test_any_bytes_decode_to_what_the_twin_says(seed: int) -> None:
    rng = np.random.default_rng([1, seed])
    ps = [p for p, _ in sample(rng, 300)]
    payload = rng.integers(0, 256, int(rng.integers(0, 40))).astype(np.uint8).tobytes()
    payload = [payload, bytes(len(payload)), b"\xff" * len(payload)][seed % 3]
    bits = decoded(payload, ps)
    assert bits == twin_bits(payload, ps)
    again = encoded(list(zip(ps, bits, strict=True)))
    assert again is not None
    assert decoded(again, ps) == bits


@pytest.mark.parametrize("seed", range(60))
def test_a_buffer_that_is_too_small_is_said_and_not_passed(seed: int) -> None:
    rng = np.random.default_rng([2, seed])
    decisions = sample(rng, 200)
    whole = encoded(decisions)
    assert whole is not None
    for room in {0, 1, len(whole) // 2, max(0, len(whole) - 1), len(whole), len(whole) + 1}:
        assert encoded(decisions, room) == (whole if room >= len(whole) else None)


def test_a_size_that_is_not_the_buffer_s_counts_as_all_of_it() -> None:
    decisions = [(65535, 0)] * 20
    for size in (-1, 1 << 40):
        memory = np.full(10 + GUARD, 170, np.uint8)
        ps, bits = np.full(20, 65535, np.uint16), np.zeros(20, np.uint8)
        assert run(ps, bits, memory[:10], size, False) == -1
        assert (memory[10:] == 170).all()
        run(ps, bits, memory[:10], size, True)
    assert encoded(decisions) is not None


@pytest.mark.parametrize("kind", [np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_probabilities_of_any_integer_type_are_the_same(kind: Any) -> None:
    rng = np.random.default_rng(3)
    decisions = [(int(p), int(b)) for p, b in zip(rng.integers(1, 65536, 500), rng.integers(0, 2, 500), strict=True)]
    memory, bits = np.zeros(2000, np.uint8), np.array([bit for _, bit in decisions], np.uint8)
    size = run(np.array([p for p, _ in decisions]).astype(kind), bits, memory, 2000, False)
    assert memory[:size].tobytes() == twin_payload(decisions)


def test_probabilities_outside_their_range_stay_inside_the_buffer() -> None:
    """A model with a fault makes wrong bytes, and touches nothing else."""
    ps = np.array([0, 65536, -1, 1 << 40, -(1 << 62), 131071] * 50)
    for decoding in (False, True):
        for bits in (np.zeros(300, np.uint8), np.ones(300, np.uint8)):
            memory = np.full(20 + GUARD, 170, np.uint8)
            run(ps, bits, memory[:20], 20, decoding)
            assert (memory[20:] == 170).all()
            assert set(bits.tolist()) <= {0, 1}


def test_the_cost_is_that_of_the_probabilities() -> None:
    rng = np.random.default_rng(4)
    for p in (1, 100, 3000, 32768, 60000, 65535):
        bits = rng.random(200_000) * 65536 < p
        memory = np.zeros(60_000, np.uint8)
        size = run(np.full(len(bits), p), bits.astype(np.uint8), memory, len(memory), False)
        ideal = -(bits.sum() * np.log2(p / 65536) + (~bits).sum() * np.log2(1 - p / 65536)) / 8
        assert size <= ideal * 1.0005 + 4


LOOP = """
import numpy as np
from stackc.api import CODER_STATE, code_bit, finish_coder, inlined, kernel, start_coder

@inlined
def doubled(p):
    return 2 * p

@kernel
def loop(p, bits, buffer):
    coder = np.zeros(CODER_STATE, np.int64)
    start_coder(coder, buffer, len(buffer), False)
    for i in range(len(bits)):
        code_bit(coder, buffer, doubled(p), bits[i])
    return finish_coder(coder, buffer)
"""

ASK = """
import numpy as np
from stackc.api.kernels import _sources
from loops import loop
size = loop(16384, np.zeros(80, np.uint8), np.zeros(100, np.uint8))
import loops
print(size, sum(loop.stats.cache_hits.values()), "stackc.api.bitwise" in _sources("loops", loops.__file__))
"""


def test_a_plugin_s_loop_around_the_coder_is_kept_between_processes(tmp_path: Path) -> None:
    """Nothing is compiled in a second process, and an edit of the coder is seen."""
    (tmp_path / "loops.py").write_text(LOOP)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    answers = []
    for _ in range(2):
        ended = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
        answers.append(ended.stdout.split())
    assert answers == [["10", "0", "True"], ["10", "1", "True"]]
