"""Models that code bit by bit, in a level: whole runs, threads, any tokens, rows where rows are asked for."""

from __future__ import annotations

import re
import threading
from typing import Any

import numpy as np
import pytest

from bitwise_toys import Packed, Toy
from registered import coder, windowing
from stackc.api import TOTAL, Windowing
from stackc.api.errors import CodingError, PartError
from stackc.coding.level import Level
from stackc.coding.routes import Bitwise, Stepped, Verified
from stackc.coding.runs import Copies
from stackc.coding.scoring import total_bits
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import not_restored, prove
from stackc.parts.bitwise import BitwiseRows, GuardedBitwise, rows_of
from stackc.parts.checked import GuardedPredictor
from stackc.stack.generation.generate import generate


def level(model: Any, windows: Windowing | None = None, **fields: Any) -> Level:
    """A level of a bitwise model, opened as a stack opens it."""
    guarded = GuardedPredictor(BitwiseRows(GuardedBitwise(model, model.alphabet, "toy")), model.alphabet, "toy")
    made = {"segment": 40, "token_bits": 8, "windowing": windows or windowing("whole"), **coder("arithmetic")}
    return Level(LevelSpec(name="M1", alphabet=model.alphabet, load_predictor=lambda: guarded, **{**made, **fields}))


def text(alphabet: int, length: int, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    kind = np.uint8 if alphabet <= 256 else np.int32
    return (np.cumsum(rng.integers(0, 3, length)) % alphabet).astype(kind)


@pytest.mark.parametrize("alphabet", [1, 2, 5, 256, 300, 1 << 16])
@pytest.mark.parametrize("whole", [False, True])
def test_documents_come_back(alphabet: int, whole: bool) -> None:
    made = level(Toy(alphabet), whole_documents=whole)
    assert isinstance(made.route, Bitwise)
    symbols, offsets = text(alphabet, 203), np.array([0, 0, 1, 41, 81, 81, 203, 203])
    coded = made.encode(symbols, offsets)
    assert not_restored(made, coded, symbols, offsets) is None
    assert coded.starts.tolist() == ([0, 1, 41, 81] if whole else [0, 1, 41, 81, 121, 161, 201])
    for i in range(7):  # a document is coded alone
        part = made.encode(symbols[offsets[i] : offsets[i + 1]])
        assert part.tokens.tolist() == coded.tokens[coded.offsets[i] : coded.offsets[i + 1]].tolist()


def test_tokens_are_the_frames_that_are_written_down() -> None:
    """Golden: a segment of 40 and one of 3 symbols, then the same as one run."""
    symbols = text(5, 43)
    frames = level(Toy(5)).encode(symbols).tokens.tobytes()
    assert frames[0] == 40
    assert len(frames) == 2 + frames[1] + 1 + len(frames[2 + frames[1] + 1 :])
    assert frames[2 + frames[1]] == 3
    assert frames.hex() == "2811ee3eb8fd4991fcdff4d00f23bb8efe8b1003fff8"
    assert (
        level(Toy(5), whole_documents=True).encode(symbols).tokens.tobytes().hex()
        == "2bee3eb8fd4991fcdff4d00f23bb8efe8b45c2"
    )


def test_threads_and_other_documents_change_nothing() -> None:
    symbols, offsets = text(256, 3000), np.array([0, 500, 1400, 3000])
    one = level(Packed(), threads=1).encode(symbols, offsets)
    for threads in (2, 5):
        model = Packed()
        made = level(model, threads=threads)
        found = made.encode(symbols, offsets)
        assert found.tokens.tolist() == one.tokens.tolist()
        assert found.offsets.tolist() == one.offsets.tolist()
        assert made.decode(found.tokens, found.offsets).symbols.tolist() == symbols.tolist()
        assert model.begun <= threads, "working copies are used again"


def test_callers_share_a_bounded_number_of_working_copies() -> None:
    model = Packed()
    made = level(model, threads=2)
    symbols = text(256, 4000)
    expected = made.encode(symbols).tokens.tolist()
    found: list[Any] = []
    callers = [threading.Thread(target=lambda: found.append(made.encode(symbols).tokens.tolist())) for _ in range(6)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert found == [expected] * 6
    assert model.begun <= 2


@pytest.mark.parametrize("seed", range(30))
def test_any_tokens_decode_to_symbols_of_the_alphabet(seed: int) -> None:
    rng = np.random.default_rng(seed)
    made = level(Toy(300), whole_documents=bool(seed % 2))
    tokens = rng.integers(0, 256, int(rng.integers(0, 30))).astype(np.uint8)
    if len(tokens):
        tokens[0] = rng.integers(0, 256 if seed % 3 else 41)
    try:
        found = made.decode(tokens, most=2000)
    except CodingError:
        with pytest.raises(CodingError, match="more than the expected 2000"):
            made.decode(tokens, most=2000)
        return
    assert len(found.symbols) <= 2000
    assert found.symbols.max(initial=0) < 300


def test_a_run_that_claims_too_much_is_refused_before_memory_is_taken() -> None:
    with pytest.raises(CodingError, match="M1: tokens that decode to more than the expected 100 symbols"):
        level(Toy(5), whole_documents=True).decode(np.array([255, 255, 255, 255, 15, 1], np.uint8), most=100)


def test_tokens_and_symbols_outside_their_alphabets_are_refused() -> None:
    made = level(Toy(5))
    with pytest.raises(CodingError, match="a symbol outside its alphabet of 5"):
        made.encode(np.array([5]))
    with pytest.raises(CodingError, match="a token outside its alphabet of 256"):
        made.decode(np.array([256]))


def test_a_payload_that_needs_much_room_is_coded() -> None:
    class Wrong(Toy):
        def p(self, state: Any, node: int) -> int:
            return 65535

    symbols = np.zeros(3000, np.uint8)
    made = level(Wrong(256), segment=3000)
    coded = made.encode(symbols)
    assert len(coded.tokens) > 40_000
    assert made.decode(coded.tokens).symbols.tolist() == symbols.tolist()


def test_a_working_copy_that_takes_too_much_memory_is_named() -> None:
    said = "M1: a working copy of its model takes 2 MB, and run.memory allows 1 MB; raise it, or give the model smaller"
    with pytest.raises(CodingError, match=re.escape(said)):
        level(Toy(5), memory=1_000_000).encode(text(5, 10))


def test_memory_bounds_the_working_copies() -> None:
    for threads, memory, expected in ((1, None, (1, 2)), (4, None, (4, 4)), (4, 3 << 20, (3, 3)), (4, 1, (1, 1))):
        copies = Copies(Toy(5), threads, memory)
        assert (copies.threads, copies.most) == expected


def test_an_error_in_a_thread_is_the_callers() -> None:
    class Failing(Toy):
        def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
            if symbols[0] == 3:
                raise ValueError("three")
            return super().encode_block(state, symbols, out)

    symbols = np.repeat(np.arange(5), 40)
    for threads in (1, 3):
        with pytest.raises(PartError, match="toy: encode_block raised ValueError: three"):
            level(Failing(5), threads=threads).encode(symbols)


def test_results_that_cannot_be_are_refused() -> None:
    class Many(Toy):
        def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
            return len(out) + 1

    with pytest.raises(PartError, match="encode_block gave"):
        level(Many(5)).encode(text(5, 10))
    with pytest.raises(PartError, match="without advance"):
        GuardedBitwise(type("Half", (Toy,), {"advance": property()})(5), 5, "toy")
    with pytest.raises(PartError, match="an alphabet of 5"):
        GuardedBitwise(Toy(5), 6, "toy")
    with pytest.raises(PartError, match="65536 symbols"):
        GuardedBitwise(Toy(1 << 17), 1 << 17, "toy")


def test_a_model_that_is_not_portable_is_verified() -> None:
    class Here(Toy):
        portability = "same-machine"

    made = level(Here(5))
    assert isinstance(made.route, Verified)
    assert made.portability == "same-machine"
    symbols = text(5, 100)
    assert made.decode(made.encode(symbols).tokens).symbols.tolist() == symbols.tolist()


@pytest.mark.parametrize(
    "windows", [windowing("equal-info", bits=16), windowing("equal-info", bits=24, context="segment"),
                windowing("fixed-token", symbols=7)],
)  # fmt: skip
def test_where_rows_are_asked_for_it_gives_rows(windows: Windowing) -> None:
    made = level(Toy(5), windows, token_bits=8)
    assert isinstance(made.route, Stepped)
    symbols, offsets = text(5, 90), np.array([0, 50, 90])
    prove(made, symbols)
    assert not_restored(made, made.encode(symbols, offsets), symbols, offsets) is None


def test_rows_are_the_products_of_their_decisions() -> None:
    trees = np.array([[0, 16384, 32768, 49152], [0, 1, 1, 1], [0, 65535, 65535, 65535]], np.uint16)
    rows = rows_of(trees, 4)
    assert (rows.sum(axis=1) == TOTAL).all()
    # 3/4 begin with a zero, of which half each; 1/4 with a one, of which 1/4 and 3/4. The first has the rest, 2.
    assert rows[0].tolist() == [6291457, 6291455, 1048576, 3145728]
    assert rows[1].argmax() == 0
    assert rows[2].argmax() == 3
    assert rows.min() >= 1
    assert rows_of(trees, 3)[0, 3:].tolist() == []


def test_text_is_generated_from_its_rows_and_not_through_its_runs() -> None:
    top = BitwiseRows(Toy(256))
    found = generate([], top, 50, b"to be", tokens=60, seed=1)
    assert found.startswith(b"to be")
    assert len(found) >= 60
    with pytest.raises(CodingError, match="M1: its model codes whole segments bit by bit, so nothing can be generated"):
        generate([level(Toy(256))], top, 50, b"to be", tokens=6)


def test_the_cost_in_rows_is_that_of_the_bytes() -> None:
    model = Toy(256)
    symbols = text(256, 600)
    size = len(level(model, whole_documents=True).encode(symbols).tokens) - 2
    bits = total_bits(BitwiseRows(model), symbols, np.array([0, 600]), 600)
    assert size * 8 == pytest.approx(bits, abs=40)


def test_a_working_copy_made_ahead_is_given_once() -> None:
    guarded = GuardedBitwise(Toy(5), 5, "toy")
    guarded.prepare()
    first, second = guarded.begin(), guarded.begin()
    assert first is not second
    symbols, out = np.array([0, 4, 2, 2], np.uint8), np.empty(100, np.uint8)
    payloads = [out[: guarded.encode_block(copy, symbols, out)].tobytes() for copy in (first, second)]
    assert payloads[0] == payloads[1]
