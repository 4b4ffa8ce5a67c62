"""The suite of models that code bit by bit: a right one passes, and each broken rule fails the test that is for it."""

from __future__ import annotations

import time
import types
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from bitwise_toys import Toy, ToyBackend, ToyConfig
from stackc.api import BitCoder, Cost, ModelBackend
from stackc.coding.trial import check_part
from stackc.parts.part import Part
from stackc.testing.bitwise import BitwiseContract
from stackc.testing.sharing import check_shared
from stackc_counted.models import Unigram


class Suite(BitwiseContract):
    """The suite for one toy, with shorter runs."""

    alphabets: ClassVar[tuple[int, ...]] = (2, 5)
    lengths: ClassVar[tuple[int, ...]] = (0, 1, 60)
    toy: ClassVar[type[Toy]] = Toy

    def config(self) -> Any:
        return ToyConfig()

    def make(self) -> tuple[ModelBackend, Any]:
        backend = ToyBackend()
        backend.model = self.toy
        return backend, None


class TestToy(Suite):
    pass


class Forgetful(Toy):
    """Continues where the last run ended."""

    def begin(self) -> Any:
        state = super().begin()
        state.fresh = False
        return state

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        kept = dict(state.counts)
        restart, self_restart = self.restart, Toy.restart
        self_restart(self, state)
        state.counts = kept
        self.restart = lambda state: None  # type: ignore[method-assign]
        try:
            return super().encode_block(state, symbols, out)
        finally:
            self.restart = restart  # type: ignore[method-assign]


class Lossy(Toy):
    """Decodes the last symbol of a long run wrong."""

    def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
        super().decode_block(state, payload, symbols)
        if len(symbols) > 50:
            symbols[-1] ^= 1


class Greedy(Toy):
    """Fills whatever room there is."""

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        size = super().encode_block(state, symbols, out)
        if 0 <= size < len(out):
            out[size] = 0
            return size + 1
        return size


class Trampling(Toy):
    """Changes the symbols that it codes."""

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        size = super().encode_block(state, symbols, out)
        symbols[:] = 0
        return size


class Wide(Toy):
    """Decodes hostile payloads to symbols of too many bits."""

    def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
        super().decode_block(state, payload, symbols)
        coder = np.zeros(10 * len(symbols) + 64, np.uint8)
        size = super().encode_block(state, symbols, coder)
        if coder[: max(0, size)].tobytes() != payload.tobytes() and len(symbols):
            symbols[0] = 200


class Raising(Toy):
    """Takes an empty payload for damage."""

    def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
        if not len(payload) and len(symbols) > 200:
            raise ValueError("an empty payload")
        super().decode_block(state, payload, symbols)


class Overstated(Toy):
    """Its tree is not what coding uses."""

    def tree(self, state: Any, out: Any) -> None:
        super().tree(state, out)
        out[1:] = 65536 - out[1:].astype(int)


class Certain(Toy):
    """Says that a bit cannot be."""

    def tree(self, state: Any, out: Any) -> None:
        super().tree(state, out)
        out[1] = 0


class Curious(Toy):
    """Learns when it is asked."""

    def tree(self, state: Any, out: Any) -> None:
        super().tree(state, out)
        self.learn(state, 1, 1)


class Hungry(Toy):
    """Takes memory that it does not name."""

    def begin(self) -> Any:
        state = super().begin()
        state.more = np.zeros(3 << 20, np.uint8)
        return state


class Lavish(Toy):
    """Takes memory for a call."""

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        state.more = np.zeros(1 << 18, np.uint8)
        return super().encode_block(state, symbols, out)


class Shared(Toy):
    """Has its scratch memory on itself."""

    def symbol(self, state: Any, coder: BitCoder, symbol: int) -> int:
        self.scratch = super().symbol(state, coder, symbol)
        time.sleep(0)
        return self.scratch

    def decode_block(self, state: Any, payload: Any, symbols: Any) -> None:
        self.restart(state)
        self.coder = BitCoder(payload.tobytes())
        for i in range(len(symbols)):
            symbols[i] = self.symbol(state, self.coder, 0)


