"""Who takes part: the stack, and the peers that are known. Only looks for peers; imports none."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from typing import Any, Literal

import attrs

from stackc.api.errors import StackcError

Kind = Literal["stack", "tokenizer", "compressor"]


@attrs.frozen(kw_only=True)
class Trainer:
    """How a peer is trained.

    Attributes:
        name: of its files in the cache.
        function: "module:function", called in a worker as (texts, vocabulary, variant, folder).
        distribution: the package that trains; its version is part of the key.
    """

    name: str
    function: str
    distribution: str


@attrs.frozen(kw_only=True)
class Peer:
    """A library to compare with.

    Attributes:
        name: as `--against` takes it.
        kind: tokenizers are trained, at the vocabulary of the stack's level.
        codec: "module:Class", made in a worker.
        modules: what must be importable, by the name of the package that has it.
        variants: what may follow the name after a colon.
        default: the variant meant by the name alone; a compressor's is the default of its tool.
        trainer: None where there is nothing to train.
    """

    name: str
    kind: Kind
    codec: str
    modules: dict[str, str] = attrs.field(factory=dict)
    variants: tuple[str, ...] = ()
    default: str | None = None
    trainer: Trainer | None = None

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package, module in self.modules.items() if importlib.util.find_spec(module) is None]


@attrs.frozen(kw_only=True)
class Entrant:
    """One row of the table, ready to run in a worker.

    Attributes:
        name: what the row is called.
        kind: the stack's own failures end the run, those of others end their row.
        codec: "module:Class".
        settings: what the class is made with.
    """

    name: str
    kind: Kind
    codec: str
    settings: dict[str, Any] = attrs.field(factory=dict)


_TOKENIZER = "stackc.bench.tokenizer_codecs"
_COMPRESSOR = "stackc.bench.compressor_codecs"
_BPE = Trainer(name="bpe", function="stackc.bench.training:train_bpe", distribution="tokenizers")
_SENTENCEPIECE = Trainer(
    name="sentencepiece", function="stackc.bench.training:train_sentencepiece", distribution="sentencepiece"
)


def _levels(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(level) for level in range(first, last + 1))


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            name="tiktoken",
            kind="tokenizer",
            codec=f"{_TOKENIZER}:Tiktoken",
            modules={"tiktoken": "tiktoken", "tokenizers": "tokenizers"},
            trainer=_BPE,
        ),
        Peer(
            name="tokenizers",
            kind="tokenizer",
            codec=f"{_TOKENIZER}:Tokenizers",
            modules={"tokenizers": "tokenizers"},
            trainer=_BPE,
        ),
        Peer(
            name="sentencepiece",
            kind="tokenizer",
            codec=f"{_TOKENIZER}:Sentencepiece",
            modules={"sentencepiece": "sentencepiece"},
            variants=("bpe", "unigram"),
            default="bpe",
            trainer=_SENTENCEPIECE,
        ),
        Peer(name="gzip", kind="compressor", codec=f"{_COMPRESSOR}:Gzip", variants=_levels(1, 9), default="6"),
        Peer(name="bzip2", kind="compressor", codec=f"{_COMPRESSOR}:Bzip2", variants=_levels(1, 9), default="9"),
        Peer(name="xz", kind="compressor", codec=f"{_COMPRESSOR}:Xz", variants=_levels(0, 9), default="6"),
        Peer(
            name="zstd",
            kind="compressor",
            codec=f"{_COMPRESSOR}:Zstd",
            modules={"zstandard": "zstandard"},
            variants=_levels(1, 22),
            default="3",
        ),
        Peer(
            name="brotli",
            kind="compressor",
            codec=f"{_COMPRESSOR}:Brotli",
            modules={"brotli": "brotli"},
            variants=_levels(0, 11),
            default="11",
        ),
    )
}
"""By name, in the order of the table."""


def chosen(against: Sequence[str] | None) -> list[tuple[str, Peer, str | None]]:
    """(name of the row, peer, variant) of what was asked for; None: all that are known, at their defaults.

    Raises:
        StackcError: a name or a variant that is not known.
    """
    rows = []
    for item in dict.fromkeys(PEERS if against is None else against):
        name, colon, variant = item.partition(":")
        peer = PEERS.get(name)
        if peer is None:
            near = difflib.get_close_matches(name, PEERS, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise StackcError(f"--against: no peer named {name!r}; {hint}known: {', '.join(PEERS)}")
        if colon and variant not in peer.variants:
            known = f"known: {', '.join(peer.variants)}" if peer.variants else "it has no variants"
            raise StackcError(f"--against {item}: no {variant!r} of {name}; {known}")
        rows.append((item, peer, variant if colon else peer.default))
    return rows
