"""What a recipe may set, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stackc_torch.training.config import TransformerTraining
from stackc_torch.transformer.config import Transformer


@pytest.mark.parametrize(
    ("config", "alphabet"),
    [
        (Transformer(layers=1, width=8, heads=2, context=3), 2),
        (Transformer(layers=2, width=32, heads=2, mlp=64, context=24), 256),
        (Transformer(layers=3, width=40, heads=3, head_dim=7, mlp=11, context=5), 1000),
    ],
)
def test_cost_counts_the_real_parameters(config, alphabet):
    from stackc_torch.transformer.network import initial

    weights = initial(config, alphabet, seed=1)
    cost = config.cost(alphabet, TransformerTraining(steps=10, batch=4))
    assert cost.parameters == sum(tensor.numel() for tensor in weights.values())
    matrices = sum(w.numel() for n, w in weights.items() if n[0].isdigit() and not n.endswith("bias"))
    assert cost.body_ops == 2 * matrices
    assert cost.softmax_ops == 2 * config.width * alphabet
    assert cost.train_symbols == 10 * 4 * config.context
    assert cost.train_ops == 3 * cost.train_symbols * (cost.body_ops + cost.softmax_ops)
    assert cost.train_memory > 16 * cost.parameters


def test_the_papers_m1_has_the_papers_size():
    """PAPER.md: 3 layers, d 256, 4 heads of 64, MLP 1024: 3.15M parameters without embedding and softmax."""
    config = Transformer(layers=3, width=256, heads=4, head_dim=64, mlp=1024, context=1024)
    assert config.cost(256, None).body_ops == 2 * 3_145_728


def test_a_budget_in_symbols_is_rounded_up_to_whole_steps():
    settings = TransformerTraining(symbols=1001, batch=5, row=10)
    assert settings.total_steps(context=256) == 21
    assert TransformerTraining(steps=3).total_steps(context=256) == 3


def test_problems_name_every_field_at_once():
    config = Transformer(width=10, heads=3)
    settings = TransformerTraining(batch=9, accumulate=2, decay="rsqrt", warmup=0)
    found = config.problems(256, settings)
    assert [line.split(":")[0] for line in found] == ["heads", "train.steps", "train.accumulate", "train.warmup"]
    assert Transformer().problems(256, TransformerTraining(steps=1)) == []
    assert Transformer().problems(256, TransformerTraining(steps=1, symbols=1)) != []
    assert Transformer().problems(256, None) == ["train: a transformer needs a train table with steps or symbols"]


def test_importing_the_plugin_imports_neither_torch_nor_numba():
    code = (
        "import sys, stackc_torch; c = stackc_torch.Transformer();"
        "c.cost(256, stackc_torch.TransformerTraining(steps=1));"
        "assert not {'torch', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
