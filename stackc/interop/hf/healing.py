"""Token healing: a prompt without the tokens that a continuation may change, and what must come next instead.

A prompt that ends inside a window has other tokens than the same text inside a longer one, and a model has never seen
them before that continuation. So the tokens of the last window are removed, and generation may choose only tokens whose
text begins with the removed bytes, as `stackc generate` does (`stackc.stack.generation.constraint`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import attrs

from stackc.api.errors import StackcError
from stackc.coding.level import Level
from stackc.interop.hf.rows import Ids
from stackc.stack.generation.constraint import Constraint
from stackc.stack.generation.generate import check_generates, prompt_tokens


@attrs.frozen(kw_only=True)
class Healed:
    """A prompt to be continued.

    Attributes:
        ids: the prompt's first ids, which stay as they are.
        constraint: what the next tokens may be, so that their text begins with the rest of the prompt; None: all are
            left.
    """

    ids: Ids
    constraint: Constraint | None

    def options(self, ids: Sequence[int]) -> list[tuple[int, int]] | None:
        """Ranges (first, last) of the ids that may follow `ids`, the ones generated so far; None: any id may."""
        constraint = self.constraint
        for number in ids:
            if constraint is None:
                return None
            found = (after for first, last, after in constraint.options() if first <= number <= last)
            constraint = next(found, None)
        return None if constraint is None else [(first, last) for first, last, _ in constraint.options()]


def heal(levels: list[Level], text: bytes) -> Healed:
    """A prompt without its last tokens.

    Args:
        levels: the levels of the tokens, lowest first.
        text: the prompt.

    Raises:
        CodingError: a level through which nothing can be generated.
    """
    check_generates(levels)
    ids, constraint = prompt_tokens(levels, text)
    return Healed(ids=ids, constraint=constraint)


class HealedPrompts:
    """Prompts for ``model.generate(**prompts.inputs(), logits_processor=[prompts])``: each is continued byte for byte.

    A processor of logits, as transformers calls one: as long as a prompt is not restored, it leaves only tokens that
    restore it. Any decoding works, beams too.

    Args:
        tokenizer: of the prompts.
        prompts: what was kept of each.

    Raises:
        StackcError: nothing was kept of a prompt, and the tokenizer has no token for the beginning of a text.
    """

    def __init__(self, tokenizer: Any, prompts: list[Healed]) -> None:
        begin = tokenizer.bos_token_id
        if begin is None and not all(prompt.ids for prompt in prompts):
            raise StackcError("no token is left of the prompt, and a model needs one: lengthen it, or set bos_token")
        self._tokenizer, self._prompts = tokenizer, prompts
        self.input_ids = [prompt.ids or [begin] for prompt in prompts]
        self._width = max(map(len, self.input_ids), default=0)

    def inputs(self, return_tensors: str = "pt") -> Any:
        """`input_ids` and `attention_mask`, padded on the left."""
        columns = {"input_ids": self.input_ids}
        return self._tokenizer.pad(columns, padding_side="left", return_tensors=return_tensors)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores [rows, ids] with those of all other tokens at minus infinity; rows are those of `inputs`, repeated."""
        per = len(input_ids) // len(self._prompts)
        for row, ids in enumerate(input_ids[:, self._width :].tolist()):
            options = self._prompts[row // per].options(ids)
            if options is None:
                continue
            other = scores.new_ones(scores.shape[1]).bool()
            for first, last in options:
                other[first : last + 1] = False
            scores = scores.clone()
            scores[row, other] = -math.inf
        return scores
