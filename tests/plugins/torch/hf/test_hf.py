"""Causal language models of transformers as models of a stack: tiny, offline."""

from __future__ import annotations

import contextlib
import json
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
import torch
import transformers

from stackc.api import (
    RESTART,
    ArtifactError,
    CodingError,
    Device,
    StackcError,
    SymbolTexts,
    read_tensors,
    write_tensors,
)
from stackc.testing.models import ModelContract
from stackc.testing.training import SEGMENT, Killed, Reports, every_five, sample_text, step_rows, training_task
from stackc_torch.hf.backend import HfBackend
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.inputs import attach, fold
from stackc_torch.hf.making import arrays, fill, fresh, load, named, save
from stackc_torch.hf.predictor import HfPredictor
from stackc_torch.hf.sampler import UNSEEN, HfSampler
from stackc_torch.hf.training import HfRun
from stackc_torch.training.inputs import TextInputs
from stackc_torch.training.sampler import Windows

GPT2 = "n_layer=1 n_embd=16 n_head=2 n_positions=32"
LLAMA = "hidden_size=16 intermediate_size=24 num_hidden_layers=1 num_attention_heads=2 max_position_embeddings=32"
TRAINING = HfTraining(steps=6, batch=2, row=16, window_row=6, recut_symbols=60, checkpoint_seconds=0.0)


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


# -- the predictor


@pytest.fixture
def gpt2():
    torch.manual_seed(1)
    return fresh(Hf(settings=GPT2, context=8), 5)


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
    with pytest.raises(StackcError, match="transformers makes no model of model_type and settings: "):
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


# -- checkpoints


@pytest.fixture
def checkpoint(tmp_path):
    """A Llama of 7 tokens as `save_pretrained` leaves it."""
    torch.manual_seed(2)
    config = transformers.AutoConfig.for_model("llama", vocab_size=7, **Hf(settings=LLAMA).overrides())
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def untrained(folder, alphabet, out, context=24):
    backend = HfBackend(Hf(checkpoint=(str(folder),), context=context))
    backend.train(training_task(alphabet, HfTraining(steps=0), out / "model"))
    backend.freeze(out / "model", out / "frozen", alphabet)
    return backend.load(out / "frozen", alphabet, Device())


def test_a_checkpoint_codes_as_it_is(checkpoint, tmp_path):
    predictor = untrained(checkpoint, 5, tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, predictor.model.state_dict()[name]), name
    assert predictor.step(predictor.start(1), np.array([RESTART])).sum() == 2**24


def test_a_checkpoint_of_fewer_tokens_grows_and_can_be_trained(checkpoint, tmp_path):
    assert untrained(checkpoint, 9, tmp_path).model.config.vocab_size == 10
    backend = HfBackend(Hf(checkpoint=(str(checkpoint),), context=24))
    backend.train(training_task(9, TRAINING, tmp_path / "trained"))
    backend.freeze(tmp_path / "trained", tmp_path / "trained-frozen", 9)
    assert backend.load(tmp_path / "trained-frozen", 9, Device()).alphabet == 9


def test_nothing_of_where_a_checkpoint_lay_is_kept(checkpoint, tmp_path):
    untrained(checkpoint, 5, tmp_path)
    assert str(tmp_path) not in (tmp_path / "frozen" / "model.json").read_text()


def test_the_fingerprint_is_of_content(checkpoint, tmp_path):
    def fingerprint(folder):
        return HfBackend(Hf(checkpoint=(str(folder),))).fingerprint()

    before = fingerprint(checkpoint)
    (checkpoint / "README.md").write_text("no part of the model")
    moved = checkpoint.rename(tmp_path / "moved")
    assert fingerprint(moved) == before
    weights = moved / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert fingerprint(moved) != before
    assert HfBackend(Hf()).fingerprint() == ""


def test_checkpoints_that_cannot_be_used(checkpoint, tmp_path):
    with pytest.raises(StackcError, match="nothing there; give one folder, nothing is downloaded"):
        untrained("openai-community/gpt2", 5, tmp_path)
    with pytest.raises(StackcError, match="context: 64 is more than the 32 positions"):
        untrained(checkpoint, 5, tmp_path, context=64)
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(StackcError, match=r"no weights for model\.layers\.1\."):
        untrained(checkpoint, 5, tmp_path)
    (checkpoint / "config.json").write_text(json.dumps({**config, "model_type": "llamma"}))
    with pytest.raises(StackcError, match="transformers makes no model of"):
        untrained(checkpoint, 5, tmp_path)
    (checkpoint / "model.safetensors").rename(checkpoint / "pytorch_model.bin")
    with pytest.raises(StackcError, match=r"weights as \.safetensors"):
        untrained(checkpoint, 5, tmp_path)


def test_code_beside_a_checkpoint_does_not_run(checkpoint, tmp_path):
    config = json.loads((checkpoint / "config.json").read_text())
    code = {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"}
    (checkpoint / "config.json").write_text(json.dumps({**config, "auto_map": code}))
    (checkpoint / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    untrained(checkpoint, 5, tmp_path)
    assert not (tmp_path / "ran").exists()


# -- what is stored


def test_another_version_of_transformers_is_refused(checkpoint, tmp_path):
    untrained(checkpoint, 5, tmp_path)
    made = json.loads((tmp_path / "frozen" / "model.json").read_text())
    (tmp_path / "frozen" / "model.json").write_text(json.dumps({**made, "transformers": "5.0.0"}))
    with pytest.raises(ArtifactError, match=r"hold under transformers 5\.0\.0, installed is"):
        HfBackend(Hf(context=24)).load(tmp_path / "frozen", 5, Device())


def test_weights_of_another_configuration_are_refused(checkpoint, tmp_path):
    untrained(checkpoint, 5, tmp_path)
    path = tmp_path / "frozen" / "model.json"
    made = json.loads(path.read_text())
    made["config"]["num_hidden_layers"] = 2
    path.write_text(json.dumps(made))
    with pytest.raises(ArtifactError, match="weights of another configuration"):
        HfBackend(Hf(context=24)).load(tmp_path / "frozen", 5, Device())
    with pytest.raises(ArtifactError, match="context: 64 is more than the 32 positions"):
        HfBackend(Hf(context=64)).load(tmp_path / "frozen", 5, Device())
    with pytest.raises(ArtifactError, match="wanted for 9 and one more"):
        HfBackend(Hf(context=24)).load(tmp_path / "frozen", 9, Device())


def test_tied_weights_are_stored_once(gpt2):
    assert "lm_head.weight" in gpt2.state_dict()
    assert "lm_head.weight" not in named(gpt2)


def test_single_numbers_are_stored_too(tmp_path):
    class Scaled(torch.nn.Module):
        def __init__(self, scale):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(scale))

    write_tensors(tmp_path / "x", arrays(Scaled(3.0)))
    other = Scaled(1.0)
    fill(other, read_tensors(tmp_path / "x"), tmp_path)
    assert float(other.scale.detach()) == 3.0


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
