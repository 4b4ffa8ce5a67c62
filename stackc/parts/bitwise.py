"""Models that code bit by bit (`stackc.api.models.BitwisePredictor`): their results checked, and rows made of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import IDLE, RESTART, Frequencies, Int64, Mask, Symbols, Uint8, Uint16
from stackc.api.errors import PartError
from stackc.api.frequencies import normalise
from stackc.api.limits import MAX_BITWISE_ALPHABET, PROBABILITY_BITS
from stackc.api.models import BitwisePredictor
from stackc.parts.blame import blaming
from stackc.parts.checked import check_loaded

WHOLE_BITS = 37
"""A row starts as 2^37 that are shared out among the symbols: below MAX_COUNT, and times 2^16 below 2^63."""

LANES_BYTES, MOST_LANES = 1 << 28, 16
"""Memory of the working copies that are stepped side by side, and their number, at most."""

SCORED = 1 << 20
"""Frequencies that are made at once."""


def decisions(alphabet: int) -> int:
    """k, the decisions of a symbol."""
    return max(1, (alphabet - 1).bit_length())


def bitwise_dtype(alphabet: int) -> type[np.uint8] | type[np.uint16]:
    """The type of the symbols that a bitwise model codes."""
    return np.uint8 if alphabet <= 1 << 8 else np.uint16


class GuardedBitwise:
    """A loaded bitwise model whose results are checked as they pass.

    Args:
        inner: the model.
        alphabet: the A that the level needs.
        who: `stackc.parts.blame.blame` of its part.

    Raises:
        PartError: it lacks something, or says something that cannot be.
    """

    def __init__(self, inner: BitwisePredictor, alphabet: int, who: str) -> None:
        check_loaded(inner, ("state_bytes", "begin", "restart", "tree", "advance"), alphabet, who)
        if alphabet > MAX_BITWISE_ALPHABET:
            raise PartError(f"{who}: codes bit by bit, which allows {MAX_BITWISE_ALPHABET} symbols, not {alphabet}")
        if not isinstance(inner.state_bytes, int) or inner.state_bytes < 0:
            raise PartError(f"{who}: state_bytes is {inner.state_bytes!r}, not a number of bytes")
        self._inner, self._who = inner, who
        self.alphabet, self.portability, self.state_bytes = alphabet, inner.portability, inner.state_bytes
        self._ready: list[Any] = []

    def prepare(self) -> None:
        """Make a working copy now, for the first caller of `begin`: while something else is waited for."""
        self._ready.append(self.begin())

    def __getattr__(self, name: str) -> Any:
        """Everything else, such as `parameters`."""
        if name == "_inner":  # while a copy is being made it does not exist yet
            raise AttributeError(name)
        return getattr(self._inner, name)

    def begin(self) -> Any:
        with contextlib.suppress(IndexError):
            return self._ready.pop()
        with blaming(self._who, "begin"):
            return self._inner.begin()

    def encode_block(self, state: Any, symbols: Symbols, out: Uint8) -> int:
        with blaming(self._who, "encode_block"):
            size = int(self._inner.encode_block(state, symbols, out))
        if not -1 <= size <= len(out):
            raise PartError(f"{self._who}: encode_block gave {size} bytes, with room for {len(out)}")
        return size

    def decode_block(self, state: Any, payload: Uint8, symbols: Symbols) -> None:
        with blaming(self._who, "decode_block"):
            self._inner.decode_block(state, payload, symbols)

    def restart(self, state: Any) -> None:
        with blaming(self._who, "restart"):
            self._inner.restart(state)

    def tree(self, state: Any, out: Uint16) -> None:
        with blaming(self._who, "tree"):
            self._inner.tree(state, out)
        if not out[1:].all():
            raise PartError(f"{self._who}: tree gave a probability of 0; they are 1 to 65535, of 65536")

    def advance(self, state: Any, symbol: int) -> None:
        with blaming(self._who, "advance"):
            self._inner.advance(state, symbol)


class BitwiseRows:
    """A bitwise model as a `Predictor`: rows of frequencies, slowly.

    A row of A symbols costs 2^k - 1 probabilities where coding a symbol costs k. So this is for what needs rows:
    windows with a bit budget, evaluating, generating.

    Args:
        bitwise: the model, which levels that code whole runs use instead (`stackc.coding.routes.Bitwise`).
    """

    def __init__(self, bitwise: BitwisePredictor) -> None:
        self.bitwise = bitwise
        self.alphabet, self.portability = bitwise.alphabet, bitwise.portability
        self.max_lanes = max(1, min(MOST_LANES, LANES_BYTES // max(1, bitwise.state_bytes)))
        self._nodes = 1 << decisions(bitwise.alphabet)
        self._spare: list[Any] = []  # a working copy that `score` keeps, so that not every segment makes one
        self._lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """The size that the model states."""
        if name not in ("parameters", "body_ops", "softmax_ops"):
            raise AttributeError(name)
        return getattr(self.bitwise, name)

    def start(self, lanes: int) -> _Lanes:
        return _Lanes([self.bitwise.begin() for _ in range(lanes)], self._nodes)

    def step(self, state: _Lanes, symbols: Int64) -> Frequencies:
        for lane, symbol in enumerate(symbols.tolist()):
            if symbol != IDLE:
                self._move(state.copies[lane], symbol)
                self.bitwise.tree(state.copies[lane], state.trees[lane])
        return rows_of(state.trees, self.alphabet)

    def score(self, segment: Symbols, restarts: Mask | None = None) -> Iterator[Frequencies]:
        with self._lock:
            copy = self._spare.pop() if self._spare else None
        copy = self.bitwise.begin() if copy is None else copy
        before, most = RESTART, max(1, SCORED // self._nodes)
        for first in range(0, len(segment), most):
            part = segment[first : first + most].tolist()
            trees = np.zeros((len(part), self._nodes), np.uint16)
            for i, symbol in enumerate(part):
                self._move(copy, RESTART if restarts is not None and restarts[first + i] else before)
                self.bitwise.tree(copy, trees[i])
                before = symbol
            yield rows_of(trees, self.alphabet)
        with self._lock:
            if not self._spare:
                self._spare.append(copy)

    def _move(self, copy: Any, symbol: int) -> None:
        if symbol == RESTART:
            self.bitwise.restart(copy)
        else:
            self.bitwise.advance(copy, symbol)


class _Lanes:
    """A working copy for each lane, and the probabilities that it gave last: uint16[L, 2^k]."""

    def __init__(self, copies: list[Any], nodes: int) -> None:
        self.copies = copies
        self.trees = np.full((len(copies), nodes), 1 << (PROBABILITY_BITS - 1), np.uint16)


def rows_of(trees: npt.NDArray[np.uint16], alphabet: int) -> Frequencies:
    """The rows that trees of probabilities define: uint32[n, A].

    2^37 are shared out, starting at the root: of the share e of a decision its one has floor(e * p / 2^16), and its
    zero the rest. The shares of the symbols below A are normalised.

    Args:
        trees: uint16[n, 2^k] of `BitwisePredictor.tree`.
        alphabet: A.
    """
    shares: Int64 = np.full((len(trees), 1), 1 << WHOLE_BITS, np.int64)
    for depth in range(decisions(alphabet)):
        p = trees[:, 1 << depth : 2 << depth].astype(np.int64)
        ones = shares * p >> PROBABILITY_BITS
        shares = np.stack([shares - ones, ones], axis=2).reshape(len(trees), -1)
    return normalise(shares[:, :alphabet])
