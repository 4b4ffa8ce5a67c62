"""Causal language models of transformers as models of a stack: tiny, offline."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from hf_toys import GPT2, LLAMA, TRAINING
from stackc.api import (
    RESTART,
    CodingError,
    StackcError,
)
from stackc.testing.models import ModelContract
from stackc.testing.training import sample_text, step_rows
from stackc_torch.hf.backend import HfBackend
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.making import fresh, named
from stackc_torch.hf.predictor import HfPredictor


class Contract(ModelContract):
    alphabets = (2, 5)

    @staticmethod
    def _exact(predictor):
        """Lanes are evaluated one at a time: here the answers do not depend on how many there are."""
        return True

    def make(self):
        return HfBackend(self.config()), TRAINING


class TestGpt2(Contract):
    def config(self):
        return Hf(settings=GPT2, context=24)


class TestLlama(Contract):
    def config(self):
        return Hf(model_type="llama", settings=LLAMA, context=24)


def test_frequencies_follow_the_written_rule(gpt2):
    predictor = HfPredictor(gpt2, 5, 8)
    row = predictor.step(predictor.start(1), np.array([RESTART]))[0]
    with torch.no_grad():
        logits = gpt2(input_ids=torch.tensor([[5]])).logits[0, -1, :5].double().tolist()
    weights = [np.exp(x) for x in logits]
    counts = [int(w / sum(weights) * 2**30) for w in weights]
    expected = [1 + c * (2**24 - 5) // sum(counts) for c in counts]
    assert abs(row.astype(int) - expected).max() <= 4  # the rest goes to the largest
    assert row.sum() == 2**24


def test_past_its_context_a_lane_goes_on_with_the_later_half(gpt2):
    predictor = HfPredictor(gpt2, 5, 8)
    state, symbols = predictor.start(1), [i % 5 for i in range(30)]
    rows = [predictor.step(state, np.array([symbol]))[0].copy() for symbol in (RESTART, *symbols)]
    # After 8 symbols nine positions are too many: the empty context and the last four are left.
    np.testing.assert_array_equal(state.lanes[0].inputs[:1], [5])
    assert len(state.lanes[0].inputs) <= 8
    fresh_state = predictor.start(1)
    for symbol in (RESTART, *symbols[4:8]):
        again = predictor.step(fresh_state, np.array([symbol]))[0]
    assert abs(again.astype(int) - rows[8]).max() < 200  # another shape of calls: the same but for the last bits


def test_a_model_without_a_right_cache_is_run_anew_for_every_symbol(gpt2, monkeypatch):
    symbols = sample_text(5).symbols[:20]
    cached = step_rows(HfPredictor(gpt2, 5, 24), symbols)
    monkeypatch.setattr(transformers, "DynamicCache", lambda config: 7)  # nothing that a model would take
    predictor = HfPredictor(gpt2, 5, 24)
    assert not predictor._caches
    assert abs(step_rows(predictor, symbols).astype(int) - cached).max() < 200


def test_threads_of_others_do_not_matter_and_are_left_alone(gpt2):
    symbols = sample_text(5).symbols[:20]
    predictor = HfPredictor(gpt2, 5, 24)
    rows = step_rows(predictor, symbols)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        np.testing.assert_array_equal(step_rows(predictor, symbols), rows)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_sizes_are_those_of_the_model(gpt2):
    predictor = HfPredictor(gpt2, 5, 8)
    d, block = 16, 12 * 16 * 16
    vectors = 2 * 2 * d + 3 * d + d + 4 * d + d + 2 * d  # norms and biases
    assert predictor.parameters == block + vectors + (6 + 32) * d
    assert (predictor.body_ops, predictor.softmax_ops) == (2 * block, 2 * 6 * d)


def test_misuse_is_an_error(gpt2):
    predictor = HfPredictor(gpt2, 5, 8)
    state = predictor.start(1)
    with pytest.raises(CodingError, match="before it was restarted"):
        predictor.step(state, np.array([1]))
    for wrong in (5, -3):
        with pytest.raises(CodingError, match="outside the alphabet of 5"):
            predictor.step(state, np.array([wrong]))
    with torch.no_grad():
        next(iter(named(gpt2).values())).fill_(float("nan"))
    with pytest.raises(CodingError, match="not finite"):
        predictor.step(state, np.array([RESTART]))


# -- what a recipe may say


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (Hf(model_type="gtp2"), "model_type: transformers has no causal language model 'gtp2'; did you mean 'gpt2'?"),
        (Hf(settings="n_lyer=1"), "settings: a gpt2 has no setting 'n_lyer'; did you mean 'n_layer'?"),
        (Hf(settings="n_layer"), "settings: 'n_layer' is not KEY=VALUE"),
        (Hf(settings="n_layer=1 n_layer=2"), "settings: n_layer is given twice"),
        (Hf(settings="vocab_size=9"), "settings: vocab_size is not for a recipe to set; remove it"),
        (Hf(settings="attn_implementation=a/b"), "settings: attn_implementation is not for a recipe to set; remove it"),
        (Hf(settings="n_positions=32"), "context: 256 is more than the 32 positions that the model has (n_positions)"),
        (
            Hf(model_type="llama", settings="max_position_embeddings=32"),
            "context: 256 is more than the 32 positions that the model has (max_position_embeddings)",
        ),
        (
            Hf(settings="n_layer=1", checkpoint="here"),
            "checkpoint: it comes with its own model_type and settings; remove these",
        ),
    ],
)
def test_problems_of_a_recipe(config, line):
    assert config.problems(256, HfTraining()) == [line]


def test_problems_of_training():
    assert Hf().problems(256, None) == ["train: an hf model needs a train table (steps = 0: the checkpoint as it is)"]
    assert Hf().problems(256, HfTraining(row=300, steps=0)) == [
        "train.row: 300 is more than context = 256",
        "train.steps: 0 leaves the model untrained; give it some, or a checkpoint",
    ]
    wrong = Hf(settings="n_layer=many").problems(256, HfTraining())
    assert len(wrong) == 1
    assert wrong[0].startswith("settings: ")
    assert "n_layer" in wrong[0]


def test_sizes_that_do_not_go_together_are_one_line():
    config = Hf(model_type="llama", settings=LLAMA.replace("hidden_size=16", "hidden_size=15"), context=16)
    with pytest.raises(StackcError, match="transformers cannot make a model of model_type and settings: "):
        fresh(config, 5)


def test_settings_are_json_or_text():
    assert Hf(settings="a=1 b=0.5 c=true d=gelu e=[1,2]").overrides() == {
        "a": 1, "b": 0.5, "c": True, "d": "gelu", "e": [1, 2],
    }  # fmt: skip


def test_a_model_that_sees_what_comes_next_is_refused():
    small = "hidden_size=16 num_hidden_layers=1 num_attention_heads=2 intermediate_size=16 max_position_embeddings=32"
    config = Hf(model_type="bert", settings=small, context=16)
    with pytest.raises(StackcError, match="sees what comes next"):
        fresh(config, 5)
    assert fresh(Hf(model_type="bert", settings=f"{small} is_decoder=true", context=16), 5)
