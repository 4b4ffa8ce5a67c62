"""hf models trained by several processes, and what these tell each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

import stackc
from processes_of_tests import Ranks
from recipes_of_tests import HEAD, corpus, level
from stackc.pipeline.ranks.world import LOST
from stackc.testing.training import Killed
from stackc_torch.hf.training import HfRun
from stackc_torch.training.ranks import sum_gradients

SCRIPT = """
import os, signal, sys
from stackc.cli import run
from stackc_torch.hf.training import HfRun
last, inner = int(sys.argv.pop(1)), HfRun.one_step
def one_step(self):
    if self.step == last and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(self)
HfRun.one_step = one_step
run()
"""

MODEL = 'backend = "hf"\ncontext = 24\ncheckpoint = "mine"\n'
# Of a step's one long row the second rank has none; of its three window rows each has some.
TRAIN = "steps = 6\nbatch = 1\nrow = 16\nwindow_row = 6\nrecuts = 2\nrecut_symbols = 20\ncheckpoint_seconds = 0\n"
TOP = '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
RECIPE = HEAD.format(name="hf", segment=40) + level(
    "M1", 'kind = "equal-info"\nbits = 16\ncontext = "window"', "arithmetic", 8, MODEL, TRAIN
)


def by_two(ranks: Ranks, folder: Path, killed: int = -1) -> tuple[int, str]:
    """Build by two processes, started elsewhere than in the recipe's folder; rank 1 may die before a step."""
    (folder / "script.py").write_text(SCRIPT)
    (folder / "elsewhere").mkdir(exist_ok=True)
    arguments = ["build", "../recipe.toml", "--out", "../parts", "--device", "cpu"]
    codes, said = ranks.run(folder / "elsewhere", 2, "../script.py", str(killed), *arguments)
    return next((code for code in codes if code), 0), said


def losses(folder: Path) -> dict[int, float]:
    lines = [json.loads(line) for line in (folder / "logs" / "metrics.jsonl").read_text().splitlines()]
    found = {line["step"]: line["loss"] for line in lines}
    assert len(found) == len(lines), "a step was done twice"
    return found


@pytest.fixture
def ranks() -> Iterator[Ranks]:
    made = Ranks("transformers", "stackc_torch.hf.training", "torch._dynamo")
    yield made
    made.close()


def test_two_ranks_have_the_losses_of_one_and_go_on_for_each_other(
    ranks: Ranks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes until one is killed, then one process until it is killed, then two to the end."""
    corpus(tmp_path)
    for path in tmp_path.glob("*.txt"):
        path.write_bytes(path.read_bytes()[:24])
    torch.manual_seed(1)
    config = transformers.AutoConfig.for_model(
        "gpt2", vocab_size=257, n_layer=1, n_embd=16, n_head=2, n_positions=32, bos_token_id=256, eos_token_id=256
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "mine")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE + TOP)
    stackc.build(recipe, tmp_path / "whole")

    code, said = by_two(ranks, tmp_path, killed=2)
    assert code != 0
    assert [line for line in said.splitlines() if line.startswith("error: ")] == [f"error: {LOST}"]
    assert not (tmp_path / "parts" / "manifest.json").exists()

    inner = HfRun.one_step

    def one_step(self: HfRun) -> float:
        if self.step == 4:
            raise Killed
        return inner(self)

    with monkeypatch.context() as patch:
        patch.setattr(HfRun, "one_step", one_step)
        with pytest.raises(Killed):
            stackc.build(recipe, tmp_path / "parts")

    code, said = by_two(ranks, tmp_path)
    assert code == 0, said
    one, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    assert len(one) == 6
    assert parts == pytest.approx(one, rel=1e-4)
    assert stackc.load(tmp_path / "parts").manifest["trained"]["M1/model"]["ranks"] == 2


def test_a_parameter_without_gradient_here_gets_that_of_another_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other rank's rows reach the second parameter, these the first, none the third."""
    mine, other = ([torch.nn.Parameter(torch.zeros(size)) for size in ((2, 3), (2,), (1,))] for _ in range(2))
    mine[0].grad, other[1].grad = torch.arange(6.0).view(2, 3), torch.tensor([7.0, 8.0])
    sent: list[torch.Tensor] = []
    monkeypatch.setattr("torch.distributed.all_reduce", sent.append)
    sum_gradients(other, 2)
    monkeypatch.setattr("torch.distributed.all_reduce", lambda tensor: tensor.add_(sent[0]))
    sum_gradients(mine, 2)
    assert mine[2].grad is None, "no weight decay where one process has none"
    np.testing.assert_array_equal(mine[0].grad, np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(mine[1].grad, [7, 8])
