"""Byte-aware inputs of a model of transformers: a table and a hook while it trains, one embedding afterwards.

The hook adds to what the model's embedding gives, so a tied output (one array for both) keeps knowing nothing of texts.
`fold` unties the two before it adds the sums, since the sums belong to the input alone.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor

from stackc.api import StackcError
from stackc_torch.hf.making import REFUSALS, of_config
from stackc_torch.training.inputs import NAME, SPREAD, TextInputs


def attach(model: Any, inputs: TextInputs, seed: int) -> Any:
    """Give a model byte-aware inputs: a parameter `NAME`, and a hook of its embedding, which `fold` takes.

    Raises:
        StackcError: its inputs are more than a table of rows, or it cannot have its own output.
    """
    embedding, kind = model.get_input_embeddings(), model.config.model_type
    factor = _factor(embedding)
    if factor is None:
        raise StackcError(
            f"hf: train.byte_aware: the inputs of a {kind} are more than rows of one table, to which no sums can be "
            "added; remove it"
        )
    if _tied(model) and not _can_be_untied(model.config):
        raise StackcError(f"hf: train.byte_aware: a {kind} has one array for input and output always; remove it")
    weight = embedding.weight
    # The sum of eleven rows is as large as the row that it is added to, whatever scale the model has.
    table = inputs.table(weight.shape[1], seed) * (float(weight.detach().float().std()) / SPREAD / math.sqrt(11))
    model.register_parameter(NAME, torch.nn.Parameter(table.to(weight)))

    def add(module: Any, given: tuple[Tensor, ...], found: Tensor) -> Tensor:
        symbols, places = torch.unique(given[0], return_inverse=True)
        # Copies of the model for coding share its parameters, so this table is theirs, too.
        return found + factor * inputs.sums(model.get_parameter(NAME), symbols)[places]

    return embedding.register_forward_hook(add)


@torch.no_grad()
def fold(model: Any, inputs: TextInputs, hook: Any) -> None:
    """Leave the model with one embedding, which has the sums in it, and its own output; `hook`: from `attach`."""
    embedding, tied = model.get_input_embeddings(), _tied(model)
    known = len(inputs.offsets) - 1  # a checkpoint may have more tokens
    summed = embedding.weight.clone()
    summed[:known] += inputs.sums(model.get_parameter(NAME), torch.arange(known, device=summed.device))
    hook.remove()
    delattr(model, NAME)
    if tied:
        _untie(model.config)
    embedding.weight = torch.nn.Parameter(summed)


@torch.no_grad()
def rename_empty(model: Any, alphabet: int, empty: int) -> None:
    """Let the symbol `empty` represent the empty context in place of the token `alphabet`, the first one to go.

    The input of `empty` becomes that of the token, while its output stays as it was trained, so a model with one array
    for both has two afterwards.
    """
    embedding, head = model.get_input_embeddings(), model.get_output_embeddings()
    if _tied(model):
        _untie(model.config)
        head.weight = torch.nn.Parameter(head.weight.clone())
    embedding.weight[empty] = embedding.weight[alphabet]
    model.resize_token_embeddings(alphabet)
    for config in model.config, model.generation_config:
        config.bos_token_id = config.eos_token_id = empty


def _factor(embedding: Any) -> float | None:
    """What an embedding multiplies the rows of its table by; None if it does anything else."""
    weight = getattr(embedding, "weight", None)
    if not isinstance(weight, torch.Tensor) or weight.ndim != 2:
        return None
    with torch.no_grad():
        rows = weight[: min(64, len(weight))].float()
        try:
            found = embedding(torch.arange(len(rows), device=weight.device)[None])[0].float()
        except REFUSALS:
            return None
        if found.shape != rows.shape:
            return None
        factor = float((found * rows).sum() / rows.square().sum().clamp(min=1e-30))
        return factor if torch.allclose(found, rows * factor, rtol=1e-5, atol=1e-7) else None


def _tied(model: Any) -> bool:
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def _untie(config: Any) -> None:
    config.tie_word_embeddings = False
    inner = config.get_text_config()
    if inner is not config:
        inner.tie_word_embeddings = False


def _can_be_untied(config: Any) -> bool:
    """Whether transformers makes a model of the same configuration with its own output."""
    config = copy.deepcopy(config)
    _untie(config)
    try:
        with torch.device("meta"):
            return not _tied(of_config(config))
    except REFUSALS:
        return False
