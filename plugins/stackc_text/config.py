"""The configuration of the reader `text`. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import ge, le

from stackc.api import bits, globs, speed


@attrs.frozen(kw_only=True)
class TextConfig:
    """``[corpus] reader = "text"``"""

    bits_version: ClassVar[int] = 1

    train: str | tuple[str, ...] = globs(help="files to train on: names or glob patterns, from the recipe's folder")
    valid: str | tuple[str, ...] = globs((), help="held-out files whose loss is reported in training")
    test: str | tuple[str, ...] = globs((), help="held-out files to evaluate on; read when all training is done")
    document_bytes: int = bits(
        1 << 20,
        check=[ge(1 << 10), le(1 << 30)],
        help="a longer document is handed on in pieces of this size, 2^10 to 2^30 bytes, so that memory stays flat",
    )
    zst_window: int = speed(
        30,
        check=[ge(27), le(31)],
        help="2^this bytes, 27 to 31, are the longest window of a .zst file that is read, and the memory it may take",
    )