class OtherSteps(Toy):
    """Advances otherwise than it codes."""

    def advance(self, state: Any, symbol: int) -> None:
        super().advance(state, symbol)
        state.last = 0


class Moody(Toy):
    """Codes otherwise every time, and knows how to read all of it."""

    def encode_block(self, state: Any, symbols: Any, out: Any) -> int:
        size = super().encode_block(state, symbols, out)
        self.seen_before = not getattr(self, "seen_before", False)
        if size > 0 and self.seen_before:
            out[size] = 0
            return size + 1
        return size


class Broken(Toy):
    """Fails at once."""

    def begin(self) -> Any:
        raise ValueError("broken")


def of(toy: type[Toy]) -> Any:
    """A factory of backends that load this toy."""
    return type("Backend", (ToyBackend,), {"model": toy})


BROKEN = [
    (Forgetful, "test_every_run_starts_from_the_primed_state"),
    (Lossy, "test_what_is_encoded_decodes"),
    (Greedy, "test_the_room_decides_only_whether_it_fits"),
    (Trampling, "test_what_is_encoded_decodes"),
    (Wide, "test_any_payload_decodes_and_nothing_else_is_touched"),
    (Raising, "test_any_payload_decodes_and_nothing_else_is_touched"),
    (Overstated, "test_tree_gives_the_probabilities_that_coding_uses"),
    (OtherSteps, "test_tree_gives_the_probabilities_that_coding_uses"),
    (Certain, "test_tree_gives_probabilities_and_changes_nothing"),
    (Curious, "test_tree_gives_probabilities_and_changes_nothing"),
    (Hungry, "test_it_says_what_it_takes"),
    (Lavish, "test_it_says_what_it_takes"),
]


@pytest.mark.parametrize(("toy", "test"), BROKEN, ids=lambda value: getattr(value, "__name__", ""))
def test_a_broken_rule_is_found(toy: type[Toy], test: str) -> None:
    suite = Suite()
    suite.lengths = (0, 60)  # type: ignore[misc]
    getattr(suite, test)(Toy(5), 5)
    with pytest.raises((AssertionError, ValueError)):
        getattr(suite, test)(toy(5), 5)


def test_a_cost_that_states_another_size_is_found() -> None:
    class Stating(Suite):
        size = Toy(5).state_bytes

        def config(self) -> Any:
            return types.SimpleNamespace(cost=lambda *_: Cost(parameters=0, copy_memory=self.size))

    suite = Stating()
    suite.test_it_says_what_it_takes(Toy(5), 5)
    suite.size -= 1
    with pytest.raises(AssertionError, match="its cost states"):
        suite.test_it_says_what_it_takes(Toy(5), 5)


def test_scratch_memory_on_the_model_is_found(tmp_path: Path) -> None:
    from stackc.parts.bitwise import BitwiseRows

    with pytest.raises(AssertionError, match="may be shared by callers"):
        check_shared(lambda: Suite().sharing_jobs(BitwiseRows(Shared(5))))


@pytest.mark.parametrize(
    ("backend", "problem"),
    [(ToyBackend, None), (Unigram, "bitwise is True, and load gives a ConstantPredictor"),
     (of(Lossy), "a text that it coded decodes to another"), (of(Moody), "coded differently the second time"),
     (of(Broken), "begin raised ValueError: broken")],
)  # fmt: skip
def test_plugins_check_codes_with_it(backend: Any, problem: str | None) -> None:
    config = type("BitwiseConfig", (ToyConfig,), {"bitwise": True})
    part = Part(
        kind="model", name="toy", factory=lambda config: backend(), config=config, summary="a toy", plugin="toy",
        distribution="stackc-toy", version="0.1",
    )  # fmt: skip
    verdict = check_part(part)
    assert [problem in one for one in verdict.problems] == [True] if problem else verdict.problems == []


def test_a_model_of_rows_is_told_which_suite_is_its_own(tmp_path: Path) -> None:
    class Rows(Suite):
        def make(self) -> tuple[ModelBackend, Any]:
            return Unigram(), None

    frozen = Rows().freeze(tmp_path / "model")
    with pytest.raises(AssertionError, match="no encode_block"):
        Rows().bitwise(frozen, 5)
