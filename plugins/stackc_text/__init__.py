"""The corpus reader `text`: plain, compressed and JSON-lines files, streamed."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs
from attrs.validators import ge, le

from stackc.api import Reader, Register, bits, globs, hookimpl, speed


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


def _text(config: Any) -> Reader:
    from stackc_text.reader import TextReader

    return TextReader(config)


@hookimpl
def stackc_register_readers(register: Register) -> None:
    register("text", _text, TextConfig, "text files (.txt .md .gz .xz .zst) and JSON lines with a text field, by glob")
