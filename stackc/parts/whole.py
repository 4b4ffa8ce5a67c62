"""A coder of whole windows, whose results are checked as they pass.

The checks look at whole results: a broken rule is found at the first call, and names the level and the part.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Symbols, Tokens
from stackc.api.coders import WholeWindowCoder
from stackc.api.errors import CodingError, PartError, StackcError
from stackc.api.windowings import Window
from stackc.parts.blame import blaming, said


class GuardedWindows:
    """The windows of a coder (`stackc.api.WholeWindows`); unexpected exceptions name it.

    Args:
        coder: the coder.
        window: what its windows have in common.
        name: the level, for messages about tokens.
        who: the coder, for messages about broken rules.

    Raises:
        PartError: `whole` returned an object without encode or decode.
    """

    def __init__(self, coder: WholeWindowCoder, window: Window, name: str, who: str) -> None:
        with blaming(who, "whole"):
            self._inner = coder.whole(window)
        self._window, self._name, self._who = window, name, who
        lacking = [method for method in ("encode", "decode") if not callable(getattr(self._inner, method, None))]
        if lacking:
            raise PartError(f"{who}: whole gave a {type(self._inner).__name__} without {', '.join(lacking)}")

    def encode(self, symbols: Symbols, bounds: Int64) -> tuple[Tokens, Int64]:
        """`WholeWindows.encode`. Raises `PartError` for results of the wrong type, shape or range."""
        with blaming(self._who, "encode"):
            tokens, counts = self._inner.encode(_locked(symbols), bounds)
        self._check(tokens, counts, "encode", "tokens", len(bounds) - 1, 1 << self._window.token_bits)
        if len(counts) and int(counts.min()) < 1:
            raise PartError(f"{self._who}: encode gave a window of no tokens; every window has at least one")
        return tokens, counts

    def decode(self, tokens: Tokens, starts: Int64, ends: Int64, most: int | None) -> tuple[Symbols, Int64]:
        """`WholeWindows.decode`; `most` may be None: no limit.

        Raises:
            CodingError: tokens that do not decode, or that decode to more than `most` symbols.
            PartError: results that no runs have.
        """
        try:
            with blaming(self._who, "decode"):
                symbols, counts = self._inner.decode(
                    _locked(tokens), starts, ends, sys.maxsize if most is None else most
                )
        except PartError:
            raise
        except StackcError as error:
            raise CodingError(f"{self._name}: {said(error)}") from error
        self._check(symbols, counts, "decode", "symbols", len(starts), self._window.alphabet)
        if counts[ends <= starts].any():
            raise PartError(f"{self._who}: decode gave symbols for a range without tokens")
        if most is not None and len(symbols) > most:
            raise PartError(f"{self._who}: decode gave {len(symbols)} symbols, more than the {most} that it may give")
        return symbols, counts

    def _check(self, values: object, counts: object, method: str, what: str, runs: int, alphabet: int) -> None:
        right = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu"
        if not right or (what == "tokens" and values.dtype != np.uint32):  # type: ignore[attr-defined]
            wanted = "uint32" if what == "tokens" else "integers"
            raise PartError(f"{self._who}: {method} gave {_kind(values)} as {what}; they are {wanted} in one dimension")
        if not isinstance(counts, np.ndarray) or counts.dtype != np.int64 or counts.shape != (runs,):
            raise PartError(f"{self._who}: {method} gave {_kind(counts)} as counts; they are int64[{runs}]")
        assert isinstance(values, np.ndarray)
        if (counts < 0).any() or int(counts.sum()) != len(values):
            raise PartError(f"{self._who}: {method} gave {len(values)} {what} and counts that sum to {counts.sum()}")
        if len(values) and not 0 <= int(values.min()) <= int(values.max()) < alphabet:
            wrong = int(values.min()) if int(values.min()) < 0 else int(values.max())
            raise PartError(f"{self._who}: {method} gave {wrong} among the {what}, outside the alphabet of {alphabet}")


def _locked(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same values, which nobody can change here."""
    given = values.view()
    given.flags.writeable = False
    return given


def _kind(value: object) -> str:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
