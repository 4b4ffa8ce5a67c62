"""What ``stackc plugins check`` tries with one part: its factory, and a window there and back."""

from __future__ import annotations

import re
import types
from collections.abc import Callable
from typing import Any

import attrs
import numpy as np

from stackc.api.arrays import Symbols
from stackc.api.coders import WholeWindowCoder
from stackc.api.errors import MissingPackageError, StackcError
from stackc.api.limits import MAX_WINDOW_SYMBOLS, TOTAL
from stackc.api.models import Cost, Predictor
from stackc.api.windowings import Window, Windowing
from stackc.coding.borders import table_starts
from stackc.coding.level import Level
from stackc.coding.model_trial import try_bitwise, try_compiled
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import not_restored
from stackc.parts.abilities import codes_whole_windows, has_tables
from stackc.parts.checked import GuardedPredictor, cuts_of, cuts_of_segments
from stackc.parts.part import Part
from stackc.parts.rules import made_problems
from stackc.parts.whole import GuardedWindows

DEEPER = 4096
"""An alphabet of a level above the first."""


@attrs.define
class Verdict:
    """Problems, each a broken rule; notes on trials that were not possible; exceptions, for a traceback."""

    problems: list[str] = attrs.Factory(list)
    notes: list[str] = attrs.Factory(list)
    raised: list[Exception] = attrs.Factory(list)

    def add(self, note: str, problem: str = "", error: Exception | None = None) -> None:
        """Add what another trial found; "" and None are nothing."""
        self.notes += [note] if note else []
        self.problems += [problem] if problem else []
        self.raised += [error] if error is not None else []


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
    except MissingPackageError as error:
        verdict.problems.append(str(error))
        return verdict
    except Exception as error:  # whatever a plugin raises is its verdict
        verdict.problems.append(f"its factory fails on the default configuration ({type(error).__name__}: {error})")
        verdict.raised.append(error)
        return verdict
    verdict.problems += made_problems(part, config, made)
    if not verdict.problems:
        try:
            _TRIALS[part.kind](part, config, made, verdict)
        except Exception as error:
            known = isinstance(error, StackcError)
            verdict.problems.append(str(error) if known else f"{type(error).__name__} when tried: {error}")
            verdict.raised.append(error)
    return verdict


