"""Folders of saved tokenizers, in which a stack has the levels that the tokenizer needs, and nothing above them."""

from __future__ import annotations

from pathlib import Path

from stackc.api.errors import ArtifactError
from stackc.api.files import read_json

SUBFOLDER = "stack"
"""The subfolder of a tokenizer's folder that holds its levels."""

CONFIG = "tokenizer_config.json"
"""Next to `SUBFOLDER`: the tokenizer's settings, written by transformers."""


def saved_level(folder: Path) -> str | None:
    """The level that a tokenizer's folder was saved for; None if `folder` is not part of a tokenizer's."""
    folder = folder.resolve()
    config = folder.parent / CONFIG
    if folder.name != SUBFOLDER or not config.is_file():
        return None
    try:
        level = read_json(config, "tokenizer").get("level")
    except ArtifactError:  # says nothing about the stack
        return None
    return level if isinstance(level, str) else None
