"""The entrants: the stack, and the peers that stackc knows. Peers are looked for here, not imported."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Sequence
from typing import Any, Literal

import attrs

from stackc.api.errors import StackcError

Kind = Literal["stack", "file", "tokenizer", "compressor"]
"""``stack``: a level's tokens; ``file``: the stack's `.stk` files."""


@attrs.frozen(kw_only=True)
class Trainer:
    """How a peer is trained.

    Attributes:
        name: of its files in the cache.
        function: "module:function", called in a worker as (texts, vocabulary, variant, folder).
        distribution: the package that trains; its version is part of the cache's key.
    """

    name: str
    function: str
    distribution: str


@attrs.frozen(kw_only=True)
class Peer:
    """A library to compare with.

    Attributes:
        name: the value of `--against`.
        kind: tokenizers are trained with the vocabulary size of the stack's level.
        codec: "module:Class", created in a worker.
        settings: arguments of the class.
        packages: that it needs; each is imported under its own name, with "_" for "-".
        variants: what may follow the name after a colon.
        default: the variant that the name alone means; for a compressor, that of its command-line tool, or its best.
        also: variants with their own rows when all peers are asked for.
        slow: variants that code the beginning of a long file only.
        trainer: None if there is nothing to train.
    """

    name: str
    kind: Kind
    codec: str
    settings: dict[str, Any] = attrs.field(factory=dict)
    packages: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    default: str | None = None
    also: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    trainer: Trainer | None = None

    def rows(self) -> list[str]:
        """Names of its rows when all peers are asked for."""
        return [self.name, *(f"{self.name}:{variant}" for variant in self.also)]

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [name for name in self.packages if importlib.util.find_spec(name.replace("-", "_")) is None]


@attrs.frozen(kw_only=True)
class Entrant:
    """One row of the table, ready to run in a worker.

    Attributes:
        name: of the row.
        kind: a failure of the stack ends the run, a failure of any other entrant only its row.
        codec: "module:Class".
        settings: arguments of the class.
        limit: it codes at most this many bytes, from the beginning of the file; None: all of it.
        absent: why it does not run; None if it does.
    """

    name: str
    kind: Kind
    codec: str
    settings: dict[str, Any] = attrs.field(factory=dict)
    limit: int | None = None
    absent: str | None = None


CODECS = "stackc.bench.codecs"
_BPE = Trainer(name="bpe", function="stackc.bench.training:train_bpe", distribution="tokenizers")
_SENTENCEPIECE = Trainer(
    name="sentencepiece", function="stackc.bench.training:train_sentencepiece", distribution="sentencepiece"
)


def _tokenizer(codec: str, trainer: Trainer, *packages: str, **variants: Any) -> Peer:
    return Peer(
        name=codec.lower(), kind="tokenizer", codec=f"{CODECS}:{codec}", trainer=trainer, packages=packages, **variants
    )


def _compressor(
    name: str,
    module: str,
    parameter: str,
    levels: range,
    default: int,
    *packages: str,
    also: tuple[str, ...] = (),
    slow: tuple[str, ...] = (),
    codec: str = "Compressor",
    **others: Any,
) -> Peer:
    return Peer(
        name=name,
        kind="compressor",
        codec=f"{CODECS}:{codec}",
        settings={"module": module, "parameter": parameter, **others},
        packages=packages,
        variants=tuple(map(str, levels)),
        default=str(default),
        also=also,
        slow=slow,
    )


_PPMD = Peer(
    name="ppmd",
    kind="compressor",
    codec=f"{CODECS}:Ppmd",
    packages=("pyppmd",),
    variants=tuple(map(str, range(2, 65))),
    default="16",
)

PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        _tokenizer("Tiktoken", _BPE, "tiktoken", "tokenizers"),
        _tokenizer("Tokenizers", _BPE, "tokenizers"),
        _tokenizer("Gigatoken", _BPE, "gigatoken", "tokenizers"),
        _tokenizer("Fastokens", _BPE, "fastokens", "tokenizers"),
        _tokenizer("Tokie", _BPE, "tokie", "tokenizers"),
        _tokenizer("Sentencepiece", _SENTENCEPIECE, "sentencepiece", variants=("bpe", "unigram"), default="bpe"),
        _compressor("gzip", "gzip", "compresslevel", range(1, 10), 6, mtime=0),
        _compressor("bzip2", "bz2", "compresslevel", range(1, 10), 9),
        _compressor("xz", "lzma", "preset", range(10), 6),
        _compressor("zstd", "zstandard", "level", range(1, 23), 3, "zstandard"),
        _compressor("brotli", "brotli", "quality", range(12), 11, "brotli"),
        _PPMD,
        _compressor(
            "kanzi", "kanzi", "level", range(1, 10), 9, "kanzi", also=("7",), slow=("8", "9"), block="block_size"
        ),
        # By default it cuts the file into as many blocks as there are cores, and compresses less.
        _compressor(
            "zpaq",
            "zpaq",
            "level",
            range(1, 6),
            5,
            "zpaq",
            slow=("4", "5"),
            codec="Zpaq",
            threads=1,
            decoding={"threads": 1},
        ),
    )
}
"""By name, in the order of the table."""


def chosen(against: Sequence[str] | None) -> list[tuple[str, Peer, str | None]]:
    """(name of the row, peer, variant) for every requested peer; None: all rows of all known peers.

    Raises:
        StackcError: an unknown name or variant.
    """
    rows = []
    everyone = [name for peer in PEERS.values() for name in peer.rows()]
    for item in dict.fromkeys(everyone if against is None else against):
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
