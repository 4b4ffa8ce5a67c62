"""The corpus reader `text`: plain, compressed and JSON-lines files, streamed."""

from __future__ import annotations

from stackc.api import Reader, Register, hookimpl
from stackc_text.config import TextConfig

__all__ = ["TextConfig"]


def _text(config: TextConfig) -> Reader:
    from stackc_text.reader import TextReader

    return TextReader(config)


@hookimpl
def stackc_register_readers(register: Register) -> None:
    register("text", _text, TextConfig, "text files (.txt .md .gz .xz .zst) and JSON lines with a text field, by glob")
