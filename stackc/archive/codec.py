"""Blocks of source bytes to payloads and back: the stack's levels, then the top model with arithmetic coding.

A block is one document. Every level encodes it, and the top model codes the last tokens as one more level: windows of
a whole segment and tokens of eight bits, which are the payload's bytes. The blocks of a batch pass through every level
together, so that models score and step them side by side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Int64
from stackc.api.errors import CodingError, PartError
from stackc.api.messages import amount
from stackc.api.models import Portability
from stackc.api.offsets import offsets_of
from stackc.archive.format import MAX_BLOCK, PORTABILITIES, SMALL_BLOCK
from stackc.coding.level import Level
from stackc.coding.route import Route
from stackc.parts.bytes_rows import as_bytes

BLOCK_SIZE = 1 << 16
"""Source bytes in a block by default: longer blocks compress better, shorter ones make ranges faster to read."""

LEARNED_BLOCK_SIZE = 1 << 22
"""The same if the top model learns from the block that it codes."""


class BlockCodec:
    """Codes blocks with a stack.

    Args:
        levels: the stack's levels, lowest first.
        top: the top model as a level whose tokens have eight bits.
    """

    def __init__(self, levels: list[Level], top: Level) -> None:
        assert top.spec.token_bits == 8, "the top level's tokens are the payload's bytes"
        self.levels = [*levels, top]

    @property
    def portability(self) -> Portability:
        """Where payloads decode: as portable as the least portable model that must run to decode them."""
        return max((one.portability for one in self.levels), key=PORTABILITIES.index)

    @property
    def _top(self) -> Route:
        return self.levels[-1].route

    @property
    def block_size(self) -> int:
        """Source bytes in a block by default."""
        return LEARNED_BLOCK_SIZE if self._top.learns else BLOCK_SIZE

    @property
    def max_block(self) -> int:
        """The most source bytes in a block."""
        return MAX_BLOCK if self._top.learns else SMALL_BLOCK

    @property
    def threads(self) -> int:
        """The threads that code blocks of one batch; 1 if they are coded side by side in lanes."""
        return self._top.threads

    @property
    def verifies_beside(self) -> bool:
        """Whether one batch can be decoded in a thread while the next is encoded: only then is something gained."""
        return self._top.copies > 1

    def encode(self, blocks: list[bytes], verify: bool = True) -> list[bytes | None]:
        """The payload of every block; None for one that the stack cannot code in fewer bytes than it has.

        Args:
            blocks: each of at least one byte.
            verify: see `Level.encode`; False is for callers that decode the payloads themselves.

        Raises:
            PartError: a part that breaks a rule of the contract.
        """
        try:
            return self._encode(blocks, verify)
        except PartError:  # not the block's fault; storing the block uncoded would hide the broken part
            raise
        except CodingError:
            # One block that cannot be coded must not cost the others their compression: they are tried one by one.
            if len(blocks) == 1:
                return [None]
            return [self.encode([block], verify)[0] for block in blocks]

    def decode(self, payloads: list[bytes], lengths: list[int], all_of_them: bool = True) -> list[bytes | CodingError]:
        """The source bytes of every payload, or the error that says why it does not decode.

        Memory is bounded by the lengths.

        Args:
            payloads: any bytes; one that `encode` did not make gives an error or wrong bytes.
            lengths: source bytes of each block.
            all_of_them: continue after the first payload that fails; False: its error is the last result.
        """
        if not payloads:
            return []
        try:
            return self._decode(payloads, lengths)
        except CodingError as error:
            if len(payloads) == 1:
                return [error]
            results: list[bytes | CodingError] = []
            for payload, length in zip(payloads, lengths, strict=True):
                results += self.decode([payload], [length])
                if isinstance(results[-1], CodingError) and not all_of_them:
                    break
            return results

    def _encode(self, blocks: list[bytes], verify: bool) -> list[bytes | None]:
        lengths = np.array([len(block) for block in blocks], np.int64)
        symbols: npt.NDArray[np.integer] = np.frombuffer(b"".join(blocks), np.uint8)
        offsets = offsets_of(lengths)
        fits = np.ones(len(blocks), np.bool_)
        for level in self.levels:
            coded = level.encode(symbols, offsets, verify=verify)
            symbols, offsets = coded.tokens, coded.offsets
            fits &= np.diff(offsets) <= room(lengths)
        payload = as_bytes(symbols)
        fits &= np.diff(offsets) < lengths
        return [payload[offsets[i] : offsets[i + 1]] if fits[i] else None for i in range(len(blocks))]

    def _decode(self, payloads: list[bytes], lengths: list[int]) -> list[bytes | CodingError]:
        sizes = np.array(lengths, np.int64)
        symbols: npt.NDArray[np.integer] = np.frombuffer(b"".join(payloads), np.uint8)
        offsets = offsets_of(np.array([len(payload) for payload in payloads], np.int64))
        for level in reversed(self.levels):
            most = sizes if level is self.levels[0] else room(sizes)
            back = level.decode(symbols, offsets, int(most.sum()))
            symbols, offsets = back.symbols, back.offsets
        data = as_bytes(symbols)
        found = np.diff(offsets)
        return [
            data[offsets[i] : offsets[i + 1]]
            if found[i] == sizes[i]
            else CodingError(f"it decodes to {amount(int(found[i]), 'byte')} instead of {sizes[i]}")
            for i in range(len(payloads))
        ]


def room(lengths: Int64) -> Int64:
    """The most tokens of any level that blocks of these lengths may have.

    The encoder stores a block that would need more as it is. The decoder relies on it: without this bound a payload of
    a few bytes could decode to gigabytes.
    """
    return 2 * lengths + 64
