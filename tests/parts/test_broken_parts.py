"""What no part should do at all: exceptions, wrong types, changed texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest

from checked_toys import DOCUMENT, WHO, Bad, guarded, stepped, tried
from stackc.api import CodingError, Windowing
from stackc.api.errors import PartError
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.checked import GuardedReader
from stackc.testing.windowings import PlainDecoder, PlainEncoder
from toys import ToyPredictor

# -- what no part should do at all


class Breaks(Bad):
    """A coder whose methods raise, or return something of another kind; `mode` says which."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def encoder(self, window: Any) -> Any:
        made, mode = PlainEncoder(window), self.mode

        class Encoder:
            def add(self, freqs: Any, symbol: int) -> bool:
                if mode == "add":
                    raise ZeroDivisionError("division by zero")
                return made.add(freqs, symbol) and not (mode == "full" and symbol == 5)

            def close(self, full: bool) -> Any:
                value, bits = made.close(full)
                if mode == "numpy":
                    return np.uint64(value), np.int64(bits)
                return None if mode == "close" else (value, bits)

        return Encoder()

    def decoder(self, window: Any, bits: Any) -> Any:
        if self.mode == "decoder":
            raise KeyError("table")
        made, mode = PlainDecoder(window, bits), self.mode

        class Decoder:
            def next(self, freqs: Any) -> Any:
                return "a" if mode == "next" else made.next(freqs)

            def used(self, full: bool) -> Any:
                return {"used": None, "huge": 1 << 70, "more": made.used(full) + 8}.get(mode, made.used(full))

        return Decoder()


@pytest.mark.parametrize(
    ("mode", "rule"),
    [
        ("add", "add raised ZeroDivisionError: division by zero"),
        ("full", "add refused a symbol, and its windows have no bit budget; every symbol must fit"),
        ("close", "close raised TypeError: "),
        ("decoder", "its decoder raised KeyError: table"),
        ("next", "next raised TypeError: 'str' object cannot be interpreted as an integer"),
        ("used", "used raised TypeError: 'NoneType' object cannot be interpreted as an integer"),
        ("huge", "201 symbols decode to 100; decoding must restore all of them"),
        ("more", "201 symbols decode to "),
    ],
)
def test_a_coder_that_breaks_is_named(mode: str, rule: str) -> None:
    """Windows longer than 64 symbols: two of them are tried, so that what `used` says is put to use."""
    made = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=300,
            windowing=Windowing(symbols=100),
            coder=Breaks(mode),
            token_bits=8,
            coder_name=WHO,
        )
    )
    with pytest.raises(PartError, match=rf"^{re.escape(WHO)}: {re.escape(rule)}") as caught:
        tried(made, DOCUMENT)
    assert str(caught.value).count("\n") == 0


def test_integers_of_numpy_will_do() -> None:
    made = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=20,
            windowing=Windowing(symbols=5),
            coder=Breaks("numpy"),
            token_bits=8,
        )
    )
    assert made.decode(made.encode(DOCUMENT[:20]).tokens).symbols.tolist() == DOCUMENT[:20].tolist()


class Predictorless:
    portability = "portable"


class Answers(ToyPredictor):
    def __init__(self, answer: Any) -> None:
        super().__init__(7)
        self.answer = answer

    def step(self, state: Any, symbols: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_what_is_no_predictor_or_no_answer_is_named() -> None:
    with pytest.raises(PartError, match=r"load gave a NoneType without alphabet, portability, start, step$"):
        guarded(None)  # type: ignore[arg-type]
    with pytest.raises(PartError, match=r"load gave a Predictorless without alphabet, start, step$"):
        guarded(Predictorless())  # type: ignore[arg-type]
    for answer, rule in (
        (None, "step gave a NoneType; frequencies are uint32"),
        ([[1]], "step gave a list"),
        (np.ones(7, np.uint32), r"step gave an array of shape \(7,\)"),
        (ValueError("no idea"), r"step raised ValueError: no idea \(STACKC_TRACEBACK=1 shows where\)"),
    ):
        with pytest.raises(PartError, match=rf"^M1: model 'toy' \(plugin 'toys'\): {rule}"):
            stepped(Answers(answer)).encode(DOCUMENT)


def test_files_and_memory_are_not_the_fault_of_a_part() -> None:
    for error in (OSError(28, "No space left on device"), MemoryError(), CodingError("as it is")):
        with pytest.raises(type(error)) as caught:
            stepped(Answers(error)).encode(DOCUMENT)
        assert caught.value is error


@attrs.frozen
class ToyReader:
    given: Any

    def documents(self, split: str) -> Any:
        return self.given[0]

    def fingerprint(self, split: str) -> Any:
        return self.given[1]


def test_a_reader_gives_bytes_and_a_fingerprint() -> None:
    def raising() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("torn")

    for documents, rule in (
        (["text"], "documents gave a str; every document is bytes"),
        ([b"a", None], "documents gave a NoneType"),
        (None, "documents raised TypeError: 'NoneType' object is not iterable"),
        (raising(), "documents raised ValueError: torn"),
    ):
        with pytest.raises(PartError, match=f"^corpus: {rule}"):
            list(GuardedReader(ToyReader((documents, "x")), "corpus").documents("train"))
    for fingerprint in (None, 5, ""):
        with pytest.raises(PartError, match=f"^corpus: fingerprint gave {fingerprint!r}"):
            GuardedReader(ToyReader(((), fingerprint)), "corpus").fingerprint("train")
    right = GuardedReader(ToyReader((iter([b"a", b""]), "x")), "corpus")
    assert (list(right.documents("test")), right.fingerprint("test")) == ([b"a", b""], "x")


def test_cuts_cannot_change_the_text() -> None:
    def cuts(symbols: Any) -> Any:
        symbols[:] = 0
        return np.zeros(len(symbols), np.bool_)

    made = attrs.evolve(Windowing(symbols=5), cuts=cuts)
    document = DOCUMENT.copy()
    one = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=20,
            windowing=made,
            coder=Bad(),
            token_bits=8,
            windowing_name="W",
        )
    )
    with pytest.raises(PartError, match=r"^W: cuts raised ValueError: assignment destination is read-only"):
        tried(one, document)
    assert document.tolist() == DOCUMENT.tolist()


@pytest.mark.parametrize("change", [{"restart": "never"}, {"bits": 1.5}, {"symbols": "7"}, {"cuts": 5}])
def test_a_windowing_is_checked_when_it_is_made(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Windowing(**change)
