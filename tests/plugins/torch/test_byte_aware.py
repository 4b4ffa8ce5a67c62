"""Byte-aware inputs: the hashing rule, gradients, folding, resume, and recipes that ask for them."""

from __future__ import annotations

from pathlib import Path

import attrs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import stackc
from recipes_of_tests import HEAD, TINY_MODEL, TINY_TRAIN, corpus, level
from stackc.api import RecipeError, StackcError, SymbolTexts, Text, offsets_of, read_tensors
from stackc.coding.texts import symbol_texts
from stackc.pipeline import workspace
from stackc.pipeline.workspace import stage_key
from stackc.recipe import load_recipe
from stackc_torch.frozen.arrays import FrozenArrays
from stackc_torch.gru.config import Gru
from stackc_torch.training import features_twin as twin
from stackc_torch.training.architecture import hidden, reading, trained_initial
from stackc_torch.training.checkpoint import load_float_parts
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.features import features
from stackc_torch.training.inputs import NAME, OWN, TextInputs, inputs_of
from stackc_torch.training.rows import Rows
from stackc_torch.training.sampler import Sampler
from stackc_torch.training.steps import AutogradStep
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.calibrate import calibrate
from stackc_torch.transformer.fused import FusedStep
from torch_toys import gru_backend, some_texts, transformer_backend

SETTINGS = {"steps": 12, "batch": 4, "row": 24, "recuts": 2, "recut_symbols": 400, "rounding": 0.4, "byte_aware": True}


def texts_of(texts: list[bytes]) -> SymbolTexts:
    return SymbolTexts(data=np.frombuffer(b"".join(texts), np.uint8), offsets=offsets_of([len(t) for t in texts]))


# -- the rule


@given(
    st.lists(st.one_of(st.binary(max_size=20), st.text("ab ", max_size=40).map(str.encode)), max_size=12),
    st.integers(1, 1 << 24),
)
def test_features_are_those_of_the_twin(texts: list[bytes], rows: int) -> None:
    found, offsets = features(texts_of(texts), rows)
    for symbol, text in enumerate(texts):
        assert found[offsets[symbol] : offsets[symbol + 1]].tolist() == twin.features(text, rows)
    assert offsets[-1] == len(found)
    assert ((found >= 0) & (found < rows)).all()


def test_the_rule_stays() -> None:
    assert twin.features(b"", 4096) == []
    assert twin.features(b" the end", 4096) == [3601, 4033, 873, 3987, 1533, 3304, 2342, 746, 1432, 2903, 686]
    assert twin.features(b" end", 4096)[-1] == 686, "the same word"
    assert twin.features(b"x" * 300, 4096)[-2:] == twin.features(b"x" * 255, 4096)[-2:], "lengths and words have a top"


def test_features_are_spread_over_the_table() -> None:
    """Rows of 4,096 different texts: as many are hit as by drawing at random, within a twentieth."""
    words = texts_of([f" w{number}".encode() for number in range(4096)])
    found, offsets = features(words, 4096)
    last = found[offsets[1:] - 1]  # what follows the blank: all different
    assert len(np.unique(last)) == pytest.approx(4096 * (1 - np.exp(-1)), rel=0.05)


# -- gradients, and the network that is left


@pytest.mark.parametrize("rounding", [False, True])
def test_the_fused_step_has_the_gradients_of_autograd(tools, small, rounding):
    settings = TransformerTraining(steps=1, batch=6, row=40, window_row=16, byte_aware=True, text_rows=50)
    sampler = Sampler(tools.english(5000), 256, 1, 40, settings, True)
    windows = sampler.guess()
    (blocks,) = sampler.step(0, windows)
    inputs = TextInputs(some_texts(), 50, torch.device("cpu"))
    network = reading(TransformerNetwork(small), inputs)
    weights = trained_initial(network, 256, seed=3)
    weights["head"] *= 10
    scales = calibrate(small, inputs.folded(weights), sampler.calibration(500, windows)) if rounding else None
    outcomes = []
    for fused in (True, False):
        grads = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        if fused:
            stepper = FusedStep(small, weights, grads, 1e-3, False, inputs)
        else:
            stepper = AutogradStep(network, weights, grads, 1e-3, False)
        outcomes.append((float(stepper(blocks, 240, scales)), grads))
    (fused_loss, mine), (plain_loss, theirs) = outcomes
    assert fused_loss == pytest.approx(plain_loss, rel=1e-5)
    assert theirs[NAME].abs().max() > 0
    for name in weights:
        scale = float(theirs[name].abs().max())
        assert torch.allclose(mine[name], theirs[name], rtol=1e-3, atol=(2e-2 if rounding else 1e-5) * scale), name


def test_other_starting_weights_stay_as_they_are(small) -> None:
    plain = TransformerNetwork(small)
    aware = trained_initial(reading(plain, TextInputs(some_texts(), 50, torch.device("cpu"))), 256, 7)
    table = aware.pop(NAME)
    assert table.shape == (50, small.width)
    assert plain.inputs is None, "the part is shared: one training does not change it"
    for name, tensor in trained_initial(plain, 256, 7).items():
        assert torch.equal(aware[name], tensor * (OWN if name == "embed" else 1))


