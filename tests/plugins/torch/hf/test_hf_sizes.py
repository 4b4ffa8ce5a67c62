"""What a dry run knows of hf models: sizes of models that are never made, and what training takes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import transformers
from click.testing import CliRunner

from recipes_of_tests import HEAD, corpus
from stackc.api import Cost, StackcError
from stackc.cli import main
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.making import fresh
from stackc_torch.hf.sizes import before_training, sizes_of

LAYER = "num_hidden_layers=2 num_attention_heads=2 num_key_value_heads=2 hidden_size=16 intermediate_size=24"
MODELS = {
    "gpt2": "n_layer=2 n_embd=16 n_head=2 n_positions=32",
    "llama": LAYER,
    "mixtral": f"{LAYER} num_local_experts=3",
}


@pytest.mark.parametrize("model_type", MODELS)
def test_sizes_are_those_of_the_model_that_is_trained(model_type: str) -> None:
    config = Hf(model_type=model_type, settings=MODELS[model_type], context=16)
    sizes = sizes_of(fresh(config, 5))
    cost = config.cost(5, HfTraining(steps=10, batch=4, row=8))
    assert (cost.parameters, cost.body_ops, cost.softmax_ops) == (sizes.parameters, sizes.body_ops, sizes.softmax_ops)
    assert cost.train_symbols == 10 * 4 * 8
    assert cost.train_ops == 3 * 320 * (cost.body_ops + cost.softmax_ops)
    assert cost.train_memory > 16 * cost.parameters
    assert config.cost(5, None).train_ops == 0


@pytest.mark.parametrize(
    "settings",
    ["n_head=3 n_embd=64", "n_head=0", "n_embd=0", "activation_function=foo", "n_inner=0", "n_embd=-8"],
)
def test_settings_of_which_no_model_can_be_made_are_a_problem_of_the_recipe(settings: str, tmp_path: Path) -> None:
    """Not of the build, hours later: what the making itself refuses is known without numbers."""
    config = Hf(settings=settings, context=16)
    with pytest.raises(StackcError) as refused:
        fresh(config, 256)
    (problem,) = config.problems(256, HfTraining(row=8))
    assert problem.startswith("settings: transformers cannot make a model of them: ")
    if "negative" not in problem:  # torch says the same in other words
        assert problem.rpartition(": ")[2] in str(refused.value)
    corpus(tmp_path)
    model = f'[top]\n[top.model]\nbackend = "hf"\ncontext = 16\nsettings = "{settings}"\n[top.train]\nrow = 8\n'
    (tmp_path / "recipe.toml").write_text(HEAD.format(name="hf", segment=300) + model)
    (tmp_path / "sweep.toml").write_text('base = "recipe.toml"\nseeds = 2\n')
    for command in (["build", tmp_path / "recipe.toml"], ["sweep", tmp_path / "sweep.toml"]):
        done = CliRunner().invoke(main, [*map(str, command), "--dry-run"])
        assert done.exit_code == 2
        assert "settings: transformers cannot make a model of them" in done.output


@pytest.mark.parametrize(
    "error", [RuntimeError("Tensor.item() cannot be called on meta tensors"), ImportError("mamba")]
)
def test_a_model_that_cannot_be_made_without_numbers_is_left_to_the_build(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("stackc_torch.hf.making.of_config", refuse)
    assert Hf(settings=MODELS["gpt2"], context=16).problems(256, HfTraining(row=8)) == []


def test_every_expert_counts() -> None:
    def body(experts: int) -> int:
        return Hf(model_type="mixtral", settings=f"{LAYER} num_local_experts={experts}").cost(5, None).body_ops

    # Each has three matrices and a row of the router, in both layers.
    assert body(4) - body(3) == 2 * 2 * (3 * 16 * 24 + 16)


def test_what_a_step_keeps_is_what_torch_keeps() -> None:
    """Against the arrays of a real backward pass, those of the attention mask apart."""
    config = Hf(settings=MODELS["gpt2"], context=16)
    model, kept = fresh(config, 5), {}
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    ids = torch.zeros((4, 8), dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits = model(input_ids=ids, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="sum")
    expected = sum(size for at, size in kept.items() if at not in own)
    assert loss.requires_grad
    found = before_training(config, 5, 4, 8)
    assert found is not None
    assert found[1] == pytest.approx(expected, rel=0.02)
    # Scores of attention are kept, so twice the row takes more than twice.
    longer = before_training(config, 5, 4, 16)
    assert longer is not None
    assert longer[1] > 2.05 * found[1]


def test_a_checkpoint_is_known_by_its_configuration(tmp_path: Path) -> None:
    config = transformers.AutoConfig.for_model("llama", vocab_size=7, **Hf(settings=MODELS["llama"]).overrides())
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "mine")
    there = Hf(checkpoint=(str(tmp_path / "mine"),), context=16)
    for alphabet in (5, 9):  # of 7 tokens, and grown to 10
        sizes = sizes_of(fresh(there, alphabet))
        cost = there.cost(alphabet, HfTraining(steps=0))
        assert (cost.parameters, cost.softmax_ops) == (sizes.parameters, sizes.softmax_ops)
        assert (cost.train_ops, cost.train_symbols) == (0, 0)
    gone = Hf(checkpoint=(str(tmp_path / "gone"),), context=16)
    assert gone.cost(5, HfTraining(steps=1, batch=1)) == Cost(parameters=0, train_symbols=16)


def dry_run(folder: Path, table: str, train: str) -> str:
    (folder / "recipe.toml").write_text(
        HEAD.format(name="hf", segment=40)
        + f'[top]\nname = "M1"\n[top.model]\nbackend = "hf"\ncontext = 16\n{table}\n[top.train]\n{train}\n'
    )
    done = CliRunner().invoke(main, ["build", str(folder / "recipe.toml"), "--dry-run"])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_a_dry_run_shows_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path)
    settings = f'settings = "{MODELS["gpt2"]}"'
    parameters = f"{sizes_of(fresh(Hf(settings=MODELS['gpt2'], context=16), 256)).parameters:,}"
    shown = dry_run(tmp_path, settings, "steps = 10")
    assert f"{parameters} parameters in total; training" in shown
    assert "not known" not in shown
    config = transformers.AutoConfig.for_model("gpt2", vocab_size=257, **Hf(settings=MODELS["gpt2"]).overrides())
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "mine")
    shown = dry_run(tmp_path, 'checkpoint = "mine"', "steps = 0")  # counts from the recipe's folder
    assert f"{parameters} parameters in total" in shown
    assert "not known" not in shown
    monkeypatch.setitem(sys.modules, "transformers", None)
    shown = dry_run(tmp_path, settings, "steps = 10")
    assert "0 parameters in total; the cost of training M1 is not known in advance" in shown
