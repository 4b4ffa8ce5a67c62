"""Outlines over a stack's tokenizer: python tests/clients/outlines_patterns.py STACK_OR_FOLDER BACKEND

A model that learned nothing writes what a regular expression and a choice of texts allow. Prints both as one line of
JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Literal

import outlines
from outlines.types import Regex
from tiny_models import tiny, tokenizer_of


def main(path: str, backend: str) -> None:
    tokenizer = tokenizer_of(path)
    model = outlines.from_transformers(tiny(tokenizer), tokenizer)
    kinds = Regex("[0-9]{3}-[a-z]{2}"), Literal["acknowledged", "a good fortune"]
    writers = [outlines.Generator(model, kind, backend=backend) for kind in kinds]
    print(json.dumps([writer("It is a truth", max_new_tokens=40) for writer in writers]))


if __name__ == "__main__":
    main(*sys.argv[1:])
