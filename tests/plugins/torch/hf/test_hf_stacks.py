"""Stacks whose models are those of transformers: lossless here, refused elsewhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
import transformers

import stackc
from recipes_of_tests import HEAD, corpus, level
from stackc.api import PluginError, RecipeError, StackcError
from stackc_torch.hf import _hf
from stackc_torch.hf.config import Hf

MODEL = 'backend = "hf"\ncontext = 24\nsettings = "n_layer=1 n_embd=16 n_head=2 n_positions=32"\n'
TRAIN = "steps = 5\nbatch = 2\nrow = 16\nrecuts = 1\nrecut_symbols = 100\n"
TOP = f'[top]\nname = "M2"\n[top.model]\n{MODEL}[top.train]\n{TRAIN}'
UNIGRAM = '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
TEXT = b"It is a truth."


@pytest.fixture
def small(tmp_path):
    """A corpus small enough to be coded symbol by symbol."""
    corpus(tmp_path)
    for name in ("train-b", "train-c"):
        (tmp_path / f"{name}.txt").unlink()
    for name in ("train-a", "valid", "test"):
        (tmp_path / f"{name}.txt").write_bytes((tmp_path / f"{name}.txt").read_bytes()[:80])
    return tmp_path


def built(folder, text, *settings):
    (folder / "recipe.toml").write_text(HEAD.format(name="hf", segment=40) + text)
    return stackc.build(stackc.load_recipe(folder / "recipe.toml", settings), folder / "stack")


def test_on_top_it_compresses_here_and_is_refused_elsewhere(small, monkeypatch):
    stack = built(small, TOP)
    packed, back = io.BytesIO(), io.BytesIO()
    stack.compress(io.BytesIO(TEXT), packed)
    stack.decompress(io.BytesIO(packed.getvalue()), back)
    assert back.getvalue() == TEXT
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    with pytest.raises(StackcError, match="same-machine"):
        stackc.load(small / "stack").decompress(io.BytesIO(packed.getvalue()), io.BytesIO())


@pytest.mark.parametrize("context", ["window", "segment"])
def test_as_a_level_it_is_lossless_here_and_refused_elsewhere(small, monkeypatch, context):
    recipe = level("M1", f'kind = "equal-info"\nbits = 16\ncontext = "{context}"', "arithmetic", 8, MODEL, TRAIN)
    stack = built(small, recipe + UNIGRAM)
    text = TEXT + bytes(range(0, 256, 5))
    tokens = stack.encode(text)
    assert stack.decode(tokens) == text
    row = stack.evaluate([TEXT]).levels[0]
    assert row.parameters > 4096
    assert row.ops_per_byte_body > 0
    assert row.ops_per_byte_softmax > 0
    monkeypatch.setattr("platform.node", lambda: "elsewhere")
    with pytest.raises(StackcError, match="decode there"):
        stackc.load(small / "stack").decode(tokens)


def test_what_does_not_decode_is_not_kept(small, monkeypatch):
    """The predictor lies: it never gives the same frequencies twice."""
    stack = built(small, level("M1", 'kind = "equal-info"\nbits = 16', "arithmetic", 8, MODEL, TRAIN) + UNIGRAM)
    predictor = stack.levels[0].spec.predictor
    honest, calls = predictor.step, []

    def step(state, symbols):
        calls.append(1)
        return np.roll(honest(state, symbols), len(calls), axis=1)

    monkeypatch.setattr(predictor, "step", step)
    with pytest.raises(StackcError, match="nothing was kept"):
        stack.encode(TEXT)


def test_a_checkpoint_counts_from_the_recipe_and_its_content_decides_what_is_built_again(small):
    config = transformers.AutoConfig.for_model(
        "gpt2", vocab_size=257, n_layer=1, n_embd=16, n_head=2, n_positions=32, bos_token_id=256, eos_token_id=256
    )
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(small / "mine")
    top = '[top]\nname = "M1"\n[top.model]\nbackend = "hf"\ncontext = 24\ncheckpoint = "mine"\n[top.train]\nsteps = 0\n'
    weights = small / "stack" / "M1" / "model" / "float.safetensors"
    built(small, top)
    first = weights.stat().st_mtime_ns, weights.read_bytes()
    built(small, top)
    assert (weights.stat().st_mtime_ns, weights.read_bytes()) == first
    model.transformer.wte.weight.data.mul_(2)
    model.save_pretrained(small / "mine")
    stack = built(small, top)
    assert weights.read_bytes() != first[1]
    # A stack is whole without the checkpoint.
    (small / "mine").rename(small / "gone")
    packed, back = io.BytesIO(), io.BytesIO()
    stackc.load(stack.folder).compress(io.BytesIO(TEXT), packed)
    stackc.load(stack.folder).decompress(io.BytesIO(packed.getvalue()), back)
    assert back.getvalue() == TEXT


def test_a_recipe_is_refused_before_anything_is_read(small):
    with pytest.raises(RecipeError, match=r"top\.model\.model_type: .* did you mean 'gpt2'"):
        built(small, TOP, "top.model.model_type=gtp2", "top.model.settings=n_layer=1")
    assert not (small / "stack").exists()


def test_without_transformers_the_part_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(PluginError, match=r'part hf needs transformers: pip install "stackc\[hf\]"'):
        _hf(Hf())
