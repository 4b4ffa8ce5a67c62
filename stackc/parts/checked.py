"""Checks of what parts return while they code: a broken rule is an error that names the level, the part and the rule.

A build also decodes and compares its held-out text. These checks find a fault before a long run, and name the part.
They are cheap: a part's first results, then one in `EVERY`, and sums over whole results. Exceptions that a part should
not raise become errors that name it (`stackc.parts.blame`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np

from stackc.api.arrays import IDLE, RESTART, Frequencies, Int64, Mask, Symbols
from stackc.api.errors import CodingError, PartError
from stackc.api.frequencies import check_frequencies
from stackc.api.models import Portability, Predictor
from stackc.api.readers import HashedReader, Reader
from stackc.api.windowings import Windowing
from stackc.parts.abilities import compiles_step
from stackc.parts.blame import blaming
from stackc.parts.compiled import checked_step, compiled_rows, started

Item = TypeVar("Item")

FIRST = 8
"""The first results of a predictor, all of which are checked."""

EVERY = 64
"""Of the later results, one in this many is checked."""

TRIED = 16
"""Symbols on which a portable predictor must give the same rows however it is called."""

LOOKED = 256
"""Rows of a result that are checked: the first ones of a whole scored segment."""


def check_loaded(made: Any, methods: Iterable[str], alphabet: int, who: str) -> None:
    """Raise `PartError` unless a backend's `load` gave a model with these methods, of this alphabet, that says where it
    decodes."""
    if lacking := [name for name in ("alphabet", "portability", *methods) if not hasattr(made, name)]:
        raise PartError(f"{who}: load gave a {type(made).__name__} without {', '.join(lacking)}")
    if made.alphabet != alphabet:
        raise PartError(f"{who}: has an alphabet of {made.alphabet} symbols; the level reads one of {alphabet}")
    if made.portability not in get_args(Portability):
        known = ", ".join(map(repr, get_args(Portability)))
        raise PartError(f"{who}: a portability of {made.portability!r}; there are {known}")


class GuardedPredictor:
    """A loaded predictor whose results are checked as they pass. It has the optional methods of the inner predictor.

    Args:
        inner: the predictor.
        alphabet: the A that the level needs.
        who: `stackc.parts.blame.blame` of its part.

    Raises:
        PartError: it is not a predictor, or has another alphabet or an unknown portability.

    Attributes:
        kept: what must last as long as the predictor, such as the folder of the files that it reads.
    """

    kept: object = None

    def __init__(self, inner: Predictor, alphabet: int, who: str) -> None:
        check_loaded(inner, ("start", "step"), alphabet, who)
        self._inner, self._who, self._asked, self._proved = inner, who, 0, False
        self.who = who
        self.alphabet, self.portability = alphabet, inner.portability
        most = getattr(inner, "max_lanes", None)
        if most is not None and (type(most) is not int or most < 1):
            raise PartError(f"{who}: max_lanes is {most!r}; it is a whole number, 1 or more")

    def __getattr__(self, name: str) -> Any:
        """Everything else, such as `take` and `parameters`; `score` only if the predictor has it."""
        if name == "_inner":  # while a copy is being made it does not exist yet
            raise AttributeError(name)
        found = getattr(self._inner, name)
        return self._score if name == "score" else found

    def step(self, state: Any, symbols: Int64) -> Frequencies:
        rows = self._ask(state, symbols)
        if self._looks():
            self._check(rows[symbols != IDLE] if (symbols == IDLE).any() else rows)
        return rows

    def _ask(self, state: Any, symbols: Int64) -> Frequencies:
        with blaming(self._who, "step"):
            rows = self._inner.step(state, symbols)
        self._check_type(rows, "step")
        return rows

    def start(self, lanes: int) -> Any:
        with blaming(self._who, "start"):
            return self._inner.start(lanes)

    def _score(self, segment: Symbols, restarts: Mask | None = None) -> Iterator[Frequencies]:
        count = 0
        scored: Any = self._inner
        for rows in _each(self._who, "score", lambda: scored.score(segment, restarts)):
            self._check_type(rows, "score")
            if self._looks():
                self._check(rows)
            count += len(rows)
            yield rows
        if count != len(segment):
            raise PartError(f"{self._who}: score gave {count} rows for a segment of {len(segment)} symbols")

    def _looks(self) -> bool:
        self._asked += 1
        return self._asked <= FIRST or self._asked % EVERY == 0

    def _check_type(self, rows: object, method: str) -> None:
        if not isinstance(rows, np.ndarray) or rows.ndim != 2:
            said = f"an array of shape {rows.shape}" if isinstance(rows, np.ndarray) else f"a {type(rows).__name__}"
            raise PartError(f"{self._who}: {method} gave {said}; frequencies are uint32[rows, {self.alphabet}]")

    def _check(self, rows: Frequencies) -> None:
        try:
            check_frequencies(rows[:LOOKED], self.alphabet, self._who)
        except CodingError as error:
            raise PartError(str(error)) from error

    def prove(self, symbols: Symbols) -> None:
        """Check once that a predictor is as portable as it says, on the first symbols of the text to code.

        The rows of a single lane, of a lane among others, and of scoring must be equal, bit for bit. The
        frequencies of another machine cannot be known here.

        Raises:
            PartError: they are not equal.
        """
        if self._proved or self.portability != "portable":
            return
        known = symbols[:TRIED].astype(np.int64)
        alone = self._stepped(known, lanes=1, lane=0)
        others = lanes_of(self._inner, 3)
        if others > 1:
            self._same(alone, self._stepped(known, lanes=others, lane=1), "among other lanes")
        if hasattr(self._inner, "score"):
            scored = [rows.copy() for rows in self._score(symbols[:TRIED])]
            self._same(alone, np.concatenate([alone[:0], *scored]), "by scoring")
        if compiles_step(self._inner):
            step = checked_step(self._inner, self._who)
            state = started(step, self._inner, others, self._who)
            with blaming(self._who, "compiled"):
                rows = compiled_rows(step, state, known, others - 1, self.alphabet)
            self._same(alone, rows, "by its compiled step")
        self._proved = True

    def _stepped(self, known: Int64, lanes: int, lane: int) -> Frequencies:
        """The rows of one lane; the other lanes receive other symbols, or are idle."""
        state = self.start(lanes)
        inputs = np.full(lanes, RESTART, np.int64)
        rows = np.zeros((len(known), self.alphabet), np.uint32)
        for i, symbol in enumerate(known.tolist()):
            answer = self._ask(state, inputs)
            self._check(answer[lane : lane + 1])
            rows[i] = answer[lane]
            inputs = np.full(lanes, IDLE if i % 3 else self.alphabet - 1 - symbol, np.int64)
            inputs[lane] = symbol
        return rows

    def _same(self, alone: Frequencies, other: Frequencies, how: str) -> None:
        differing = np.flatnonzero((alone != other).any(axis=1))
        if len(differing):
            raise PartError(
                f"{self._who}: says that it is portable, yet its predictions {how} differ from those alone at symbol "
                f"{differing[0]}; portable means the same bits however it is called; otherwise declare 'same-build' or "
                "'same-machine'"
            )


def lanes_of(predictor: Predictor | None, lanes: int) -> int:
    """The lanes that a state may have where `lanes` are wanted: at most the `max_lanes` of the predictor."""
    most: int | None = getattr(predictor, "max_lanes", None)
    return lanes if most is None else min(lanes, most)


def _each(who: str, what: str, make: Callable[[], Iterable[Item]]) -> Iterator[Item]:
    """The items of a part's generator. Exceptions in the generator name the part; those of the consumer do not."""
    with blaming(who, what):
        items = iter(make())
    while True:
        with blaming(who, what):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


