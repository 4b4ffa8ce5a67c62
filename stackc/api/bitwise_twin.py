"""The readable twin of `stackc.api.bitwise`: the specification of the binary arithmetic coder, in plain integers."""

from __future__ import annotations


class BitCoder:
    """Writes decisions, or reads them.

    Args:
        payload: the bytes to read decisions from; None: to write them.
    """

    def __init__(self, payload: bytes | None = None) -> None:
        self._low, self._high = 0, 2**32 - 1
        self._payload = payload
        self._written = bytearray()
        self._read = 4
        self._value = 0 if payload is None else int.from_bytes(payload[:4].ljust(4, b"\0"), "big")

    def code(self, p: int, bit: int = 0) -> int:
        """Write `bit`, or read a bit: it is returned. `p` of 65536 is the probability of a one, 1 .. 65535."""
        middle = self._low + (self._high - self._low) * p // 65536
        if self._payload is not None:
            bit = int(self._value <= middle)
        if bit:
            self._high = middle
        else:
            self._low = middle + 1
        while self._low // 2**24 == self._high // 2**24:
            self._shift()
        return bit

    def _shift(self) -> None:
        """Move on by the byte in which low and high agree."""
        if self._payload is None:
            self._written.append(self._low // 2**24)
        else:
            byte = self._payload[self._read] if self._read < len(self._payload) else 0
            self._value = self._value * 256 % 2**32 + byte
            self._read += 1
        self._low = self._low * 256 % 2**32
        self._high = self._high * 256 % 2**32 + 255

    def finish(self) -> bytes:
        """The payload. Zeros follow it when it is read, so it ends with no zero."""
        last = bytes([self._low // 2**24 + 1]) if self._low else b""
        return (bytes(self._written) + last).rstrip(b"\0")
