"""The coder `sentencepiece`: SentencePiece with identity normalisation, no prefix, and byte fall-back.

SentencePiece reads characters and writes a blank as U+2581. So invalid UTF-8, and U+2581 itself, are written as byte
pieces without it, and it codes only the text between them. The pieces are compared with the window: a window that the
library does not restore is coded in byte pieces. Its scores are floats, so another build may cut a text differently;
the bytes of a token are the same everywhere.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api import ArtifactError, CodingError, PlainTokenizer, Text, write_atomically
from stackc_subword.batches import WindowCoder
from stackc_subword.config import BYTES, SentencePieceConfig

FILE = "sentencepiece.model"

BLANK = "\u2581"

_BESIDE = re.compile(f"([\udc80-\udcff{BLANK}]+)")
"""Text that SentencePiece does not receive: invalid UTF-8, as `surrogateescape` writes it, and its own blank."""

_SENTENCE = 4000

UNKNOWN = 10.0
"""How far the score of a byte piece is below those of text, as in SentencePiece: it is for characters without one."""


class SentencePieceCoder(WindowCoder):
    """SentencePiece, with byte pieces for whatever it does not restore."""

    def __init__(self, config: SentencePieceConfig) -> None:
        super().__init__("sentencepiece", config.vocabulary)
        self.config = config
        self._processor: Any = None
        self._bytes: list[int] = []  # the token of each byte

    def fit(self, train: Text, alphabet: int, folder: Path) -> None:
        """Train on the text and write the model to `folder`.

        Raises:
            CodingError: a text that has no characters, or too many different ones for the vocabulary.
        """
        from sentencepiece import SentencePieceTrainer

        self.check_bytes(alphabet)
        model = io.BytesIO()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=_sentences(train, self.config.sample),
                model_writer=model,
                model_type=self.config.model,
                vocab_size=self.vocabulary,
                hard_vocab_limit=False,
                character_coverage=self.config.coverage,
                byte_fallback=True,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                add_dummy_prefix=False,
                max_sentence_length=4 * _SENTENCE,
                unk_id=0,
                bos_id=-1,
                eos_id=-1,
                pad_id=-1,
                num_threads=1,
                minloglevel=3,
            )
        except (RuntimeError, OSError) as error:
            said = _why_not(" ".join(str(error).split()))
            raise CodingError(
                f"sentencepiece cannot be trained to {self.vocabulary:,} tokens on this text: {said}"
            ) from error
        with write_atomically(folder / FILE) as file:
            file.write(model.getvalue())

    def load(self, folder: Path) -> None:
        """Read the model that `fit` wrote."""
        from sentencepiece import SentencePieceProcessor

        path = folder / FILE
        try:
            processor = SentencePieceProcessor(model_proto=path.read_bytes())
            texts = [_text(processor, token) for token in range(processor.vocab_size())]
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ArtifactError(f"{path}: not a readable model ({reason}); build the stack again") from error
        tokens = {processor.id_to_piece(token): token for token in range(len(texts)) if processor.is_byte(token)}
        names = [f"<0x{byte:02X}>" for byte in range(BYTES)]
        if len(texts) > self.vocabulary or any(name not in tokens for name in names):
            raise ArtifactError(
                f"{path}: {len(texts)} tokens; wanted are at most {self.vocabulary}, every byte among them: build the "
                "stack again"
            )
        self._processor, self.texts, self._bytes = processor, texts, [tokens[name] for name in names]

    def plain(self) -> PlainTokenizer | None:
        """Its pieces and scores. Sums differ in the last bit: SentencePiece rounds them to float32 as it goes along.

        So texts of thousands of pieces may be cut differently somewhere, and single words hardly ever. A byte piece
        cannot take the place of a character that has its own piece, since that one's score is higher.
        """
        if self.config.model != "unigram":
            return None
        own = [bool(text) and not self._processor.is_byte(token) for token, text in enumerate(self.texts)]
        scores = np.array([self._processor.get_score(token) for token in range(len(own))], np.float64)
        scores[~np.array(own)] = scores[own].min() - UNKNOWN
        return PlainTokenizer(model="unigram", scores=scores)

    def code(self, windows: list[bytes]) -> Iterator[list[int]]:
        parts = [_BESIDE.split(window.decode("utf-8", "surrogateescape")) for window in windows]
        coded = iter(self._processor.encode([part for each in parts for part in each[::2]], num_threads=1))
        for window, each in zip(windows, parts, strict=True):
            found: list[list[int]] = []
            for i, part in enumerate(each):
                beside = i % 2 == 1
                found.append(self._spelt(part.encode("utf-8", "surrogateescape")) if beside else next(coded))
            tokens = found[0] if len(found) == 1 else list(itertools.chain.from_iterable(found))
            restored = b"".join(map(self.texts.__getitem__, tokens)) == window
            yield tokens if restored else self._spelt(window)

    def _spelt(self, data: bytes) -> list[int]:
        """Byte pieces."""
        return [self._bytes[byte] for byte in data]


def _why_not(reason: str) -> str:
    """What the library means, and what to do: its own message names places and conditions in its source."""
    if "sentences_.empty()" in reason:
        return "it has no characters but line ends (what is no UTF-8 is not read); take the coder bpe, which needs none"
    if found := re.search(r"required_chars\D*\d+ vs (\d+)", reason):
        return (
            f"its bytes and common characters alone are {int(found[1]):,}; give a vocabulary of as many or more, or a "
            "lower coverage"
        )
    own = re.sub(r"^.*\.cc\(\d+\)( \[.*?\])? *", "", reason)
    return f"{own.rstrip('. ') or 'it does not say why'}; try another vocabulary, or the coder bpe"


def _text(processor: Any, token: int) -> bytes:
    """The bytes of a token: none, if it is not a piece of text."""
    piece: str = processor.id_to_piece(token)
    if processor.is_byte(token):
        return bytes([int(piece[3:5], 16)])
    if processor.is_control(token) or processor.is_unknown(token) or processor.is_unused(token):
        return b""
    return piece.replace(BLANK, " ").encode()


def _sentences(train: Text, sample: int) -> Iterator[str]:
    """Runs of the text, evenly spread, about `sample` bytes in all, without invalid UTF-8."""
    count = -(-len(train.symbols) // _SENTENCE)
    wanted = min(count, max(1, sample // _SENTENCE))
    starts = {i * count // wanted for i in range(wanted)}
    number = 0
    for document in train.documents():
        for start in range(0, len(document), _SENTENCE):
            if number in starts:
                run = document[start : start + _SENTENCE].astype(np.uint8).tobytes().decode("utf-8", "ignore")
                if run := run.replace("\0", "").rstrip("\r\n"):
                    yield run
            number += 1
