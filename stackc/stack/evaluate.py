"""Held-out figures of every level, and whether the text comes back (docs/concepts.md, "Figures").

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
"""Of `Cost`, which a predictor may know better."""


@attrs.frozen(kw_only=True)
class LevelFigures:
    """One row of the table: a level, or the top model (which makes no tokens).

    Attributes:
        name: of the level or the top model.
        tokens: what the level makes of the text; None for the top model.
        token_bits: log2 of the alphabet of those tokens; for the top model, of the tokens that it reads.
        bytes_per_token: source bytes / tokens; for the top model, of the tokens that it reads.
        uncut_bytes_per_token: bytes a token of the same level without its windowing's forced cuts; None without any.
        coded_bits_per_byte: tokens x bits a token / source bytes; None for the top model.
        model_bits_per_byte: the frozen model over the symbols it reads, contexts of a whole segment.
        coding_bits_per_byte: the same model in the contexts in which it codes.
        uniform_bits_per_byte: symbols x log2(alphabet) / source bytes.
        unigram_bits_per_byte: the symbols under their frequencies in the training text.
        parameters: of the model; 0 where the coder needs none.
        ops_per_byte_body: operations a source byte without softmax, with all models below that must run.
        ops_per_byte_softmax: operations a source byte of the softmaxes of the same models.
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
    """Figures of held-out text, and whether decoding every level back gave it, byte for byte.

    Attributes:
        source_bytes: of the text.
        documents: their number.
        failure: who did not give back what, at the lowest level that did not; None where all came back.
        levels: the rows.
    """

    source_bytes: int
    documents: int
    failure: str | None
    levels: tuple[LevelFigures, ...]

    @property
    def round_trip(self) -> bool:
        """Whether decoding every level back gave the text."""
        return self.failure is None

    def to_dict(self) -> dict[str, Any]:
        fields = attrs.asdict(self)
        del fields["failure"]
        return {**fields, "round_trip": self.round_trip}


@attrs.frozen(kw_only=True)
class Measured:
    """What `evaluate` is told of one model: a level's, or the top one.

    Attributes:
        name: of the level.
        alphabet: of the symbols that it reads.
        segment: symbols in a segment.
        counts: int64[A], the symbols of the training text.
        cost: parameters and operations; None without a model.
        load: gives the frozen model; None without one.
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
    """Measure every level on documents, and decode all of them back.

    Args:
        measured: the levels, lowest first, then the top model.
        documents: held-out text, each document coded alone.
        report: told what is being done, for progress.
    """
    chunk = bytes_chunk(documents)
    source_bytes = int(chunk.source_bytes.sum())
    symbols: Symbols = chunk.symbols
    offsets = chunk.offsets
    rows: list[LevelFigures] = []
    body = softmax = 0.0  # operations of all models below that must run
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
    """Bytes a token where no cut is forced."""
    if level is None or level.spec.windowing.cuts is None:
        return None
    return _per_byte(source_bytes, len(level.without_cuts().encode(symbols, offsets).tokens))


def _model_figures(
    one: Measured, symbols: Symbols, offsets: Int64, starts: Int64 | None, source_bytes: int
) -> dict[str, Any]:
    """The model's sizes, and what it pays in contexts of a whole segment, and in those in which it codes."""
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
    """amount / units; None where there is nothing to divide by (an empty file)."""
    return amount / units if units else None
