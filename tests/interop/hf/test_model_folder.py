"""A stack's top model as transformers loads it: the same probabilities, so the bits per byte of `stackc eval`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import TEXT, bpe, corpus, words_of
from stackc.cli import main

torch = pytest.importorskip("torch", reason="needs the extra torch")
transformers = pytest.importorskip("transformers", reason="needs the extra hf")

TOP = (
    'backend = "hf"\nsettings = "n_layer=1 n_embd=16 n_head=2 n_positions=512"\ncontext = 512\n'
    "[top.train]\nsteps = 20\nrow = 64\n"
)
HELD_OUT = TEXT[40:400]


@pytest.fixture(scope="module", params=["tunstall", "bpe"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A level that never writes code 0, and one that may."""
    folder = tmp_path_factory.mktemp("model")
    corpus(folder)
    for name in "valid", "test":
        (folder / f"{name}.txt").write_text(HELD_OUT)  # a model of transformers codes slowly
    recipe = words_of("tunstall") if request.param == "tunstall" else bpe()
    (folder / "recipe.toml").write_text(recipe.replace('backend = "unigram"\n', TOP))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder


def export(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["export", *map(str, arguments)])


def test_it_gives_the_bits_per_byte_of_eval(built: Path, tmp_path: Path) -> None:
    done = export(built / "stack", "--to", "hf-model", "-o", tmp_path / "m")
    assert done.exit_code == 0, done.output
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    exact = "words" in (built / "recipe.toml").read_text()
    size = stackc.load(built / "stack").token_alphabet(None)
    assert (len(tokenizer), tokenizer.eos_token_id) == ((size, 0) if exact else (size + 1, size))
    assert tokenizer.pad_token_id is None
    assert len(tokenizer) == model.config.vocab_size == model.get_input_embeddings().weight.shape[0]
    assert model.config.bos_token_id == model.config.eos_token_id == tokenizer.bos_token_id
    ids = torch.tensor([[tokenizer.bos_token_id, *tokenizer(HELD_OUT).input_ids]])
    with torch.no_grad():
        logits = model(ids).logits[0, :-1, :size].double()
    bits = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum") / torch.log(torch.tensor(2.0))
    own = stackc.load(built / "stack").evaluate([HELD_OUT.encode()]).levels[-1].model_bits_per_byte
    assert own == pytest.approx(float(bits) / len(HELD_OUT.encode()), abs=1e-4)


def test_other_models_have_no_such_form(stack: Path, tmp_path: Path) -> None:
    done = export(stack, "--to", "hf-model", "-o", tmp_path / "m")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "its backend cannot make a model that transformers loads" in done.stderr
    for options in ["--level", "M1"], ["--eos-id", "zero"], ["--split", "test"]:
        done = export(stack, "--to", "hf-model", "-o", tmp_path / "m", *options)
        assert (done.exit_code, done.stderr.startswith(f"error: {options[0]}: ") or "--split" in options) == (2, True)
    assert not list(tmp_path.iterdir())
