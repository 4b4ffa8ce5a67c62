"""Causal language models of transformers as models of a stack: tiny, offline."""

from __future__ import annotations

import io

import numpy as np
import pytest

import stackc
from recipes_of_tests import corpus
from stackc.api import Device, StackcError
from stackc.testing.models import ModelContract
from stackc.testing.training import training_task
from stackc_hf.config import Hf, HfTraining

GPT2 = "n_layer=1 n_embd=16 n_head=2 n_positions=32"
LLAMA = "hidden_size=16 intermediate_size=24 num_hidden_layers=1 num_attention_heads=2 max_position_embeddings=32"
TRAINING = HfTraining(steps=6, batch=2, row=16, checkpoint_seconds=0.0)


def backend(config):
    from stackc_hf.backend import HfBackend

    return HfBackend(config)


class TestGpt2(ModelContract):
    alphabets = (2, 5)

    def config(self):
        return Hf(settings=GPT2, context=24)

    def make(self):
        return backend(self.config()), TRAINING


def test_a_llama_slides_past_its_context_and_answers_again_the_same(tmp_path):
    made = backend(Hf(model_type="llama", settings=LLAMA, context=8))
    made.train(training_task(5, HfTraining(steps=2, batch=2, row=8), tmp_path / "model"))
    made.freeze(tmp_path / "model", tmp_path / "frozen", 5)
    rows = []
    for _ in range(2):
        predictor = made.load(tmp_path / "frozen", 5, Device())
        state = predictor.start(1)
        rows.append([predictor.step(state, np.array([i % 5 if i else -1]))[0].tolist() for i in range(30)])
        assert len(state[0].inputs) <= 8
    assert rows[0] == rows[1]


def test_an_unknown_model_type_is_one_line(tmp_path):
    with pytest.raises(StackcError, match="hf: "):
        backend(Hf(model_type="gtp2")).train(training_task(5, TRAINING, tmp_path))


def test_a_stack_compresses_here_and_is_refused_elsewhere(tmp_path, monkeypatch):
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(
        '[stack]\nname = "hf"\nseed = 1\n[corpus]\nreader = "text"\ntrain = "train-*.txt"\nvalid = "valid.txt"\n'
        'segment = 200\n[top]\nname = "M1"\n[top.model]\nbackend = "hf"\ncontext = 24\n'
        f'settings = "{GPT2}"\n[top.train]\nsteps = 5\nbatch = 2\nrow = 16\n'
    )
    stack = stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    packed, back = io.BytesIO(), io.BytesIO()
    stack.compress(io.BytesIO(b"It is a truth."), packed)
    stack.decompress(io.BytesIO(packed.getvalue()), back)
    assert back.getvalue() == b"It is a truth."
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    with pytest.raises(StackcError, match="same-machine"):
        stackc.load(tmp_path / "stack").decompress(io.BytesIO(packed.getvalue()), io.BytesIO())