def cuts_of(windowing: Windowing, segment: Symbols, who: str, twice: bool = False) -> Mask:
    """Where a windowing forces windows to start in a segment: bool[n]. The windowing must have `cuts`.

    Args:
        who: `stackc.parts.blame.blame` of its part.
        twice: ask twice and compare the results.

    Raises:
        PartError: a result of the wrong type or shape, two different results, or an attempt to change the segment.
    """
    assert windowing.cuts is not None
    given = segment.view()
    given.flags.writeable = False
    answers = []
    for _ in range(2 if twice else 1):
        with blaming(who, "cuts"):
            forced = windowing.cuts(given)
        if not isinstance(forced, np.ndarray) or forced.dtype != np.bool_ or forced.shape != segment.shape:
            said = f"{forced.dtype}{list(forced.shape)}" if isinstance(forced, np.ndarray) else type(forced).__name__
            raise PartError(f"{who}: cuts of {len(segment)} symbols are {said}, not bool[n]")
        answers.append(forced)
    if not np.array_equal(answers[0], answers[-1]):
        raise PartError(f"{who}: cuts of a segment are others when asked again; they must be a function of its symbols")
    return answers[0]


def cuts_of_segments(windowing: Windowing, symbols: Symbols, edges: Int64, who: str) -> Mask:
    """The same in all segments by one call: bool[n]. The `cuts` of the windowing must have a method `of_segments`.

    Args:
        edges: int64[s + 1], the bounds of the segments, which are contiguous and not empty.

    Raises:
        PartError: a result of the wrong type or shape.
    """
    cuts: Any = windowing.cuts
    inside = symbols[edges[0] : edges[-1]].view()
    inside.flags.writeable = False
    with blaming(who, "cuts.of_segments"):
        forced = cuts.of_segments(inside, edges - edges[0])
    if not isinstance(forced, np.ndarray) or forced.dtype != np.bool_ or forced.shape != inside.shape:
        said = f"{forced.dtype}{list(forced.shape)}" if isinstance(forced, np.ndarray) else type(forced).__name__
        raise PartError(f"{who}: cuts.of_segments of {len(inside)} symbols are {said}, not bool[n]")
    if len(inside) == len(symbols):
        return forced
    made = np.zeros(len(symbols), np.bool_)
    made[edges[0] : edges[-1]] = forced
    return made


