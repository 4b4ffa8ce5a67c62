"""The coder `bpe`: byte-level byte-pair encoding by the library `tokenizers`.

To the library a byte is the character of the same number, so any bytes are a text. Before merging, the text is cut as
GPT-2 cuts it, by `PATTERN`; bytes of 0x80 and above count as letters, so that a word in any language stays together and
invalid UTF-8 needs no special case. An artifact is the merges alone; the bytes of every token follow from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import ArtifactError, Int32, PlainTokenizer, Text, read_tensors, write_tensors
from stackc_subword.batches import WindowCoder
from stackc_subword.config import BYTES

FILE = "bpe.safetensors"

PATTERN = (
    r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z\x80-\xff]+| ?[0-9]+| ?[^ \t-\rA-Za-z0-9\x80-\xff]+"
    r"|[ \t-\r]+(?![^ \t-\r])|[ \t-\r]+"
)

LEAST = 2
"""A pair that occurs less often is not merged."""

LONGEST = 1 << 24
"""Bytes of all pieces together, at most: a few merges of merges could name more than any memory holds."""

_TRAINED = 1 << 16


class BpeCoder(WindowCoder):
    """Byte-pair encoding.

    Args:
        vocabulary: V; if the text has too few pairs, the last tokens represent nothing.
    """

    def __init__(self, vocabulary: int) -> None:
        super().__init__("bpe", vocabulary)
        self._tokenizer: Any = None
        self._merges = np.zeros((0, 2), np.int32)

    def plain(self) -> PlainTokenizer:
        """The merges and `PATTERN`."""
        return PlainTokenizer(model="bpe", pattern=PATTERN, merges=self._merges)

    def fit(self, train: Text, alphabet: int, folder: Path) -> None:
        """Train on the text and write the merges to `folder`."""
        from tokenizers import Tokenizer, models, trainers

        self.check_bytes(alphabet)
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = _splitter()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary,
            min_frequency=LEAST,
            initial_alphabet=[chr(byte) for byte in range(BYTES)],
            show_progress=False,
        )
        tokenizer.train_from_iterator(_pieces_of(train), trainer)
        model = json.loads(tokenizer.to_str())["model"]
        texts = {piece: token for token, piece in enumerate(map(chr, range(BYTES)))}
        merges = []
        for left, right in model["merges"]:
            merges.append((texts[left], texts[right]))
            texts.setdefault(left + right, len(texts))
        write_tensors(folder / FILE, {"merges": np.array(merges, np.int32).reshape(-1, 2)})

    def load(self, folder: Path) -> None:
        """Read the merges that `fit` wrote."""
        from tokenizers import Tokenizer, models

        path = folder / FILE
        merges = read_tensors(path).get("merges")
        if merges is None or merges.dtype != np.int32 or merges.ndim != 2 or merges.shape[1] != 2:
            raise ArtifactError(f"{path}: no merges in it; build the stack again")
        self.texts, self._merges = _texts(merges, self.vocabulary, path), merges
        names = [text.decode("latin-1") for text in self.texts]
        pairs = [(names[left], names[right]) for left, right in merges.tolist()]
        self._tokenizer = Tokenizer(models.BPE({name: token for token, name in enumerate(names)}, pairs))
        self._tokenizer.pre_tokenizer = _splitter()

    def code(self, windows: list[bytes]) -> Iterator[list[int]]:
        texts = [window.decode("latin-1") for window in windows]
        for coded in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False):
            yield coded.ids


def _splitter() -> Any:
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")


def _pieces_of(train: Text) -> Iterator[str]:
    """The documents in pieces, so that none is held in memory whole."""
    for document in train.documents():
        for start in range(0, len(document), _TRAINED):
            yield document[start : start + _TRAINED].astype(np.uint8).tobytes().decode("latin-1")


def _texts(merges: Int32, vocabulary: int, path: Path) -> list[bytes]:
    """The bytes of each token. Two merges may give the same text; the first of them makes its token."""
    texts = [bytes([byte]) for byte in range(BYTES)]
    known = set(texts)
    size = BYTES
    for left, right in merges.tolist():
        if not (0 <= left < len(texts) and 0 <= right < len(texts)):
            raise ArtifactError(f"{path}: a merge of tokens that are not there yet; build the stack again")
        size += len(texts[left]) + len(texts[right])
        if size > LONGEST:
            raise ArtifactError(f"{path}: merges of more than {LONGEST} bytes; build the stack again")
        text = texts[left] + texts[right]
        if text not in known:
            known.add(text)
            texts.append(text)
    if len(texts) > vocabulary:
        raise ArtifactError(f"{path}: {len(texts)} tokens, more than the {vocabulary} of the recipe")
    return texts
