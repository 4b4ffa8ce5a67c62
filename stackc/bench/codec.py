"""What an entrant can do. Workers import this and little else, so that start-up times are the libraries' own."""

from __future__ import annotations

from typing import Any, Protocol


class Codec(Protocol):
    """A tokenizer or a compressor. Only `encode` and `decode` are timed.

    Attributes:
        vocabulary: different tokens there are; None for a compressor.
    """

    vocabulary: int | None

    def prepare(self, data: bytes) -> Any:
        """The file in the form in which the library is quickest."""

    def encode(self, prepared: Any) -> Any:
        """Tokens, or compressed bytes."""

    def size(self, encoded: Any) -> int:
        """How many tokens, or compressed bytes."""

    def decode(self, encoded: Any) -> Any:
        """The text, in the form in which the library gives it."""

    def restore(self, decoded: Any) -> bytes:
        """The text as bytes."""