class GuardedReader:
    """A reader whose documents and fingerprints are checked.

    Args:
        inner: the reader.
        who: `stackc.parts.blame.blame` of its part.

    Attributes:
        hashed: its fingerprint is the hash of its documents that `HashedReader` defines, so that reading gives it.
        by_file: its documents are those of its files, one after another.
    """

    def __init__(self, inner: Reader, who: str) -> None:
        self._inner, self._who = inner, who
        kind = type(inner)
        own = isinstance(inner, HashedReader)
        self.hashed = own and _same(kind, "fingerprint") and _same(kind, "documents")
        self.by_file = self.hashed and not _same(kind, "files") and not _same(kind, "read_file")

    def documents(self, split: str) -> Iterator[bytes]:
        """The reader's documents. Raises `PartError` at one that is not bytes."""
        return self._checked("documents", lambda: self._inner.documents(split))

    def read(self, split: str) -> Iterator[bytes]:
        """The same documents, without the hash that the reader itself makes of them, if it is `hashed`."""
        inner: Any = self._inner
        return self._checked("read", lambda: inner.read(split)) if self.hashed else self.documents(split)

    def files(self, split: str) -> list[Path] | None:
        """The files on which a split depends; None if that is unknown. Raises `PartError` for anything else."""
        if not hasattr(self._inner, "files"):
            return None
        with blaming(self._who, "files"):
            found = self._inner.files(split)
        if found is not None and not (isinstance(found, list) and all(isinstance(one, Path) for one in found)):
            raise PartError(f"{self._who}: files gave {found!r:.100}; it is a list of paths, or None")
        return found

    def read_file(self, split: str, path: Path) -> Iterator[bytes]:
        """The documents of one file, if `by_file`. Raises `PartError` at one that is not bytes."""
        inner: Any = self._inner
        return self._checked("read_file", lambda: inner.read_file(split, path))

    def fingerprint(self, split: str) -> str:
        """The reader's fingerprint. Raises `PartError` if it is empty: changed text would go unnoticed."""
        with blaming(self._who, "fingerprint"):
            found = self._inner.fingerprint(split)
        if not isinstance(found, str) or not found:
            raise PartError(f"{self._who}: fingerprint gave {found!r}; it is a hash of the content, as text")
        return found

    def _checked(self, call: str, read: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        for document in _each(self._who, call, read):
            if not isinstance(document, bytes):
                raise PartError(f"{self._who}: {call} gave a {type(document).__name__}; every document is bytes")
            yield document


def _same(kind: type, name: str) -> bool:
    """Whether a reader's class has a method of `HashedReader` as it is."""
    return getattr(kind, name, None) is getattr(HashedReader, name)
