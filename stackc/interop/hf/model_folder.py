"""A stack's top model and its tokenizer in one folder, as `transformers` and its clients load them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stackc.api.errors import StackcError
from stackc.interop.end_of_text import EndId, end_of_text
from stackc.interop.hf.tokenizer import StackTokenizer
from stackc.stack.stack import Stack


def save_model(path: Path, folder: Path) -> StackTokenizer:
    """Write the top model of a stack, with the tokenizer over its levels; returns the tokenizer.

    If the last level never writes code 0, that is the end of text, which begins texts too, and the model predicts
    just what it was trained to predict. Otherwise it is the id after the tokens, and the model gives it a probability
    that nothing has trained. There is no id for padding.

    Args:
        path: the stack's folder or pack.
        folder: what to write.

    Raises:
        StackcError: the top model is not one of transformers; see `StackTokenizer`.
    """
    stack = Stack(path)
    top: Any = stack.top
    if not hasattr(top, "save_pretrained"):
        raise StackcError(
            f"{stack.recipe.top.name}: its backend cannot make a model that transformers loads; build the stack with "
            'the backend "hf", or use --to hf-tokenizer'
        )
    try:
        empty: int | None = end_of_text(stack.levels, top.alphabet, "zero")
    except StackcError:
        empty = None
    end: EndId = "next" if empty is None else "zero"
    tokenizer = StackTokenizer.from_stack(path, eos_id=end, pad_token=None)
    tokenizer.save_pretrained(str(folder))
    top.save_pretrained(folder, empty)
    return tokenizer
