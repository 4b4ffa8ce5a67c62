"""Figures of every level on held-out text, and whether the text decodes (docs/concepts.md, "Figures").

All figures divide by the bytes of the source, counted before anything is encoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs

from stackc.api.arrays import Int64, Symbols
from stackc.api.models import Cost, Predictor
from stackc.coding.level import Level
from stackc.coding.scoring import total_bits, unigram_bits
from stackc.coding.verify import not_restored
from stackc.stack.store import bytes_chunk

SIZES = ("parameters", "body_ops", "softmax_ops")
"""Fields of `Cost` that a predictor may know more exactly."""


@attrs.frozen(kw_only=True)
class LevelFigures:
    """One row of the table: a level, or the top model (which has no tokens).

    Attributes:
        name: name of the level or the top model.
        tokens: number of the level's tokens; None for the top model.
        token_bits: log2 of the token alphabet; for the top model, of the tokens that it reads.
        bytes_per_token: source bytes / tokens; for the top model, the tokens that it reads.
        uncut_bytes_per_token: bytes per token of the same level without its windowing's forced cuts; None if it has
            none.
        coded_bits_per_byte: tokens x bits per token / source bytes; None for the top model.
        model_bits_per_byte: cost of the symbols under the frozen model, with contexts of a whole segment.
        coding_bits_per_byte: the same with the contexts in which the model codes.
        uniform_bits_per_byte: symbols x log2(alphabet) / source bytes.
        unigram_bits_per_byte: cost of the symbols under their frequencies in the training text.
        parameters: parameters of the model; 0 without a model.
        ops_per_byte_body: operations per source byte without softmax, including all lower models that must run.
        ops_per_byte_softmax: operations per source byte in the softmaxes of the same models.
    """

    name: str
    tokens: int | None
    token_bits: float
    bytes_per_token: float | None
    uncut_bytes_per_token: float | None
    coded_bits_per_byte: float | None
    model_bits_per_byte: float | None
    coding_bits_per_byte: float | None
    uniform_bits_per_byte: float | None
    unigram_bits_per_byte: float | None
    parameters: int
    ops_per_byte_body: float | None
    ops_per_byte_softmax: float | None


@attrs.frozen(kw_only=True)
class Evaluation:
    """Figures of held-out text, and whether decoding through all levels restored it, byte for byte.

    Attributes:
        source_bytes: size of the text.
        documents: number of documents.
        failure: what failed to decode at the lowest level that failed; None if everything decoded.
        levels: the rows.
    """

    source_bytes: int
    documents: int
    failure: str | None
    levels: tuple[LevelFigures, ...]

    @property
    def round_trip(self) -> bool:
        """Whether decoding through all levels restored the text."""
        return self.failure is None

    def to_dict(self) -> dict[str, Any]:
        fields = attrs.asdict(self)
        del fields["failure"]
        return {**fields, "round_trip": self.round_trip}


@attrs.frozen(kw_only=True)
class Measured:
    """One input of `evaluate`: a level, or the top model.

    Attributes:
        name: name of the level or the top model.
        alphabet: alphabet of the symbols that it reads.
        segment: symbols in a segment.
        counts: int64[A], counts of the symbols in the training text.
        cost: parameters and operations; None without a model.
        load: returns the frozen model; None without a model.
        level: None for the top model.
    """

    name: str
    alphabet: int
    segment: int
    counts: Int64
    cost: Cost | None
    load: Callable[[], Predictor] | None
    level: Level | None


def evaluate(
    measured: list[Measured], documents: list[bytes], report: Callable[[str], None] = lambda stage: None
) -> Evaluation:
    """Measure every level on documents, and decode all of them.

    Args:
        measured: the levels, lowest first, then the top model.
        documents: held-out text; each document is coded independently.
        report: receives the name of each step, for progress.
    """
    chunk = bytes_chunk(documents)
    source_bytes = int(chunk.source_bytes.sum())
    symbols: Symbols = chunk.symbols
    offsets = chunk.offsets
    rows: list[LevelFigures] = []
    body = softmax = 0.0  # operations of all lower models that must run
    failure: str | None = None
    for one in measured:
        level = one.level
        tokens, token_offsets, starts = symbols, offsets, None
        if level is not None:
            report(f"{one.name}: encoding and decoding")
            coded = level.encode(symbols, offsets)
            tokens, token_offsets, starts = coded.tokens, coded.offsets, coded.starts
            failure = failure or not_restored(level, coded, symbols, offsets)
        report(f"{one.name}: scoring")
        own = _model_figures(one, symbols, offsets, starts, source_bytes)
        own_body = _per_byte(own.pop("body_ops") * len(symbols), source_bytes)
        own_softmax = _per_byte(own.pop("softmax_ops") * len(symbols), source_bytes)
        token_bits = math.log2(one.alphabet if level is None else level.token_alphabet)
        rows.append(
            LevelFigures(
                name=one.name,
                tokens=None if level is None else len(tokens),
                token_bits=token_bits,
                bytes_per_token=_per_byte(source_bytes, len(tokens)),
                uncut_bytes_per_token=_uncut(level, symbols, offsets, source_bytes),
                coded_bits_per_byte=None if level is None else _per_byte(len(tokens) * token_bits, source_bytes),
                uniform_bits_per_byte=_per_byte(len(symbols) * math.log2(one.alphabet), source_bytes),
                unigram_bits_per_byte=_per_byte(unigram_bits(one.counts, symbols), source_bytes),
                ops_per_byte_body=None if own_body is None else own_body + body,
                ops_per_byte_softmax=None if own_softmax is None else own_softmax + softmax,
                **own,
            )
        )
        if level is not None and level.route.runs_model:
            body, softmax = body + (own_body or 0.0), softmax + (own_softmax or 0.0)
        symbols, offsets = tokens, token_offsets
    return Evaluation(source_bytes=source_bytes, documents=len(documents), failure=failure, levels=tuple(rows))


def _uncut(level: Level | None, symbols: Symbols, offsets: Int64, source_bytes: int) -> float | None:
    """Bytes per token if no cut is forced; None if the windowing forces none, or its table makes other codes."""
    if level is None or level.spec.windowing.cuts is None or level.spec.windowing.table is not None:
        return None
    return _per_byte(source_bytes, len(level.without_cuts().encode(symbols, offsets).tokens))


def _model_figures(
    one: Measured, symbols: Symbols, offsets: Int64, starts: Int64 | None, source_bytes: int
) -> dict[str, Any]:
    """The model's sizes, and its bits per byte in contexts of a whole segment and in the contexts in which it codes."""
    if one.load is None or one.cost is None:
        none = {"model_bits_per_byte": None, "coding_bits_per_byte": None}
        return {"parameters": 0, "body_ops": 0, "softmax_ops": 0, **none}
    predictor = one.load()
    sizes = {name: getattr(predictor, name, getattr(one.cost, name)) for name in SIZES}
    whole = coding = _per_byte(total_bits(predictor, symbols, offsets, one.segment), source_bytes)
    if one.level is not None and one.level.spec.restarts_with_window:
        coding = _per_byte(total_bits(predictor, symbols, offsets, one.segment, starts), source_bytes)
    return {**sizes, "model_bits_per_byte": whole, "coding_bits_per_byte": coding}


def _per_byte(amount: float, units: int) -> float | None:
    """amount / units; None if `units` is 0 (an empty file)."""
    return amount / units if units else None
