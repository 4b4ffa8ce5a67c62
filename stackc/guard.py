"""Parts held to what they promise while they code: a broken promise names the level, the part and the rule.

Everything that a stack writes is decoded and compared as well; this says who is to blame, and before a long run.
What is checked costs little: a part's first answers and then one in `EVERY`, and sums over whole results.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import numpy.typing as npt

from stackc.errors import CodingError, PartError
from stackc.frequencies import check_frequencies
from stackc.parts import IDLE, RESTART, Frequencies, Portability, Predictor, Symbols
from stackc.registry import Part

if TYPE_CHECKING:
    from stackc.level import Level

FIRST = 8
"""Answers of a predictor that are all looked at."""

EVERY = 64
"""Of the later ones, one in so many."""

LOOKED = 256
"""Rows of an answer that are looked at: of a whole scored segment, its first."""

TRIED = 16
"""Symbols on which a portable predictor must answer alike however it is asked."""

CODED = 64
"""Symbols that a coder must give back before any are kept."""


def blame(level: str, part: Part) -> str:
    """Who breaks a rule, for messages: ``M1: coder 'rans' (plugin 'stackc-rans', stackc-rans 0.1.0)``."""
    package = f", {part.distribution} {part.version}" if part.distribution else ""
    return f"{level}: {part.kind} '{part.name}' (plugin '{part.plugin}'{package})"


class GuardedPredictor:
    """A loaded predictor whose answers are looked at as they pass. It has the optional methods that the other has.

    Args:
        inner: the predictor.
        alphabet: the A of the symbols that it is to answer for.
        who: `blame` of its part.

    Raises:
        PartError: it has another alphabet, or a portability that there is not.
    """

    def __init__(self, inner: Predictor, alphabet: int, who: str) -> None:
        self._inner, self._who, self._asked, self._proved = inner, who, 0, False
        self.alphabet, self.portability = alphabet, inner.portability
        if inner.alphabet != alphabet:
            raise PartError(f"{who}: answers for an alphabet of {inner.alphabet}; the level reads one of {alphabet}")
        if inner.portability not in get_args(Portability):
            known = ", ".join(map(repr, get_args(Portability)))
            raise PartError(f"{who}: a portability of {inner.portability!r}; there are {known}")

    def __getattr__(self, name: str) -> Any:
        """Everything else, such as `take` and `parameters`; `score` only where the predictor has it."""
        if name == "_inner":  # while a copy is being made there is none yet
            raise AttributeError(name)
        found = getattr(self._inner, name)
        return self._score if name == "score" else found

    def step(self, state: Any, symbols: npt.NDArray[np.int64]) -> Frequencies:
        rows = self._inner.step(state, symbols)
        if self._looks():
            self._check(rows[symbols != IDLE] if (symbols == IDLE).any() else rows)
        return rows

    def start(self, lanes: int) -> Any:
        return self._inner.start(lanes)

    def _score(self, segment: Symbols, restarts: npt.NDArray[np.bool_] | None = None) -> Iterator[Frequencies]:
        told = 0
        for rows in self._inner.score(segment, restarts):  # type: ignore[attr-defined]
            if self._looks():
                self._check(rows)
            told += len(rows)
            yield rows
        if told != len(segment):
            raise PartError(f"{self._who}: score gave {told} rows for a segment of {len(segment)} symbols")

    def _looks(self) -> bool:
        self._asked += 1
        return self._asked <= FIRST or self._asked % EVERY == 0

    def _check(self, rows: Frequencies) -> None:
        try:
            check_frequencies(rows[:LOOKED], self.alphabet, self._who)
        except CodingError as error:
            raise PartError(str(error)) from error

    def prove(self, symbols: Symbols) -> None:
        """Hold a predictor that says it is portable to it, once: on the first symbols of what is to be coded.

        The answers alone, among other lanes, and by scoring must be the same, bit for bit. What another machine
        answers cannot be known here.

        Raises:
            PartError: they are not.
        """
        if self._proved or self.portability != "portable":
            return
        known = symbols[:TRIED].astype(np.int64)
        alone = self._stepped(known, lanes=1, lane=0)
        self._same(alone, self._stepped(known, lanes=3, lane=1), "among other lanes")
        if hasattr(self._inner, "score"):
            scored = [rows.copy() for rows in self._score(symbols[:TRIED])]
            self._same(alone, np.concatenate([alone[:0], *scored]), "by scoring")
        self._proved = True

    def _stepped(self, known: npt.NDArray[np.int64], lanes: int, lane: int) -> Frequencies:
        """The rows of one lane; the others are given other symbols, or left alone."""
        state = self._inner.start(lanes)
        inputs = np.full(lanes, RESTART, np.int64)
        rows = np.zeros((len(known), self.alphabet), np.uint32)
        for i, symbol in enumerate(known.tolist()):
            answer = self._inner.step(state, inputs)
            self._check(answer[lane : lane + 1])
            rows[i] = answer[lane]
            inputs = np.full(lanes, IDLE if i % 3 else self.alphabet - 1 - symbol, np.int64)
            inputs[lane] = symbol
        return rows

    def _same(self, alone: Frequencies, other: Frequencies, how: str) -> None:
        differing = np.flatnonzero((alone != other).any(axis=1))
        if len(differing):
            raise PartError(
                f"{self._who}: says that it is portable, yet answers otherwise {how} than alone at symbol "
                f"{differing[0]}; portable means the same bits however it is asked, else say 'same-build' or "
                "'same-machine'"
            )


def prove(level: Level, symbols: Symbols) -> None:
    """Try a level that is coded in lanes on the first symbols of what it is to encode.

    A model that is still learning is not tried; what one that is not portable codes is decoded as a whole in any case.

    Raises:
        PartError: a model that is not as portable as it says, a coder that does not give back what it coded.
    """
    if level.coder.needs_model:
        if not isinstance(level.predictor, GuardedPredictor):
            return
        level.predictor.prove(symbols[: level.segment])
        if level.predictor.portability != "portable":
            return
    from stackc.lanes import encode_segments

    known = symbols[: min(CODED, level.segment)]
    coded = encode_segments(level, known, np.array([0, len(known)], np.int64), None)
    try:
        back = level.decode(coded.tokens).symbols
    except PartError:
        raise
    except CodingError as error:
        raise PartError(f"{level.coder_name}: does not decode what it encoded ({error})") from error
    if len(back) != len(known):
        raise PartError(f"{level.coder_name}: {len(known)} symbols decode to {len(back)}; all of them must come back")
    if not np.array_equal(back, known):
        place = int(np.flatnonzero(back != known)[0])
        raise PartError(f"{level.coder_name}: symbol {known[place]} decodes to {back[place]}, at {place}")
