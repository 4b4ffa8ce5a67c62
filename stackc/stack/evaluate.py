"""Figures of every level on held-out text, and whether the text decodes (docs/concepts.md, "Figures").

All figures divide by the bytes of the source, counted before anything is encoded.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import attrs

from stackc.api.arrays import Int64, Symbols
from stackc.api.models import Cost, Predictor
from stackc.coding.level import Level
from stackc.coding.scoring import symbol_bits, total_bits, unigram_bits
from stackc.coding.verify import not_restored
from stackc.stack.blocks import Blocks, BlockTally
from stackc.stack.learnability.figures import Learnability, Samples
from stackc.stack.learnability.positions import Position, by_position
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
        learnability: what its tokens offer to a model that learns from them; for the top model, nothing but None.
        by_position: how well the model predicts the tokens of a window of the level below, by their place in it, in
            contexts of a whole segment; None if windows have one token each, or if they differ.
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
    learnability: Learnability = attrs.field(factory=Learnability)
    by_position: tuple[Position, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """All figures by name; those of `learnability` stand among the others."""
        fields = attrs.asdict(self)
        among, places = fields.pop("learnability"), fields.pop("by_position")
        return {**fields, **among, "by_position": places}


@attrs.frozen(kw_only=True)
class Evaluation:
    """Figures of held-out text, and whether decoding through all levels restored it, byte for byte.

    Attributes:
        source_bytes: size of the text.
        documents: number of documents.
        failure: what failed to decode at the lowest level that failed; None if everything decoded.
        levels: the rows.
        blocks: the bits of the text under every model, block by block; not among the figures.
    """

    source_bytes: int
    documents: int
    failure: str | None
    levels: tuple[LevelFigures, ...]
    blocks: Blocks = attrs.field(eq=False, repr=False)

    @property
    def round_trip(self) -> bool:
        """Whether decoding through all levels restored the text."""
        return self.failure is None

    def to_dict(self) -> dict[str, Any]:
        return {
            "source_bytes": self.source_bytes,
            "documents": self.documents,
            "levels": [row.to_dict() for row in self.levels],
            "round_trip": self.round_trip,
        }


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
    tally = BlockTally(offsets)
    body = softmax = 0.0  # operations of all lower models that must run
    failure: str | None = None
    samples = Samples(symbols, offsets, [one.level for one in measured if one.level is not None])
    window_tokens: int | None = None  # of the level below
    for one, above in itertools.zip_longest(measured, measured[1:]):
        level = one.level
        tokens, token_offsets, starts, learnability = symbols, offsets, None, Learnability()
        if level is not None:
            report(f"{one.name}: encoding and decoding")
            coded = level.encode(symbols, offsets)
            tokens, token_offsets, starts = coded.tokens, coded.offsets, coded.starts
            failure = failure or not_restored(level, coded, symbols, offsets)
            learnability = samples.measure(level, symbols, starts, tokens, above.counts if above else None)
        report(f"{one.name}: scoring")
        own = _model_figures(one, symbols, offsets, starts, source_bytes, tally)
        own_body = _per_byte(own.pop("body_ops") * len(symbols), source_bytes)
        own_softmax = _per_byte(own.pop("softmax_ops") * len(symbols), source_bytes)
        rows.append(
            LevelFigures(
                name=one.name,
                **_token_figures(one, len(tokens), source_bytes),
                uncut_bytes_per_token=_uncut(level, symbols, offsets, source_bytes),
                uniform_bits_per_byte=_per_byte(len(symbols) * math.log2(one.alphabet), source_bytes),
                unigram_bits_per_byte=_per_byte(unigram_bits(one.counts, symbols), source_bytes),
                ops_per_byte_body=None if own_body is None else own_body + body,
                ops_per_byte_softmax=None if own_softmax is None else own_softmax + softmax,
                learnability=learnability,
                by_position=_by_position(one, symbols, offsets, window_tokens),
                **own,
            )
        )
        if level is not None and level.route.runs_model:
            body, softmax = body + (own_body or 0.0), softmax + (own_softmax or 0.0)
        window_tokens = None if level is None else level.window_tokens
        if level is not None:
            tally.ascend(level, coded, offsets)
        symbols, offsets = tokens, token_offsets
    return Evaluation(
        source_bytes=source_bytes,
        documents=len(documents),
        failure=failure,
        levels=tuple(rows),
        blocks=tally.blocks(),
    )


def _token_figures(one: Measured, tokens: int, source_bytes: int) -> dict[str, Any]:
    """The tokens that a level writes; those that the top model reads, which writes none."""
    level = one.level
    token_bits = math.log2(one.alphabet if level is None else level.token_alphabet)
    return {
        "tokens": None if level is None else tokens,
        "token_bits": token_bits,
        "bytes_per_token": _per_byte(source_bytes, tokens),
        "coded_bits_per_byte": None if level is None else _per_byte(tokens * token_bits, source_bytes),
    }


def _by_position(
    one: Measured, symbols: Symbols, offsets: Int64, window_tokens: int | None
) -> tuple[Position, ...] | None:
    """See `LevelFigures`."""
    if one.load is None or window_tokens is None or window_tokens == 1:
        return None
    return by_position(one.load(), symbols, offsets, one.segment, window_tokens)


def _uncut(level: Level | None, symbols: Symbols, offsets: Int64, source_bytes: int) -> float | None:
    """Bytes per token if no cut is forced; None if the windowing forces none, or its table makes other codes."""
    if level is None or level.spec.windowing.cuts is None or level.spec.windowing.table is not None:
        return None
    return _per_byte(source_bytes, len(level.without_cuts().encode(symbols, offsets).tokens))


def _model_figures(
    one: Measured, symbols: Symbols, offsets: Int64, starts: Int64 | None, source_bytes: int, tally: BlockTally
) -> dict[str, Any]:
    """The model's sizes, and its bits per byte in contexts of a whole segment and in the contexts in which it codes."""
    if one.load is None or one.cost is None:
        none = {"model_bits_per_byte": None, "coding_bits_per_byte": None}
        return {"parameters": 0, "body_ops": 0, "softmax_ops": 0, **none}
    predictor = one.load()
    sizes = {name: getattr(predictor, name, getattr(one.cost, name)) for name in SIZES}
    bits = tally.add(one.name, symbol_bits(predictor, symbols, offsets, one.segment))
    whole = coding = _per_byte(bits, source_bytes)
    if one.level is not None and starts is not None and one.level.spec.restarts_with_window:
        restarts = one.level.spec.restarts(starts, offsets)
        coding = _per_byte(total_bits(predictor, symbols, offsets, one.segment, restarts), source_bytes)
    return {**sizes, "model_bits_per_byte": whole, "coding_bits_per_byte": coding}


def _per_byte(amount: float, units: int) -> float | None:
    """amount / units; None if `units` is 0 (an empty file)."""
    return amount / units if units else None