def test_the_folded_network_is_the_one_in_training(small) -> None:
    inputs = TextInputs(some_texts(), 50, torch.device("cpu"))
    network = reading(TransformerNetwork(small), inputs)
    weights = trained_initial(network, 256, 3)
    folded = inputs.folded(weights)
    assert list(folded) == list(small.shapes(256))
    symbols = torch.randint(0, 257, (3, 20), generator=torch.Generator().manual_seed(0))
    rows = Rows(inputs=symbols, targets=symbols.clamp(max=255), first=None)
    assert torch.allclose(hidden(network, folded, rows), hidden(network, weights, rows), atol=1e-5)
    without = hidden(network, {**folded, "embed": weights["embed"]}, rows)
    assert not torch.allclose(without, hidden(network, weights, rows), atol=0.1)
    assert torch.equal(folded["embed"][256], weights["embed"][256]), "the empty context has no text"
    empty = [symbol for symbol in range(256) if not some_texts()[symbol]]
    assert empty
    assert torch.equal(folded["embed"][empty], weights["embed"][empty])


@pytest.mark.parametrize("make", [transformer_backend, gru_backend])
def test_what_is_frozen_has_no_trace_of_texts(tools, small, tmp_path, make):
    """The same arrays of the same sizes as without: no code of the frozen network knows of texts."""
    backend = make(small if make is transformer_backend else Gru(width=8, state=12))
    found = {}
    for aware in (False, True):
        folder = tmp_path / str(aware)
        backend.train(tools.task(folder, **{**SETTINGS, "byte_aware": aware}))
        backend.freeze(folder, folder / "frozen", 256)
        found[aware] = read_tensors(folder / "frozen" / "frozen.safetensors")
        weights, scales = load_float_parts(folder, backend.architecture, 256)
        frozen = backend.architecture.freeze(weights, scales)
        assert isinstance(frozen, FrozenArrays)
        for name, array in found[aware].items():
            assert np.array_equal(getattr(frozen, name), array)
    plain, aware_arrays = found[False], found[True]
    assert {name: (a.shape, a.dtype) for name, a in plain.items()} == {
        name: (a.shape, a.dtype) for name, a in aware_arrays.items()
    }
    assert not np.array_equal(plain["embed"], aware_arrays["embed"])


@pytest.mark.parametrize("make", [transformer_backend, gru_backend])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_killed_training_ends_in_the_same_bytes(tools, small, tmp_path, monkeypatch, make, precision):
    """Killed before and after rounding began."""
    monkeypatch.setattr("stackc_torch.training.report.REPORT_SECONDS", 0.0)
    backend = make(small if make is transformer_backend else Gru(width=8, state=12))
    settings = {**SETTINGS, "precision": precision}
    backend.train(tools.task(tmp_path / "whole", **settings))
    for stop in (3, 9):
        task = tools.task(tmp_path / "parts", progress=tools.Quiet(stop), checkpoint_seconds=0.0, **settings)
        with pytest.raises(KeyboardInterrupt):
            backend.train(task)
    backend.train(tools.task(tmp_path / "parts", **settings))
    assert (tmp_path / "parts/float.safetensors").read_bytes() == (tmp_path / "whole/float.safetensors").read_bytes()


def test_a_model_that_knows_texts_learns_faster_where_they_tell(tools, small, tmp_path):
    """Of 240 symbols with 12 texts each draw is at random; what comes next follows from the text alone."""
    random = np.random.default_rng(0)
    kinds = np.cumsum(random.integers(1, 3, 24_000)) % 12
    symbols = (kinds + 12 * random.integers(0, 20, len(kinds))).astype(np.uint8)
    text = Text(symbols=symbols, offsets=np.array([0, len(symbols)]), source_bytes=len(symbols))
    words = [f" word{kind:02}"[: 4 + kind % 4] + "abcdefghijkl"[kind] for kind in range(12)]
    texts = texts_of([words[symbol % 12].encode() for symbol in range(256)])
    losses = {}
    for aware in (False, True):
        progress = tools.Quiet()
        settings = {"steps": 40, "batch": 8, "row": 24, "byte_aware": aware}
        task = tools.task(tmp_path / str(aware), text=text, progress=progress, **settings)
        transformer_backend(small).train(attrs.evolve(task, texts=texts if aware else None, valid=text))
        losses[aware] = progress.figures["valid_loss"]
    assert losses[True] < losses[False] - 0.3
    assert losses[True] > np.log2(20) + 1, "below what the draws cost nobody comes"


# -- what may be asked


def test_what_has_no_effect_is_refused() -> None:
    assert TransformerTraining(steps=1, text_rows=64).problems() == [
        "train.text_rows: has no effect without byte_aware = true; add that, or remove it"
    ]
    assert TransformerTraining(steps=1, text_rows=64, byte_aware=True).problems() == []


