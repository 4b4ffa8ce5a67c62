"""Arithmetic coding by the slot rule, in all three tiers, and compiled."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from stackc.api import BitSource, CodingError, CompiledLanes, Frequencies, Int32, Predictor, Window
from stackc_coders.compiler import compile_dictionary
from stackc_coders.lanes import SlotLaneDecoder, SlotLaneEncoder
from stackc_coders.steps import compiled_lanes
from stackc_coders.twin import SlotDecoder, SlotEncoder

MAX_TOKEN_BITS = 32


class ArithmeticCoder:
    """Codes under a model's frequencies (`stackc.api.Coder`).

    With a bit budget every window's code has exactly W bits, any tokens decode, and, up to W = 38 and while no
    text reaches the symbol budget, all 2^W codes name different texts.
    """

    def encoder(self, window: Window) -> SlotEncoder:
        return SlotEncoder(window, self.row(window))

    def decoder(self, window: Window, bits: BitSource) -> SlotDecoder:
        return SlotDecoder(window, bits, self.row(window))

    def lane_encoder(self, window: Window, lanes: int) -> SlotLaneEncoder:
        return SlotLaneEncoder(window, lanes, self.row(window))

    def lane_decoder(self, window: Window, lanes: int, tokens: npt.NDArray[Any]) -> SlotLaneDecoder:
        return SlotLaneDecoder(window, lanes, tokens, self.row(window))

    def compiled(self, window: Window) -> CompiledLanes:
        """The lanes as kernels, for a level whose model offers its own."""
        return compiled_lanes(window, self.row(window))

    def dictionary(self, predictor: Predictor, window: Window, lanes: int) -> tuple[Int32, Int32]:
        """The level compiled, for a model whose context restarts with every window (see `compile_dictionary`)."""
        self.row(window)
        return compile_dictionary(predictor, window, lanes)

    def row(self, window: Window) -> Frequencies | None:
        """The one row that windows are coded under; None: the model's. Raises `CodingError` as `check_window`."""
        check_window(window)
        return None


def check_window(window: Window) -> None:
    """Raise `CodingError` for a window that the slot rule cannot code."""
    if not 1 <= window.token_bits <= MAX_TOKEN_BITS:
        raise CodingError(f"tokens of {window.token_bits} bits; they may have 1 to {MAX_TOKEN_BITS}")
    if window.bits is None:
        return
    if window.bits < 1 or (1 << window.bits) - 1 < window.alphabet:
        least = window.alphabet.bit_length()
        raise CodingError(
            f"windows of {window.bits} bits cannot hold an alphabet of {window.alphabet} symbols and an end;"
            f" they need at least {least}"
        )
    if window.bits % window.token_bits:
        raise CodingError(f"tokens of {window.token_bits} bits do not divide windows of {window.bits} bits")
