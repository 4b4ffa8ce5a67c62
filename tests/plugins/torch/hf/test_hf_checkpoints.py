"""The backend `hf` and checkpoints: what may be used, what is stored and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import transformers

from hf_toys import LLAMA, TRAINING
from stackc.api import (
    RESTART,
    ArtifactError,
    Device,
    StackcError,
    read_tensors,
    write_tensors,
)
from stackc.testing.training import training_task
from stackc_torch.hf.backend import HfBackend
from stackc_torch.hf.config import Hf, HfTraining
from stackc_torch.hf.making import arrays, fill, fresh, load, named, save

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
    with pytest.raises(StackcError, match="transformers cannot make a model of"):
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
    with pytest.raises(ArtifactError, match=r"are valid for transformers 5\.0\.0 \(found "):
        HfBackend(Hf(context=24)).load(tmp_path / "frozen", 5, Device())


@pytest.mark.parametrize("setting", ["hidden_size", "intermediate_size", "vocab_size", "num_hidden_layers"])
def test_settings_that_ask_for_terabytes_take_no_memory(checkpoint, tmp_path, monkeypatch, setting):
    """A stranger's stack: the shapes are compared with the weights in the file before any of them is allocated."""
    untrained(checkpoint, 5, tmp_path)
    path = tmp_path / "frozen" / "model.json"
    made = json.loads(path.read_text())
    made["config"][setting] = 1 << 24
    path.write_text(json.dumps(made))
    right, kinds = transformers.AutoModelForCausalLM.from_config, set()

    def watched(*args, **options):
        model = right(*args, **options)
        kinds.update(tensor.device.type for tensor in model.parameters())
        return model

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_config", watched)
    with pytest.raises(ArtifactError, match="weights of another configuration"):
        HfBackend(Hf(context=24)).load(tmp_path / "frozen", 5, Device())
    assert kinds <= {"meta"}


def test_a_size_of_zero_is_refused(tmp_path):
    """Found by fuzzing: torch warned, in a line of its own, that it has nothing to fill with numbers."""
    llama = "num_hidden_layers=1 hidden_size=16 intermediate_size=20 num_attention_heads=2 max_position_embeddings=32"
    settings = llama.replace("=20", "=0")
    with pytest.raises(StackcError, match=r"cannot make a model of model_type and settings: .* has no numbers"):
        fresh(Hf(model_type="llama", settings=settings, context=16), 5)
    save(fresh(Hf(model_type="llama", settings=llama, context=16), 5), tmp_path)
    made = json.loads((tmp_path / "model.json").read_text())
    made["config"]["intermediate_size"] = 0
    (tmp_path / "model.json").write_text(json.dumps(made))
    with pytest.raises(ArtifactError, match=r"model.json: no model \(.* has no numbers: a size is 0\)"):
        load(tmp_path, 5, 16)


def test_masks_of_settings_alone_are_bounded(tmp_path):
    """Those of GPT-J are as long as `n_positions` says, which no weight does."""
    config = Hf(model_type="gptj", settings="n_layer=1 n_embd=16 n_head=2 rotary_dim=4 n_positions=32", context=16)
    save(fresh(config, 5), tmp_path)
    assert load(tmp_path, 5, 16).config.n_positions == 32
    made = json.loads((tmp_path / "model.json").read_text())
    made["config"]["n_positions"] = 1 << 26
    (tmp_path / "model.json").write_text(json.dumps(made))
    with pytest.raises(ArtifactError, match="more memory than its weights"):
        load(tmp_path, 5, 16)


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