def test_a_task_without_texts_is_an_error_in_one_line(tools, tmp_path) -> None:
    task = attrs.evolve(tools.task(tmp_path, steps=1, byte_aware=True), texts=None)
    with pytest.raises(StackcError, match="byte_aware: the symbols have no texts"):
        inputs_of(task, torch.device("cpu"))


AWARE = TINY_TRAIN.format(steps=6) + "byte_aware = true\ntext_rows = 64\n"
TOP = f'[top]\nname = "M3"\n[top.model]\n{TINY_MODEL}[top.train]\n'


def recipe_of(first: str, second: str = AWARE, top: str = AWARE, bits: int = 10) -> str:
    """M1 of counts, compiled; M2 and a top of transformers; all that ask for texts by default may."""
    return (
        HEAD.format(name="aware", segment=200)
        + first
        + level("M2", f'kind = "equal-info"\nbits = {bits}', "arithmetic", 10, TINY_MODEL, second)
        + TOP
        + top
    )


COUNTS = level("M1", 'kind = "equal-info"\nbits = 9', "static-unigram", 9)


def problems(tmp_path: Path, recipe: str) -> list[str]:
    (tmp_path / "recipe.toml").write_text(recipe)
    with pytest.raises(RecipeError) as raised:
        load_recipe(tmp_path / "recipe.toml")
    return [line.strip().removeprefix("recipe.toml: ") for line in str(raised.value).splitlines()]


def test_texts_where_there_are_none_are_recipe_errors(tmp_path: Path) -> None:
    first = level("M1", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, TINY_MODEL, AWARE)
    said = problems(tmp_path, recipe_of(first, bits=30))
    assert any("level.1.train.byte_aware: M1 reads bytes, whose texts say no more" in line for line in said)
    reason = "top.train.byte_aware: the symbols that M3 reads have no texts: M2 has 3 tokens per window; make each"
    assert any(reason in line for line in said)
    assert not any("level.2.train" in line for line in said), "M1 is compiled, so M2's symbols have texts"
    whole = level("M1", 'kind = "whole"', "gzip", 8)
    said = problems(tmp_path, recipe_of(whole))
    reason = "level.2.train.byte_aware: the symbols that M2 reads have no texts: M1 is not compiled: its windows"
    assert any(reason in line for line in said)
    assert any("top.train.byte_aware" in line for line in said), "nor has any level above"


def test_what_is_not_known_is_not_said(tmp_path: Path) -> None:
    said = problems(tmp_path, recipe_of(COUNTS.replace("static-unigram", "static-unigrom")))
    assert not any("byte_aware" in line for line in said)
    said = problems(tmp_path, recipe_of(COUNTS).replace("device", "devize"))
    assert [("run.devize" in line, "byte_aware" in line) for line in said] == [(True, False)]


def test_a_stack_with_byte_aware_models_builds_and_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The top reads texts through two dictionaries; what is on disk has the sizes that it has without."""
    corpus(tmp_path)
    middle = level("M2", 'kind = "equal-info"\nbits = 10', "static-unigram", 10)
    keys: dict[str, object] = {}
    seen: list[dict[str, str]] = []

    def noted(material: dict[str, str]) -> str:
        seen.append(material)
        return stage_key(material)

    monkeypatch.setattr(workspace, "stage_key", noted)
    for name, train in (("plain", TINY_TRAIN.format(steps=6)), ("aware", AWARE)):
        (tmp_path / "recipe.toml").write_text(HEAD.format(name="aware", segment=200) + COUNTS + middle + TOP + train)
        stack = stackc.build(tmp_path / "recipe.toml", tmp_path / name)
        data = (tmp_path / "test.txt").read_bytes()
        assert stack.decode(stack.encode(data)) == data
        found = read_tensors(tmp_path / name / "M3" / "frozen" / "frozen.safetensors")
        keys[name] = {array: values.shape for array, values in found.items()}
        assert "byte_aware" not in str(stack.manifest) or name == "aware"
    assert keys["plain"] == keys["aware"]
    texts = symbol_texts(stack.levels)
    assert texts is not None
    named = [(material["stage"], material["texts"]) for material in seen if "texts" in material]
    assert named == [("M3/model", texts.sha256())], "only where it is asked for"


def test_a_level_that_is_not_compiled_after_all_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its model cannot select lanes, which no recipe says."""
    corpus(tmp_path)
    for path in tmp_path.glob("*.txt"):
        path.write_bytes(path.read_bytes()[:100])
    (tmp_path / "recipe.toml").write_text(
        HEAD.format(name="late", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, 'backend = "uniform"')
        + f'[top]\nname = "M2"\n[top.model]\n{TINY_MODEL}[top.train]\n{AWARE}'
    )
    monkeypatch.delattr("stackc_counted.constant.ConstantPredictor.take")
    with pytest.raises(StackcError, match=r"M2: train.byte_aware: .* M1 is not compiled: its model cannot select"):
        stackc.build(tmp_path / "recipe.toml", tmp_path / "out")