def _try_model(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    settings_class = getattr(part.config, "train", None)
    fields = attrs.fields(settings_class) if settings_class else ()
    if any(field.default is attrs.NOTHING for field in fields):
        verdict.notes.append("cost not tried: its training settings have no defaults")
        return
    settings = settings_class() if settings_class else None
    cost = config.cost(256, settings)
    if not isinstance(cost, Cost):
        verdict.problems.append(f"cost(256, settings) is a {type(cost).__name__}, not a stackc.api.Cost")
    if getattr(part.config, "bitwise", False):
        verdict.problems += try_bitwise(made, settings)
        verdict.notes.append("tried on a few hundred bytes: stackc.testing.BitwiseContract does more")
        return
    if getattr(part.config, "compiled", False):
        verdict.problems += try_compiled(made, settings)
        verdict.notes.append("its kernels were compared on a line of text: stackc.testing.ModelContract does more")
        return
    verdict.notes.append("its rows were not compared: stackc.testing.ModelContract does that")


def _try_coder(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    if has_tables(made):
        verdict.notes.append("no window coded: it needs tables fitted to a text")
        return
    if getattr(config, "vocabulary", None) is not None:
        verdict.notes.append("no window coded: it needs a model to make its dictionary of")
        return
    text = np.random.default_rng(1).integers(0, 7, 300)
    if codes_whole_windows(made):
        verdict.problems += _coded_together(made, text)
    for bits in (16, 256, None) if config.budget else (None,):
        level = Level(
            LevelSpec(
                name="check",
                alphabet=7,
                segment=len(text),
                windowing=Windowing(bits=bits, symbols=70),
                coder=made,
                flags=config,
                token_bits=8,
                load_predictor=_even if config.needs_model else None,
                coder_name=f"windows of {bits} bits" if bits else "windows of 70 symbols",
            )
        )
        problem = not_restored(level, level.encode(text), text, np.array([0, len(text)], np.int64))
        verdict.problems += [problem] if problem else []


def _coded_together(made: WholeWindowCoder, text: Symbols) -> list[str]:
    """A problem if a coder of whole windows codes a window otherwise when others stand before it."""
    window = Window(alphabet=7, bits=None, symbols=len(text), token_bits=8)
    windows = GuardedWindows(made, window, "check", "windows of 100 symbols")
    together, counts = windows.encode(text, np.arange(0, len(text) + 1, 100))
    alone, _ = windows.encode(text[100:200].copy(), np.array([0, 100], np.int64))
    if np.array_equal(together[counts[0] : counts[0] + counts[1]], alone):
        return []
    return ["windows of 100 symbols: a window has other tokens behind another than alone; each is coded alone"]


def _even() -> Predictor:
    """A model under which seven symbols are equally likely, nearly."""
    row = np.array([[TOTAL // 7 + TOTAL % 7, *[TOTAL // 7] * 6]], np.uint32)
    model: Any = types.SimpleNamespace(alphabet=7, portability="portable", start=lambda lanes: None)
    model.step = lambda state, symbols: row.repeat(len(symbols), axis=0)
    return GuardedPredictor(model, 7, "check")


def _try_deeper(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    """At a deeper level the alphabet is that of tokens: a windowing refuses it in `problems`, or cuts such symbols."""
    ask = getattr(config, "problems", None)
    said = ask(DEEPER, None) if callable(ask) else []
    if not isinstance(said, list) or not all(isinstance(line, str) for line in said):
        verdict.problems.append(f"problems({DEEPER}, None) gives {said!r:.60}, not a list of lines")
    elif not said and made.cuts is not None:
        cuts_of(made, np.arange(100, dtype=np.int64) * 37 % DEEPER, f"{part.name} above the first level", twice=True)


def _try_windowing(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    if made.symbols is not None and not 1 <= made.symbols <= MAX_WINDOW_SYMBOLS:
        verdict.problems.append(f"a symbol budget of {made.symbols}; allowed: 1 to {MAX_WINDOW_SYMBOLS}")
    tried = np.resize(np.frombuffer(b"The cat's  2 cats\n\n sat: 'tis so. ", np.uint8), 100)
    if made.cuts is not None:
        cuts = cuts_of(made, tried, part.name, twice=True)
        if hasattr(made.cuts, "of_segments"):
            edges = np.array([0, 100], np.int64)
            if not np.array_equal(cuts_of_segments(made, tried, edges, part.name), cuts):
                verdict.problems.append("cuts.of_segments gives other cuts than cuts, for one segment")
    if made.rule is not None and (made.table is None or made.table.shape[1] == 256):
        starts = np.zeros(100, np.bool_) if made.cuts is None else np.array(made.cuts(tried))
        if made.table is not None:
            starts = table_starts(tried, np.array([0, 100], np.int64), made.table, made.cuts and starts, 100)
        starts[0] = True
        matches = re.finditer(made.rule, tried.tobytes().decode("latin-1"))
        if [match.start() for match in matches] != np.flatnonzero(starts).tolist():
            verdict.problems.append("rule, and table and cuts, cut a text differently")
    _try_deeper(part, config, made, verdict)


def _try_reader(part: Part, config: Any, made: Any, verdict: Verdict) -> None:
    verdict.notes.append("nothing read: stackc.testing.ReaderContract does that")


_TRIALS: dict[str, Callable[[Part, Any, Any, Verdict], None]] = {
    "model": _try_model,
    "coder": _try_coder,
    "windowing": _try_windowing,
    "reader": _try_reader,
}
