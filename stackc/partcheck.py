"""What ``stackc plugins check`` finds out about one part: that its factory makes what its kind promises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from stackc.limits import MAX_WINDOW_SYMBOLS, TOTAL
from stackc.partrules import CODER_FLAGS
from stackc.parts import Cost, Window, Windowing
from stackc.registry import Part

METHODS = {
    "model": ("train", "freeze", "load"),
    "coder": ("encoder", "decoder"),
    "windowing": (),
    "reader": ("documents", "fingerprint"),
}
"""What a part of each kind must have. Lanes, dictionaries and the like are optional (`stackc.parts`)."""


@attrs.define
class Verdict:
    """Problems, each a broken promise, and notes on what could not be tried."""

    problems: list[str] = attrs.Factory(list)
    notes: list[str] = attrs.Factory(list)


def check_part(part: Part) -> Verdict:
    """Make a part from its default configuration and try it. The contract suites in `stackc.testing` go deeper."""
    verdict = Verdict()
    required = [field.name for field in attrs.fields(part.config) if field.default is attrs.NOTHING]
    if required:
        verdict.notes.append(f"not made: its configuration has no default for {', '.join(required)}")
        return verdict
    try:
        config = part.config()
        made = part.factory(config)
    except Exception as error:  # whatever a plugin raises is its verdict
        verdict.problems.append(f"its factory fails on the default configuration ({type(error).__name__}: {error})")
        return verdict
    for method in _needed(part, config):
        if not callable(getattr(made, method, None)):
            verdict.problems.append(f"{type(made).__name__} has no method {method}")
    if not verdict.problems:
        try:
            _TRIALS[part.kind](part, config, made, verdict)
        except Exception as error:
            verdict.problems.append(f"{type(error).__name__} when tried: {error}")
    return verdict


def _needed(part: Part, config: Any) -> tuple[str, ...]:
    """The methods that the part must have."""
    if part.kind == "coder" and getattr(config, "pieces", False):
        return ("fit", "load", "pieces", "encode")
    if part.kind == "coder" and getattr(config, "vocabulary", None) is not None:
        return ("dictionary",)
    return METHODS[part.kind]


def _try_model(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    settings_class = getattr(part.config, "train", None)
    fields = attrs.fields(settings_class) if settings_class else ()
    if any(field.default is attrs.NOTHING for field in fields):
        verdict.notes.append("cost not tried: its training settings have no defaults")
        return
    cost = config.cost(256, settings_class() if settings_class else None)
    if not isinstance(cost, Cost):
        verdict.problems.append(f"cost(256, settings) is a {type(cost).__name__}, not a stackc.api.Cost")


def _try_coder(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    for flag in CODER_FLAGS:
        if getattr(made, flag, None) != getattr(part.config, flag):
            verdict.problems.append(f"{flag} is {getattr(made, flag, None)} on the coder, not as on its configuration")
    if hasattr(made, "fit"):
        verdict.notes.append("no window coded: it needs tables fitted to a text")
        return
    if getattr(config, "vocabulary", None) is not None:
        verdict.notes.append("no window coded: it needs a model to make its dictionary of")
        return
    window = Window(alphabet=4, bits=16 if made.budget else None, symbols=8, token_bits=8)
    freqs = np.full(4, TOTAL // 4, dtype=np.uint32) if made.needs_model else None
    encoder, symbols = made.encoder(window), [0, 3, 1]
    if not all(encoder.add(freqs, symbol) for symbol in symbols):
        verdict.problems.append("three symbols of an alphabet of four do not fit in a window of 16 bits")
        return
    value, bits = encoder.close(False)
    if made.budget and bits != window.bits:
        verdict.problems.append(f"a window of exactly {window.bits} bits is closed with {bits}")
    decoder = made.decoder(window, _Bits(value, bits))
    found: list[int] = []
    while len(found) < (len(symbols) if not made.ends else window.symbols):
        symbol = decoder.next(freqs)
        if symbol is None:
            break
        found.append(int(symbol))
    if found != symbols:
        verdict.problems.append(f"the window {symbols} decodes to {found}")


class _Bits:
    """A `BitSource` over one integer."""

    def __init__(self, value: int, bits: int) -> None:
        self.value, self.left = value, bits

    def read(self, count: int) -> int:
        self.left -= count
        shifted = self.value >> self.left if self.left >= 0 else self.value << -self.left
        return shifted & ((1 << count) - 1)


def _try_windowing(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    if not isinstance(made, Windowing):
        verdict.problems.append(f"its factory makes a {type(made).__name__}, not a stackc.api.Windowing")
        return
    if made.symbols is not None and not 1 <= made.symbols <= MAX_WINDOW_SYMBOLS:
        verdict.problems.append(f"a symbol budget of {made.symbols}; allowed: 1 to {MAX_WINDOW_SYMBOLS}")
    if made.cuts is not None:
        cuts = np.asarray(made.cuts(np.arange(100, dtype=np.uint8)))
        if cuts.shape != (100,) or cuts.dtype != np.bool_:
            verdict.problems.append(f"cuts of 100 symbols are {cuts.dtype}{list(cuts.shape)}, not bool[100]")


def _try_reader(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    """Nothing to try without files of the user's."""


_TRIALS: dict[str, Callable[[Part, Any, Any, Verdict], None]] = {
    "model": _try_model,
    "coder": _try_coder,
    "windowing": _try_windowing,
    "reader": _try_reader,
}
