"""Tokenizers as entrants, each called in the way in which it is quickest on one thread.

They read text, not bytes: what is not UTF-8 comes to them as U+FFFD, and the row then says that the file was not
restored.
"""

from __future__ import annotations

import base64
from pathlib import Path

RANKS = "ranks.tiktoken"
BPE = "tokenizer.json"
SENTENCEPIECE = "sentencepiece.model"

# The pattern of GPT-2, as tiktoken has it.
GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""


class TextCodec:
    """Text in pieces of `piece` characters, ids in a list for each."""

    vocabulary: int | None
    piece = 1 << 16

    def prepare(self, data: bytes) -> list[str]:
        text = data.decode("utf-8", "replace")
        return [text[i : i + self.piece] for i in range(0, len(text), self.piece)]

    def size(self, encoded: list[list[int]]) -> int:
        return sum(len(ids) for ids in encoded)

    def restore(self, decoded: list[str]) -> bytes:
        return "".join(decoded).encode()


class Tiktoken(TextCodec):
    piece = 1 << 62  # no piece is quicker than the whole

    def __init__(self, folder: str) -> None:
        import tiktoken

        ranks = {}
        for line in (Path(folder) / RANKS).read_bytes().splitlines():
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
        self._encoding = tiktoken.Encoding("bench", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={})
        self.vocabulary = len(ranks)

    def encode(self, prepared: list[str]) -> list[list[int]]:
        return [self._encoding.encode_ordinary(text) for text in prepared]

    def decode(self, encoded: list[list[int]]) -> list[bytes]:
        return [self._encoding.decode_bytes(ids) for ids in encoded]

    def restore(self, decoded: list[bytes]) -> bytes:  # type: ignore[override]
        return b"".join(decoded)


class Tokenizers(TextCodec):
    def __init__(self, folder: str) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(Path(folder) / BPE))
        self.vocabulary = self._tokenizer.get_vocab_size()

    def encode(self, prepared: list[str]) -> list[list[int]]:
        # The batch call keeps no places in the text; one at a time, so that memory stays small.
        return [self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids for text in prepared]

    def decode(self, encoded: list[list[int]]) -> list[str]:
        return [self._tokenizer.decode(ids, skip_special_tokens=False) for ids in encoded]


class Sentencepiece(TextCodec):
    piece = 1 << 12  # its time grows faster than its input

    def __init__(self, folder: str) -> None:
        import sentencepiece

        self._processor = sentencepiece.SentencePieceProcessor(model_file=str(Path(folder) / SENTENCEPIECE))
        self.vocabulary = self._processor.vocab_size()

    def encode(self, prepared: list[str]) -> list[list[int]]:
        ids: list[list[int]] = self._processor.encode(prepared, num_threads=1)
        return ids

    def decode(self, encoded: list[list[int]]) -> list[str]:
        text: list[str] = self._processor.decode(encoded, num_threads=1)
        return text
