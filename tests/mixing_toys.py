"""Texts, small states and damaged ones for tests of the model `mixing`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stackc_mixing import Mixing
from stackc_mixing.backend import MixingPredictor, prime
from stackc_mixing.layout import SEEN_BITS
from stackc_mixing.state import Primed, Working, depth_of, symbols_dtype
from stackc_mixing.twins.few import FewTwin
from stackc_mixing.twins.many import Twin
from stackc_mixing.twins.six import SixTwin
from stackc_mixing.twins.some import SomeTwin
from stackc_mixing.twins.twelve import TwelveTwin

SMALL = Mixing(size=10, rich=8, window=64)
"""Few slots: after a hundred symbols most have been replaced."""

SOME = Mixing(size=10, rich=8, window=64, contexts="some")
FEW = Mixing(size=10, window=64, contexts="few")
SIX = Mixing(size=10, window=64, contexts="six")
TWELVE = Mixing(size=10, rich=8, window=64, contexts="twelve")
"""The same of the other models."""

CONFIGS = {config.contexts: config for config in (SMALL, SOME, FEW, SIX, TWELVE)}
TWINS = {"many": Twin, "some": SomeTwin, "few": FewTwin, "six": SixTwin, "twelve": TwelveTwin}

ALPHABETS = (2, 10, 256, 1000, 65_536)

PROSE = (
    "It was the best of times, it was the worst of times; it was the age of wisdom, it was the age of foolishness.\n"
    "Es war die beste und die schönste Zeit, и время надежды.\nIt was the best of times, it was the worst of times;\n"
)
FIELDS = "".join(f"{i};name {i % 7},\t{i * i % 101}, {'xyz'[i % 3]}\n" for i in range(40))


def texts(alphabet: int, length: int, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Some texts of each kind, by name; those of bytes only for bytes."""
    rng = np.random.default_rng([seed, alphabet, length])
    rough = rng.integers(0, alphabet, length)
    few = rng.integers(0, min(alphabet, 3), length) * (alphabet - 1) // 2
    found: dict[str, Any] = {
        "noise": rough,
        "few symbols": few,
        "one symbol": np.full(length, alphabet - 1),
        "repeats": np.resize(rough[: max(1, length // 4)], length),
        "damaged repeats": np.where(rng.random(length) < 0.02, rough, np.resize(rough[: max(1, length // 4)], length)),
    }
    if alphabet == 256:
        for name, text in (("prose", PROSE), ("fields", FIELDS)):
            found[name] = np.resize(np.frombuffer(text.encode(), np.uint8), length)
    return {name: np.array(text, symbols_dtype(alphabet)) for name, text in found.items()}


def primed_on(text: Any, alphabet: int, config: Mixing = SMALL) -> Primed:
    return prime(config, np.array(text, symbols_dtype(alphabet)), alphabet)


def predictor_of(text: Any, alphabet: int, config: Mixing = SMALL) -> MixingPredictor:
    """A model primed on a text (or nothing)."""
    return MixingPredictor(config, primed_on(text, alphabet, config), alphabet)


def encoded(predictor: MixingPredictor, symbols: Any, room: int | None = None, state: Working | None = None) -> bytes:
    symbols = np.array(symbols, symbols_dtype(predictor.alphabet))
    out = np.zeros(4 * len(symbols) + 64 if room is None else room, np.uint8)
    size = predictor.encode_block(state or predictor.begin(), symbols, out)
    assert size >= 0
    return out[:size].tobytes()


def decoded(predictor: MixingPredictor, payload: bytes, count: int, state: Working | None = None) -> Any:
    symbols = np.zeros(count, symbols_dtype(predictor.alphabet))
    predictor.decode_block(state or predictor.begin(), np.frombuffer(payload, np.uint8).copy(), symbols)
    return symbols


def twin_of(state: Working, alphabet: int) -> Twin:
    """The twin of a working copy that has coded nothing yet."""
    return TWINS[state.config.contexts](
        state.tables, state.primed.window.tolist(), state.primed.seen, depth_of(alphabet)
    )


def repeated(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """As `numpy.resize`, which makes a list of as many arrays: that took nine tenths of what hostile states take."""
    return np.tile(array, -(-size // len(array)))[:size]


def _pattern(rng: np.random.Generator, kind: np.dtype[Any], size: int) -> npt.NDArray[Any]:
    """Entries such as no training makes: any bits, one number throughout, or the ends of the type's range."""
    info = np.iinfo(kind)
    match int(rng.integers(4)):
        case 0 | 1:
            some = rng.integers(info.min, info.max, min(size, 5003), kind, endpoint=True)
        case 2:
            some = rng.integers(info.min, info.max, 1, kind, endpoint=True)
        case _:
            some = rng.choice(
                np.array([info.min, info.max, 0, 1, info.max - 1, info.max // 2 + 1], kind), min(size, 509)
            )
    return repeated(some, size)


def spoil(state: Working, rng: np.random.Generator, alphabet: int) -> None:
    """Fill the tables of a working copy with what a damaged or hostile state file may hold, and shorten the window."""
    for name, table in state.tables.items():
        table[:] = _pattern(rng, table.dtype, len(table))
        if name == "places" and rng.random() < 0.5:  # many of them where something stands
            table[:] = rng.integers(-3, 200, len(table))
    # Symbols that no text over this alphabet has, too.
    most = np.iinfo(symbols_dtype(alphabet)).max if rng.random() < 0.5 else min(alphabet, 2) - 1
    window = rng.integers(0, most, int(rng.integers(0, 90)), endpoint=True).astype(symbols_dtype(alphabet))
    seen = int(rng.choice([0, 1, 1 << 20, (1 << 62) - 1]))
    # In memory, so that restoring the copy gives the same again.
    tables = {name: table.copy() for name, table in state.tables.items()}
    state.primed = Primed(tables=tables, window=window, seen=seen)
    state.restore()
    state.memory[:] = 0
    state.memory[SEEN_BITS] = seen
