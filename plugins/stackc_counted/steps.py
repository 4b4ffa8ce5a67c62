"""The compiled step of a predictor that always gives the same row (`stackc.api.CompiledStep`)."""

from __future__ import annotations

from typing import Any

from stackc.api import inlined

Row = Any


@inlined
def stay(tables: tuple[()], state: Row, lane: Any, symbol: Any) -> None:
    """Nothing is learned from a symbol."""


@inlined
def constant(tables: tuple[()], state: Row, lane: Any, row: Row) -> None:
    """The state is the rows of all lanes: uint32[L, A]."""
    row[:] = state[lane]
