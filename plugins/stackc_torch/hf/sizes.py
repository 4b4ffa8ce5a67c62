"""How large a model is, what it costs per symbol and what a training step keeps: all without running it."""

from __future__ import annotations

from typing import Any

import attrs
import torch

from stackc.api import Cost, StackcError
from stackc_torch.hf.making import REFUSALS, Described, unmade

FLOAT = 4
"""Bytes of a number."""


def sizes_of(model: Any) -> Cost:
    """The sizes of a model, without its training.

    Every number of a matrix multiplies once per symbol, in a mixture of experts those of all experts; tables of
    embeddings are looked up.
    """
    head = model.get_output_embeddings()
    matrices = sum(p.numel() for p in model.parameters() if p.ndim >= 2)
    tables = sum(m.weight.numel() for m in model.modules() if isinstance(m, torch.nn.Embedding))
    projection = 0 if head is None else head.weight.numel()
    tied = head is not None and head.weight is model.get_input_embeddings().weight
    return Cost(
        parameters=sum(p.numel() for p in model.parameters()),
        body_ops=2 * max(0, matrices - tables - (0 if tied else projection)),
        softmax_ops=2 * projection,
    )


def before_training(
    config: Described, alphabet: int, rows: int, row: int, byte_aware: bool = False
) -> tuple[Cost, int] | None:
    """A model's sizes, and the bytes that a step of `rows` rows of `row` symbols keeps for its backward pass.

    The model is made on torch's meta device, where arrays have shapes and no numbers.

    Args:
        byte_aware: the model gets its own output in the end, if it has one array for input and output.

    Returns:
        None if that is impossible: no such model, or its checkpoint is missing.
    """
    try:
        model = unmade(config, alphabet)
    except (StackcError, *REFUSALS):
        return None
    sizes, head = sizes_of(model), model.get_output_embeddings()
    if byte_aware and head is not None and head.weight is model.get_input_embeddings().weight:
        sizes = attrs.evolve(sizes, parameters=sizes.parameters + head.weight.numel())
    return sizes, _kept(model, rows, row)


def _kept(model: Any, rows: int, row: int) -> int:
    """Bytes kept by a step; if the model does not run without numbers, each matrix's input and output."""
    own = {tensor.untyped_storage()._cdata for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage.nbytes()
        return tensor  # it lives as long as the loss does, so no storage's number is given twice

    inputs = torch.zeros((rows, row), dtype=torch.long, device="meta")
    # Given none, transformers makes one, and looks at its numbers.
    mask = torch.zeros((rows, 1, row, row), device="meta")
    try:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = model(input_ids=inputs, attention_mask=mask, use_cache=False).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), inputs.flatten(), reduction="sum")
    except REFUSALS:
        return rows * row * FLOAT * sum(sum(p.shape[-2:]) for p in model.parameters() if p.ndim >= 2)
    del loss
    return sum(kept.values())
