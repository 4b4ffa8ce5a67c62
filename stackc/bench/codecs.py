"""The entrants of a benchmark: the stack, compressors and tokenizers, each called in its fastest way on one thread.

Workers import this file and little else, and each class imports its own library: start-up times are the libraries' own.
"""

from __future__ import annotations

import abc
import base64
import importlib
import io
from pathlib import Path
from typing import Any

RANKS = "ranks.tiktoken"
BPE = "tokenizer.json"
SENTENCEPIECE = "sentencepiece.model"

LEAST_BLOCK = 1 << 25
"""Bytes: the largest of the default blocks that `Codec.reach` replaces, kanzi's at level 9, so that none shrinks."""

# The pattern of GPT-2, as tiktoken writes it.
GPT2 = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""


class Codec(abc.ABC):
    """A tokenizer or a compressor. Only `encode` and `decode` are timed.

    Attributes:
        vocabulary: number of different tokens; None for a compressor.
    """

    vocabulary: int | None = None

    def reach(self, size: int) -> None:  # noqa: B027 - most have nothing to set
        """Let the codec see all of `size` bytes as one, if it can be set to: it codes a primer and the file next."""

    def prepare(self, data: bytes) -> Any:
        """The file in the form that the library encodes fastest."""
        return data

    @abc.abstractmethod
    def encode(self, prepared: Any) -> Any:
        """Tokens, or compressed bytes."""

    def size(self, encoded: Any) -> int:
        """Number of tokens, or of compressed bytes."""
        return len(encoded)

    def listed(self, encoded: Any) -> Any:
        """What `encode` has made, in the form that the library decodes fastest."""
        return encoded

    @abc.abstractmethod
    def decode(self, encoded: Any) -> Any:
        """The text, in the form in which the library returns it, from what `listed` returns."""

    def restore(self, decoded: Any) -> bytes:
        """The text as bytes."""
        return bytes(decoded)


class StackCodec(Codec):
    """A level of a stack, through `Stack.encode` and `Stack.decode`."""

    def __init__(self, folder: str, level: str | None, threads: int) -> None:
        import attrs

        from stackc.stack.stack import Stack

        self._stack, self._level = Stack(Path(folder)), level
        self._stack.runtime = attrs.evolve(self._stack.runtime, threads=threads)  # levels are opened later
        self.vocabulary = self._stack.token_alphabet(level)

    def encode(self, prepared: bytes) -> Any:
        return self._stack.encode(prepared, self._level)

    def decode(self, encoded: Any) -> bytes:
        return self._stack.decode(encoded, self._level)


class StkFile(Codec):
    """The stack's own compressed files: whole ones, with header, index and checks, as `stackc compress --no-verify`
    writes them."""

    def __init__(self, folder: str, threads: int) -> None:
        import attrs

        from stackc.stack.stack import Stack

        self._stack = Stack(Path(folder))
        self._stack.runtime = attrs.evolve(self._stack.runtime, threads=threads)  # models are opened later

    def encode(self, prepared: bytes) -> bytes:
        out = io.BytesIO()
        self._stack.compress(io.BytesIO(prepared), out, verify=False)
        return out.getvalue()

    def decode(self, encoded: bytes) -> bytes:
        out = io.BytesIO()
        self._stack.decompress(io.BytesIO(encoded), out)
        return out.getvalue()


