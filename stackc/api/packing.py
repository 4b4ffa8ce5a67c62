"""Bytes as tokens and back, for coders whose codes are bytes. Always most significant bit first."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64, Tokens


def tokens_of_bytes(codes: Sequence[bytes], token_bits: int) -> tuple[Tokens, Int64]:
    """(tokens uint32[m], counts int64[len(codes)]): every code padded with zeros to whole tokens.

    Args:
        codes: bytes of any lengths.
        token_bits: 1 .. 32.
    """
    sizes = np.fromiter(map(len, codes), np.int64, len(codes))
    counts = -(-8 * sizes // token_bits)
    if token_bits == 8:
        return np.frombuffer(b"".join(codes), np.uint8).astype(np.uint32), counts
    if token_bits == 16:
        padded = [code if len(code) % 2 == 0 else code + b"\0" for code in codes]
        return np.frombuffer(b"".join(padded), ">u2").astype(np.uint32), counts
    # The fewest bytes that are a whole number of tokens: codes padded to a multiple of them are converted together.
    run = token_bits // math.gcd(token_bits, 8)
    data = b"".join([code + bytes(-len(code) % run) for code in codes])
    tokens = _tokens_of_runs(np.frombuffer(data, np.uint8).reshape(-1, run), token_bits)
    spare = -(-sizes // run) * (8 * run // token_bits) - counts
    kept = np.repeat(np.tile([True, False], len(codes)), np.stack([counts, spare], axis=1).reshape(-1))
    return tokens[kept], counts


def _tokens_of_runs(digits: npt.NDArray[np.uint8], token_bits: int) -> Tokens:
    """uint32[n * k], from n rows of bytes that are k tokens each."""
    runs, size = digits.shape
    tokens = np.empty((runs, 8 * size // token_bits), np.uint32)
    for i in range(tokens.shape[1]):
        first, last = i * token_bits, (i + 1) * token_bits
        value = np.zeros(runs, np.int64)  # at most 39 bits: the bytes that the token touches
        for byte in range(first // 8, -(-last // 8)):
            value = value << 8 | digits[:, byte]
        tokens[:, i] = value >> -last % 8 & (1 << token_bits) - 1
    return tokens.reshape(-1)


def bytes_of_tokens(tokens: npt.NDArray[np.integer], token_bits: int) -> bytes:
    """The bits of tokens as bytes, padded with zeros to whole bytes.

    Args:
        tokens: integers below 2^token_bits.
        token_bits: 1 .. 32.
    """
    if token_bits == 8:
        return tokens.astype(np.uint8).tobytes()
    if token_bits == 16:
        return tokens.astype(">u2").tobytes()
    if 8 < token_bits < 16:
        return _from_words(tokens, np.uint64(token_bits))[: -(-len(tokens) * token_bits // 8)]
    run = 8 // math.gcd(token_bits, 8)  # the least number of tokens that is a whole number of bytes
    whole = np.zeros((-(-len(tokens) // run), run), np.int64)
    whole.reshape(-1)[: len(tokens)] = tokens
    digits = np.zeros((len(whole), run * token_bits // 8), np.uint8)
    for i in range(digits.shape[1]):
        for token in range(8 * i // token_bits, -(-(8 * i + 8) // token_bits)):
            shift = (token + 1) * token_bits - (8 * i + 8)  # how far the token's last bit is behind the byte's
            digits[:, i] |= ((whole[:, token] >> shift if shift >= 0 else whole[:, token] << -shift) & 255).astype(
                np.uint8
            )
    return digits.tobytes()[: -(-len(tokens) * token_bits // 8)]


def _from_words(tokens: npt.NDArray[np.integer], size: np.uint64) -> bytes:
    """The same, for 9 to 15 bits: eight tokens at a time, as two words of 64 bits, the second filled up with zeros."""
    eight = np.zeros((-(-len(tokens) // 8), 8), np.uint64)
    eight.reshape(-1)[: len(tokens)] = tokens
    halves = [
        eight[:, i] << 3 * size | eight[:, i + 1] << 2 * size | eight[:, i + 2] << size | eight[:, i + 3]
        for i in (0, 4)
    ]
    words = halves[0] << 64 - 4 * size | halves[1] >> 8 * size - 64, halves[1] << 128 - 8 * size
    whole = np.stack(words, axis=1).astype(">u8").view(np.uint8)
    return whole[:, : int(size)].tobytes()
