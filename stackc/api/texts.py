"""The texts of symbols: the bytes that each symbol of an alphabet represents, in any context."""

from __future__ import annotations

import hashlib

import attrs

from stackc.api.arrays import Int64, Uint8


@attrs.frozen(kw_only=True, eq=False)
class SymbolTexts:
    """The text of every symbol of an alphabet of A, one after another.

    Attributes:
        data: uint8[n], the bytes of all texts. Not changed by those who read it.
        offsets: int64[A + 1]; the text of symbol a is ``data[offsets[a]:offsets[a + 1]]``. It is empty where the symbol
            represents nothing: codes that no encoder writes, such as code 0 of a dictionary. Two symbols may have
            the same text.
    """

    data: Uint8
    offsets: Int64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, symbol: int) -> bytes:
        """The text of one symbol, 0 .. A - 1. Raises `IndexError` for another number."""
        if not 0 <= symbol < len(self):
            raise IndexError(f"symbol {symbol} of an alphabet of {len(self)}")
        return self.data[int(self.offsets[symbol]) : int(self.offsets[symbol + 1])].tobytes()

    def sha256(self) -> str:
        """A hash of all texts, as 64 hexadecimal digits: the same on every machine."""
        total = hashlib.sha256(self.offsets.astype("<i8").tobytes())
        total.update(self.data.tobytes())
        return total.hexdigest()