class Compressor(Codec):
    """A module with functions `compress` and `decompress`.

    Args:
        module: its name.
        parameter: the parameter of `compress` that takes the level.
        variant: the level.
        block: the parameter of `compress` that takes the size of a block; None: it has none that matters.
        decoding: arguments of `decompress`.
        others: further arguments of `compress`.
    """

    def __init__(
        self,
        module: str,
        parameter: str,
        variant: str,
        block: str | None = None,
        decoding: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        self._library = importlib.import_module(module)
        self._settings = {parameter: int(variant), **others}
        self._block, self._decoding = block, decoding or {}

    def reach(self, size: int) -> None:
        # Blocks are coded apart from each other: a primer helps only what stands in its own block.
        if self._block is not None:
            self._settings[self._block] = max(LEAST_BLOCK, -(-size // 16) * 16)

    def encode(self, prepared: bytes) -> Any:
        return self._library.compress(prepared, **self._settings)

    def decode(self, encoded: bytes) -> Any:
        return self._library.decompress(encoded, **self._decoding)


class Zpaq(Compressor):
    """zpaq, one block for as long as a block may be by default."""

    block = 1 << 26
    """Bytes of a block by default, a few thousand of which are the library's own."""

    def reach(self, size: int) -> None:
        if size > self.block - 4096:  # a block's size is part of the method's name, which takes the level's place
            level = self._settings.pop("level")
            self._settings["method"] = f"{level}{min(11, (size + 4095 >> 20).bit_length())}"


class Ppmd(Codec):
    """PPMd, variant H.

    Its code has no end mark: a file must store the length, here in the first 8 bytes.

    Args:
        variant: the order, the longest context in bytes.
    """

    piece = 1 << 14
    memory = 1 << 30
    """Bytes, at most; less is taken if less is needed. The model of a full memory is thrown away and starts again."""

    def __init__(self, variant: str) -> None:
        import pyppmd

        self._library, self._order = pyppmd, int(variant)

    def encode(self, prepared: bytes) -> bytes:
        encoder = self._library.Ppmd7Encoder(self._order, self.memory)
        # In one call, pyppmd 1.3.1 wrote a code that does not decode (9.9 MB of text, from the 1,409,024th byte, where
        # its fifth output buffer begins). The output of a piece fits into the first buffer, of 32 KiB.
        pieces = (encoder.encode(prepared[i : i + self.piece]) for i in range(0, len(prepared), self.piece))
        return b"".join([len(prepared).to_bytes(8, "little"), *pieces, encoder.flush()])

    def decode(self, encoded: bytes) -> bytes:
        decoder, length = self._library.Ppmd7Decoder(self._order, self.memory), int.from_bytes(encoded[:8], "little")
        decoded: bytes = decoder.decode(encoded[8:], length)
        if len(decoded) < length:  # the library does not write a last zero byte, but requires it
            decoded += decoder.decode(b"\0" if decoder.needs_input else b"", length - len(decoded))
        return decoded


class TextCodec(Codec):
    """A tokenizer of text, in pieces of `piece` characters: a list of ids for each.

    It reads text, not bytes: invalid UTF-8 becomes U+FFFD, and the row then says that the file was not restored.
    """

    piece = 1 << 16

    def prepare(self, data: bytes) -> list[str]:
        text = data.decode("utf-8", "replace")
        return [text[i : i + self.piece] for i in range(0, len(text), self.piece)]

    def size(self, encoded: list[list[int]]) -> int:
        return sum(map(len, encoded))

    def restore(self, decoded: list[str]) -> bytes:
        return "".join(decoded).encode()


class Tiktoken(TextCodec):
    piece = 1 << 62  # pieces would not be faster than the whole text

    def __init__(self, folder: str) -> None:
        import tiktoken

        pairs = map(bytes.split, (Path(folder) / RANKS).read_bytes().splitlines())
        ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
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
        # The batch call is faster since it keeps no positions in the text; one piece per call keeps memory small.
        return [self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids for text in prepared]

    def decode(self, encoded: list[list[int]]) -> list[str]:
        return [self._tokenizer.decode(ids, skip_special_tokens=False) for ids in encoded]


class Gigatoken(Codec):
    """gigatoken, with the vocabulary of `Tokenizers`. It reads bytes, and remembers words that it has coded."""

    def __init__(self, folder: str) -> None:
        from gigatoken import Tokenizer

        self._tokenizer = Tokenizer(Path(folder) / BPE)
        self.vocabulary = self._tokenizer.vocab_size

    def encode(self, prepared: bytes) -> Any:
        return self._tokenizer.encode(prepared)

    def decode(self, encoded: Any) -> Any:
        return self._tokenizer.decode(encoded)


class Flat(TextCodec):
    """A tokenizer that returns the tokens of all pieces in one array, and decodes one list at a time."""

    def size(self, encoded: Any) -> int:
        return len(encoded[0])

    def listed(self, encoded: tuple[Any, Any]) -> list[list[int]]:
        tokens, ends = encoded[0].tolist(), encoded[1].tolist()
        return [tokens[start:end] for start, end in zip([0, *ends], ends, strict=False)]


class Fastokens(Flat):
    """fastokens, with the vocabulary of `Tokenizers`. It remembers words that it has coded."""

    def __init__(self, folder: str) -> None:
        from fastokens import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(Path(folder) / BPE))
        self.vocabulary = self._tokenizer.vocab_size

    def encode(self, prepared: list[str]) -> tuple[Any, Any]:
        import numpy as np

        tokens, offsets = self._tokenizer.encode_batch_flat(prepared)
        return np.frombuffer(tokens, "<u4"), np.frombuffer(offsets, "<u8")[1:]

    def decode(self, encoded: list[list[int]]) -> list[str]:
        return [self._tokenizer.decode(tokens) for tokens in encoded]


class Tokie(Flat):
    """tokie, with the vocabulary of `Tokenizers`. It remembers words that it has coded."""

    def __init__(self, folder: str) -> None:
        from tokie import Tokenizer

        self._tokenizer: Any = Tokenizer.from_json(str(Path(folder) / BPE))
        self.vocabulary = self._tokenizer.vocab_size

    def encode(self, prepared: list[str]) -> tuple[Any, Any]:
        tokens, lengths = self._tokenizer.encode_batch_flat(prepared, add_special_tokens=False)
        return tokens, lengths.cumsum()

    def decode(self, encoded: list[list[int]]) -> list[bytes]:
        return [self._tokenizer.decode_bytes(tokens) for tokens in encoded]

    def restore(self, decoded: list[bytes]) -> bytes:  # type: ignore[override]
        return b"".join(decoded)


class Sentencepiece(TextCodec):
    piece = 1 << 12  # its time grows faster than its input

    def __init__(self, folder: str) -> None:
        import sentencepiece

        self._processor = sentencepiece.SentencePieceProcessor(model_file=str(Path(folder) / SENTENCEPIECE))
        self.vocabulary = self._processor.vocab_size()

    def encode(self, prepared: list[str]) -> Any:
        return self._processor.encode(prepared, num_threads=1)

    def decode(self, encoded: list[list[int]]) -> Any:
        return self._processor.decode(encoded, num_threads=1)
