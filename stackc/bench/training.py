"""Trained peers, and the cache that keeps them. The trainers run in workers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import attrs

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import make_folder_atomically
from stackc.api.names import expanded
from stackc.api.version import installed_version
from stackc.bench.codecs import BPE, RANKS, SENTENCEPIECE
from stackc.bench.entrants import Trainer
from stackc.bench.process import Worker
from stackc.bench.sample import Sample, sample

FORMAT = 1
"""Raise it when a trainer's settings change: cached tokenizers are then trained again."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/stackc/bench``, or in ``~/.cache``. Raises `StackcError` if there is no home folder."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():
        root = expanded("~/.cache")
    if not root.is_absolute():
        raise StackcError("bench: no home folder to keep trained tokenizers in; set XDG_CACHE_HOME to a folder")
    return root / "stackc" / "bench"


@attrs.define(kw_only=True)
class Training:
    """Trains peers on the stack's own text, each at most once per text, vocabulary, variant and version.

    Attributes:
        store: folder of the token store that holds the training text.
        limit: bytes of it to train on, at most.
        vocabulary: number of tokens to train.
        timeout: seconds that one training may take.
        report: called with a line as work proceeds.
    """

    store: Path
    limit: int
    vocabulary: int
    timeout: float
    report: Callable[[str], None]
    _text: Sample | None = attrs.field(default=None, init=False)

    def figures(self) -> dict[str, int] | None:
        """Bytes that peers were trained on, and bytes of the whole training text; None if none was trained."""
        return None if self._text is None else {"bytes": self._text.size, "of": self._text.total}

    def folder(self, trainer: Trainer, variant: str | None) -> Path:
        """The folder of a trained peer: from the cache, or trained now.

        Raises:
            WorkerError: the peer cannot be trained with these settings.
            OSError, ArtifactError: the text cannot be read, or the cache cannot be written.
        """
        if not (self.store / "store.json").is_file():
            raise ArtifactError("the stack has no training text of its own; use the folder in which it was built")
        text = self._text = self._text or sample(self.store, self.limit)
        key = [FORMAT, trainer.name, variant, installed_version(trainer.distribution), self.vocabulary, text.digest]
        short = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]
        folder = cache_folder() / "-".join(filter(None, [trainer.name, variant, str(self.vocabulary), short]))
        if folder.is_dir():
            return folder
        self.report(f"training {trainer.name}: {self.vocabulary:,} tokens on {text.size / 1e6:.1f} MB")
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            with make_folder_atomically(folder) as partial, Worker(self.timeout) as worker:
                worker.ask(
                    "train", trainer=trainer.function, vocabulary=self.vocabulary, variant=variant,
                    folder=str(partial), store=str(self.store.resolve()), limit=self.limit,
                )  # fmt: skip
        except ArtifactError:
            if not folder.is_dir():  # else another process has trained it in the meantime
                raise
        return folder


def train_bpe(texts: list[str], vocabulary: int, variant: str | None, folder: Path) -> None:
    """Byte-level BPE with GPT-2's pattern, for `tokenizers` and as ranks for `tiktoken`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if vocabulary < 256:
        raise ValueError(f"a byte-level vocabulary has at least 256 tokens, not {vocabulary}")
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
    """BPE or unigram pieces that restore their input exactly."""
    import sentencepiece

    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line for text in texts for line in text.split("\n") if line),
            model_prefix=str(folder / Path(SENTENCEPIECE).stem), model_type=variant, vocab_size=vocabulary,
            # Nothing may be lost, and no id is spent on marks that no text needs.
            byte_fallback=True, normalization_rule_name="identity", add_dummy_prefix=False,
            remove_extra_whitespaces=False, allow_whitespace_only_pieces=True, bos_id=-1, eos_id=-1,
            max_sentence_length=1 << 20, num_threads=os.cpu_count() or 1, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:  # "INTERNAL: src/file.cc(744) [condition] explanation"
        raise ValueError(re.sub(r"^\w+: \S+\(\d+\) \[.*\] (?=.)", "", str(error))) from error


def _byte_of_character() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary represents; printable bytes are themselves (GPT-2)."""
    own = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + i): byte for i, byte in enumerate(others)}
