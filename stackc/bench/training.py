"""Trained peers, and the folder that keeps them. The trainers run in workers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import make_folder_atomically
from stackc.api.names import expanded
from stackc.api.version import installed_version
from stackc.bench.entrants import Trainer
from stackc.bench.process import ask_once
from stackc.bench.sample import Sample
from stackc.bench.tokenizer_codecs import BPE, RANKS, SENTENCEPIECE

FORMAT = 1
"""Raised when a trainer's settings change: what the cache holds is then trained again."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/stackc/bench``, or in ``~/.cache``. Raises `StackcError` if there is no home folder."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():
        root = expanded("~/.cache")
    if not root.is_absolute():
        raise StackcError("bench: no home folder to keep trained tokenizers in; set XDG_CACHE_HOME to a folder")
    return root / "stackc" / "bench"


def trained(
    trainer: Trainer,
    variant: str | None,
    vocabulary: int,
    text: Sample,
    source: dict[str, object],
    timeout: float,
    report: Callable[[str], None],
) -> Path:
    """The folder of a trained peer; trains it where the cache has none for this text, vocabulary and version.

    Args:
        source: arguments of `sample` that give `text`, for the worker.

    Raises:
        WorkerError: the peer cannot be trained so.
        OSError, ArtifactError: the cache cannot be written.
    """
    key = [FORMAT, trainer.name, variant, installed_version(trainer.distribution), vocabulary, text.digest]
    short = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
    name = "-".join([trainer.name, *([variant] if variant else []), str(vocabulary), short])
    folder = cache_folder() / name
    if folder.is_dir():
        return folder
    report(f"training {trainer.name}: {vocabulary:,} texts out of {text.size / 1e6:.1f} MB")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with make_folder_atomically(folder) as partial:
            job = {"trainer": trainer.function, "vocabulary": vocabulary, "variant": variant, "folder": str(partial)}
            ask_once("train", {**job, **source}, timeout=timeout)
    except ArtifactError:
        if not folder.is_dir():  # else another process trained it meanwhile
            raise
    return folder


def train_bpe(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    """Byte-level BPE with GPT-2's pattern, for `tokenizers` and as ranks for `tiktoken`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocabulary < 256:
        raise ValueError(f"a byte-level vocabulary has at least 256 texts, not {vocabulary}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer.save(str(folder / BPE))
    byte_of = _byte_of_character()
    ranks = sorted((rank, bytes(byte_of[one] for one in token)) for token, rank in tokenizer.get_vocab().items())
    lines = [f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in ranks]
    (folder / RANKS).write_text("".join(lines))


def train_sentencepiece(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    """BPE or unigram pieces that give back what they are given."""
    import sentencepiece

    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line for text in texts for line in text.split("\n") if line),
            model_prefix=str(folder / Path(SENTENCEPIECE).stem),
            model_type=variant,
            vocab_size=vocabulary,
            byte_fallback=True,
            normalization_rule_name="identity",
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            allow_whitespace_only_pieces=True,
            bos_id=-1,
            eos_id=-1,
            max_sentence_length=1 << 20,
            num_threads=os.cpu_count() or 1,
            minloglevel=2,
        )
    except RuntimeError as error:  # "INTERNAL: src/file.cc(744) [condition] what it means"
        raise ValueError(re.sub(r"^\w+: \S+\(\d+\) \[.*\] (?=.)", "", str(error))) from error


def _byte_of_character() -> dict[str, int]:
    """Which byte each character of a byte-level vocabulary stands for: printable ones for themselves (GPT-2)."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + i): byte for i, byte in enumerate(others)}
