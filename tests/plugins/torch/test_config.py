"""What a recipe may set, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from stackc.api import Cost
from stackc.recipe.sections import plain, settings_key
from stackc_torch.gru.config import Gru
from stackc_torch.hf.config import Hf
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
    assert settings.total_steps(256, Cost(parameters=0)) == 21
    assert TransformerTraining(steps=3).total_steps(256, Cost(parameters=0)) == 3


@pytest.mark.parametrize("config", [Transformer(layers=1, width=16, heads=2), Gru(width=16), Hf(settings="n_layer=1")])
@pytest.mark.parametrize("wanted", [1.0, 7e8, 3e9, 12_345_678_901.5])
def test_a_budget_in_operations_becomes_the_nearest_number_of_steps(config, wanted):
    """Three times the forward pass, softmax counted, and what the whole steps take is recorded."""
    if isinstance(config, Hf):
        pytest.importorskip("transformers")
    settings = config.train(operations=wanted, batch=4, row=20)
    cost = config.cost(500, settings)
    a_step = 3 * 4 * 20 * (cost.body_ops + cost.softmax_ops)
    assert cost.softmax_ops > 0
    assert cost.train_ops % a_step == 0
    steps = cost.train_ops // a_step
    assert steps == settings.total_steps(config.context, cost) == max(1, round(wanted / a_step))
    assert steps == 1 or abs(cost.train_ops - wanted) <= a_step / 2
    assert cost.train_symbols == steps * 80
    assert config.cost(500, config.train(steps=steps, batch=4, row=20)) == cost


def test_a_budget_in_operations_is_in_no_key_of_other_recipes():
    for train in (TransformerTraining(steps=5), Hf.train(steps=5)):
        assert "operations" not in settings_key(train)
        assert "operations" not in plain(train)
    assert settings_key(TransformerTraining(operations=3e12))["operations"] == 3e12


def test_two_budgets_are_a_problem():
    assert "train.operations: give either steps or operations" in Hf().problems(9, Hf.train(steps=5, operations=1e9))
    found = Transformer().problems(9, TransformerTraining(symbols=5, operations=1e9))
    assert found == ["train.steps: give exactly one of steps, symbols and operations"]


def test_problems_name_every_field_at_once():
    config = Transformer(width=10, heads=3)
    settings = TransformerTraining(batch=9, accumulate=2, decay="rsqrt", warmup=0)
    found = config.problems(256, settings)
    assert [line.split(":")[0] for line in found] == ["heads", "train.steps", "train.accumulate", "train.warmup"]
    assert Transformer().problems(256, TransformerTraining(steps=1)) == []
    assert Transformer().problems(256, TransformerTraining(steps=1, symbols=1)) != []
    missing = "train: a transformer needs a train table with steps, symbols or operations"
    assert Transformer().problems(256, None) == [missing]


def test_importing_the_plugin_imports_neither_torch_nor_numba():
    code = (
        "import sys, stackc_torch; c = stackc_torch.Transformer();"
        "c.cost(256, stackc_torch.TransformerTraining(steps=1));"
        "assert not {'torch', 'numba'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
