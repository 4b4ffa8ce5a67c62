"""Rows of bytes whose memory is that of a `bytes` object, which is then the result, without another copy.

For 2.6 MB of text the copy and its memory took twice as long as decoding it.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from stackc.api.arrays import Symbols, Uint8

# A new object, not filled, may be written to as long as nobody else has it: the C API of Python says so. Prototypes of
# our own: the functions of `ctypes.pythonapi` are shared with all other packages, which may set their types.
_new: Any = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_ssize_t)(
    ("PyBytes_FromStringAndSize", ctypes.pythonapi)
)
_address: Any = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(("PyBytes_AsString", ctypes.pythonapi))


class _Owner:
    """What such a row is made of, and its `base`."""

    __slots__ = ("__array_interface__", "whole")

    def __init__(self, size: int) -> None:
        self.whole: bytes = _new(None, size)
        self.__array_interface__ = {
            "data": (_address(self.whole), False), "shape": (size,), "typestr": "|u1", "version": 3,
        }  # fmt: skip


def bytes_row(size: int) -> Uint8:
    """A row of bytes, not filled, that `as_bytes` need not copy."""
    return np.asarray(_Owner(size)) if size else np.empty(0, np.uint8)


def as_bytes(symbols: Symbols) -> bytes:
    """Symbols below 256 as bytes. For rows that nobody else has: a whole `bytes_row` is not copied.

    It cannot be written to any more, but views that were taken before could still be.
    """
    owner: Any = symbols.base
    if isinstance(owner, _Owner) and symbols.nbytes == len(owner.whole):
        symbols.flags.writeable = False
        return owner.whole
    return symbols.astype(np.uint8, copy=False).tobytes()
