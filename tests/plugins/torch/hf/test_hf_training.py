"""The backend `hf` in training: rows, windows, learning curves, devices, precision, byte-aware inputs."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
import torch
import transformers

from hf_toys import GPT2, LLAMA, TRAINING
from stackc.api import (
    Device,
    StackcError,
    SymbolTexts,
    read_tensors,
)
from stackc.testing.training import SEGMENT, Killed, Reports, every_five, sample_text, step_rows, training_task
from stackc_torch.hf.backend import HfBackend
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.inputs import attach, fold
from stackc_torch.hf.making import arrays, fresh, load, save
from stackc_torch.hf.sampler import UNSEEN, HfSampler
from stackc_torch.hf.training import HfRun
from stackc_torch.training.inputs import TextInputs
from stackc_torch.training.sampler import Windows

# -- training


def sampled(share=0.5):
    return HfTraining(batch=4, window_row=6, window_share=share)


def sampler_of(task):
    """Long rows of 12 symbols."""
    return HfSampler(task.train, task.alphabet, task.seed, 12, task.settings, task.cut is not None)


def test_rows_begin_with_the_empty_context_and_end_with_window_or_document(tmp_path):
    task = training_task(5, sampled(), tmp_path, cut=every_five)
    sampler, text = sampler_of(task), task.train
    windows = Windows(symbols=text.symbols[:60], starts=np.arange(60) % 5 == 0, cuts=1)
    blocks = sampler.step(3, windows)[0]
    (long, _), (short, short_targets) = ((rows.inputs.numpy(), rows.targets.numpy()) for rows in blocks)
    assert sampler.symbols(3, windows) == sum(int((rows.targets != UNSEEN).sum()) for rows in blocks)
    assert long.shape == (2, 12)
    assert short.shape == (4, 6)
    assert (short[:, 0] == 5).all()
    assert (long[:, 0] == 5).all()
    assert ((short_targets != UNSEEN) == (np.arange(6) < 5)).all()
    np.testing.assert_array_equal(short[:, 1:5], short_targets[:, :4])
    # A row from the last place of a document has one target.
    whole = sampler_of(training_task(5, sampled(share=0.0), tmp_path))
    seen = np.concatenate([whole.step(step, windows)[0][0].targets.numpy() for step in range(200)])
    lengths = (seen != UNSEEN).sum(1)
    assert lengths.min() == 1
    assert lengths.max() == 12


def test_windows_are_cut_with_the_model_so_far(tmp_path):
    asked = []

    def cut(predictor, symbols, offsets=None):
        asked.append((predictor.alphabet, len(symbols)))
        return every_five(predictor, symbols)

    HfBackend(Hf(settings=GPT2, context=24)).train(training_task(5, TRAINING, tmp_path, cut=cut))
    assert asked == [(5, 60)] * TRAINING.recuts


def test_training_learns_and_reports_held_out_text(tmp_path):
    class Figures(Reports):
        seen: list

        def log(self, step, **scalars):
            self.seen.append(scalars)

    figures = Figures()
    figures.seen = []
    settings = HfTraining(steps=120, batch=8, row=16, learning_rate=1e-2)
    HfBackend(Hf(settings=GPT2, context=24)).train(
        training_task(
            5,
            settings,
            tmp_path,
            progress=figures,
            train=sample_text(5, 20 * SEGMENT),
            valid=sample_text(5, 500, seed=1),
        )
    )
    assert len(figures.seen) == 120, "a short training has a point for every step"
    measured = [scalars["valid_loss"] for scalars in figures.seen if "valid_loss" in scalars]
    assert len(measured) == 8
    # The text: log2(5) = 2.32 bits without a model, 0.95 with the rule that made it.
    assert measured[0] > 1.5
    assert measured[-1] < 1.15


def test_a_point_of_a_curve_is_the_mean_since_the_last_one_killed_or_not(tmp_path, monkeypatch):
    class Figures(Reports):
        seen: dict

        def log(self, step, **scalars):
            self.seen[step] = scalars["loss"]
            super().log(step, **scalars)

    text = sample_text(5, 40 * SEGMENT)
    # Of one document, so that every step has as many symbols.
    one_document = attrs.evolve(text, offsets=text.offsets[[0, -1]])

    def curve(name, times, kill_at=None):
        monkeypatch.setattr("stackc_torch.training.report.LOGGED_TIMES", times)
        figures = Figures(kill_at)
        figures.seen = {}
        settings = HfTraining(steps=16, batch=2, row=8, recuts=0, checkpoint_seconds=0.0)
        for _ in range(1 + (kill_at is not None)):
            with contextlib.suppress(Killed):
                backend = HfBackend(Hf(settings=GPT2, context=24))
                backend.train(training_task(5, settings, tmp_path / name, progress=figures, train=one_document))
        return figures.seen

    every, whole = curve("every", 16), curve("whole", 3)
    assert list(whole) == [2, 4, 6, 8, 10, 12, 14, 16]
    assert list(whole.values()) == pytest.approx([(every[step - 1] + every[step]) / 2 for step in whole])
    assert curve("parts", 3, kill_at=5) == whole, "killed in step 4, with step 3 in the checkpoint"


def test_a_loss_that_is_not_finite_ends_training(tmp_path, monkeypatch):
    infinite = torch.tensor(float("inf"), requires_grad=True)
    monkeypatch.setattr("stackc_torch.hf.training.HfLearner.nats", lambda *_: infinite * 1)
    with pytest.raises(StackcError, match=r"loss of step 0 is not finite; lower train\.learning_rate"):
        HfBackend(Hf(settings=GPT2, context=24)).train(training_task(5, TRAINING, tmp_path))


# -- devices and precision


def test_inputs_and_targets_are_brought_to_the_device(tmp_path, monkeypatch):
    """A device of shapes without numbers stands for a GPU: the loss refuses targets that lie elsewhere."""

    def model(input_ids, use_cache):
        assert input_ids.device.type == "meta"
        return SimpleNamespace(logits=torch.empty((*input_ids.shape, 6), device="meta"))

    config = Hf(settings=GPT2, context=24)
    run = HfRun(fresh(config, 5), config, training_task(5, TRAINING, tmp_path), torch.device("cpu"))
    monkeypatch.setattr("torch.autocast", lambda *_, **__: contextlib.nullcontext())  # there is none for this device
    run.learner.model, run.learner.device = model, torch.device("meta")
    for rows in run.sampler.step(0, run.windows)[0]:
        assert run.learner.nats(rows).device == run.learner.device


def test_windows_are_cut_on_the_cpu_and_training_goes_on_where_it_was(tmp_path, monkeypatch):
    """The optimiser steps the same parameters after the model was away."""
    moved, inner = [], transformers.PreTrainedModel.to
    monkeypatch.setattr(
        transformers.PreTrainedModel, "to", lambda model, device: moved.append(str(device)) or inner(model, device)
    )

    def cut(predictor, symbols, offsets=None):
        assert {p.device.type for p in predictor.model.parameters()} == {"cpu"}
        assert all(p.grad is None for p in predictor.model.parameters())
        moved.append("cut")
        return every_five(predictor, symbols)

    task = training_task(5, TRAINING, tmp_path, cut=cut)
    run = HfRun(fresh(Hf(settings=GPT2, context=24), 5), Hf(settings=GPT2, context=24), task, torch.device("cpu:0"))
    run.to_the_end()
    assert moved == ["cpu:0", *["cpu", "cut", "cpu:0"] * TRAINING.recuts]
    assert all(a is b for a, b in zip(run.learner.parameters, run.learner.model.parameters(), strict=True))


def test_a_device_that_is_not_there_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(StackcError, match="torch sees no CUDA device here; use device = cpu"):
        HfBackend(Hf(settings=GPT2, context=24)).train(training_task(5, TRAINING, tmp_path, device=Device(name="cuda")))


def test_bf16_rounds_products_in_training_alone(tmp_path):
    losses = {}

    class Figures(Reports):
        def log(self, step, **scalars):
            losses.setdefault(precision, []).append(scalars)

    config = Hf(settings=GPT2, context=24)
    for precision in ("float32", "bf16"):
        settings = HfTraining(steps=8, batch=2, row=16, precision=precision, learning_rate=1e-2)
        HfBackend(config).train(training_task(5, settings, tmp_path / precision, progress=Figures()))
        assert {array.dtype for array in read_tensors(tmp_path / precision / "float.safetensors").values()} == {
            np.dtype(np.float32)
        }
    exact, rounded = ([row["loss"] for row in losses[name]] for name in ("float32", "bf16"))
    assert exact != rounded
    assert rounded == pytest.approx(exact, rel=0.02)
    run = HfRun(fresh(config, 5), config, training_task(5, settings, tmp_path), torch.device("cpu"))
    first = run.held_out()
    run.settings = run.learner.settings = HfTraining(batch=2, precision="float32")
    assert run.held_out() == first, "a held-out loss is that of the model that codes"


# -- byte-aware inputs

AWARE = attrs.evolve(TRAINING, byte_aware=True, text_rows=30)


TEXTS = SymbolTexts(data=np.frombuffer(b" the cat the", np.uint8), offsets=np.array([0, 4, 8, 8, 12, 12]))


def aware_task(folder, settings=AWARE, **changes):
    return training_task(5, settings, folder, texts=TEXTS, **changes)


@pytest.mark.parametrize(
    "config",
    [
        Hf(settings=GPT2, context=24),  # tied
        Hf(model_type="llama", settings=LLAMA, context=24),  # not tied
        Hf(model_type="llama", settings=LLAMA + " tie_word_embeddings=true", context=24),
        Hf(model_type="gemma", settings=f"{LLAMA} head_dim=8 num_key_value_heads=1", context=24),  # embedding scaled
    ],
    ids=["gpt2", "llama", "tied llama", "gemma"],
)
def test_folding_gives_the_outputs_of_training_and_leaves_one_embedding(config, tmp_path):
    torch.manual_seed(1)
    model = fresh(config, 5)
    before = arrays(model)
    inputs = TextInputs(TEXTS, 30, torch.device("cpu"), gain=1.0)
    tokens = torch.tensor([[5, 0, 1, 2, 3, 4, 1, 0]])
    with torch.no_grad():
        plain = model(input_ids=tokens, use_cache=False).logits
        hook = attach(model, inputs, 7)
        trained = model(input_ids=tokens, use_cache=False).logits
        fold(model, inputs, hook)
        folded = model(input_ids=tokens, use_cache=False).logits
    assert not torch.allclose(trained, plain, atol=1e-3)
    assert torch.allclose(folded, trained, atol=1e-4)
    save(model, tmp_path)
    again = load(tmp_path, 5, 24)
    with torch.no_grad():
        assert torch.equal(again(input_ids=tokens, use_cache=False).logits, folded)
    head, embedding = again.get_output_embeddings().weight, again.get_input_embeddings().weight
    assert head is not embedding
    tied = "lm_head.weight" not in before
    old = before[next(name for name in before if name.endswith(("wte.weight", "embed_tokens.weight")))]
    assert np.array_equal(head.detach().numpy(), old if tied else before["lm_head.weight"])
    assert np.array_equal(embedding.detach().numpy()[[2, 4, 5]], old[[2, 4, 5]]), "these have no text"


def test_a_killed_byte_aware_training_ends_in_the_same_bytes(tmp_path):
    """With windows that are cut by the model so far, which has the sums in it."""
    backend = HfBackend(Hf(settings=GPT2, context=24))
    whole = aware_task(tmp_path / "whole", cut=every_five)
    backend.train(whole)
    for stop in (2, 5):
        with pytest.raises(Killed):
            backend.train(aware_task(tmp_path / "parts", cut=every_five, progress=Reports(kill_at=stop)))
    backend.train(aware_task(tmp_path / "parts", cut=every_five))
    for name in ("float.safetensors", "model.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    backend.freeze(tmp_path / "whole", tmp_path / "frozen", 5)
    predictor = backend.load(tmp_path / "frozen", 5, Device())
    assert step_rows(predictor, np.array([0, 1, 2])).sum(1).tolist() == [1 << 24] * 3
    assert backend.config.cost(5, AWARE).parameters == predictor.parameters
    assert backend.config.cost(5, TRAINING).parameters == predictor.parameters - 6 * 16


def test_models_whose_inputs_take_no_sums_are_refused(gpt2):
    class Doubled(torch.nn.Embedding):
        def forward(self, ids):
            return super().forward(ids) + super().forward(ids * 0)

    inputs = TextInputs(TEXTS, 30, torch.device("cpu"), gain=1.0)
    gpt2.set_input_embeddings(Doubled(6, 16))
    with pytest.raises(StackcError, match="byte_aware: the inputs of a gpt2 are more than rows of one table"):
        attach(gpt2, inputs, 1)


def test_a_model_that_is_always_tied_is_refused(gpt2, monkeypatch):
    monkeypatch.setattr("stackc_torch.hf.inputs._untie", lambda config: None)
    with pytest.raises(StackcError, match="byte_aware: a gpt2 has one array for input and output always"):
        attach(gpt2, TextInputs(TEXTS, 30, torch.device("cpu"), gain=1.0), 1)


def test_byte_aware_without_training_is_refused():
    settings = attrs.evolve(AWARE, steps=0)
    problems = Hf(checkpoint="somewhere", context=24).problems(5, settings)
    assert problems == ["train.byte_aware: with steps = 0 nothing is trained; remove it"]
