"""Programs that nobody here wrote, run as their users run them.

They take minutes, and most of them are not installed with the tests:

    pip install datatrove litgpt llguidance "lm-eval[hf]" orjson outlines sentence-transformers trl
    STACKC_NANOGPT=path/to/nanoGPT STACKC_LLMC=path/to/llm.c scripts/clients

A client that is not there is skipped, and named at the end. The two paths are checkouts of github.com/karpathy/nanoGPT
and …/llm.c, in which nothing is written. litgpt may ask for an older huggingface_hub than transformers does: install it
with ``--no-deps``, and lightning and jsonargparse with it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stackc
from recipes_of_tests import TEXT, corpus, words_of

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

HERE = Path(__file__).parent
PAGES = HERE.parents[1] / "docs" / "how-to"
NOT_COPIED = shutil.ignore_patterns(".git", "*.bin", "mine", "out")
"""What its owner made in a checkout."""

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def run(*arguments: object, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """A command of this Python; what it prints if it fails is shown."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, input=given, text=True, capture_output=True,
        env=os.environ | OFFLINE | {"HF_HOME": str(cwd / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def needed(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


def checkout(variable: str) -> Path:
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} does not name a checkout")
    return Path(path).absolute()


def shell(code: str, cwd: Path) -> str:
    """Commands of a page, with the programs of this Python, whatever is first on the path; what they print."""
    own = os.environ | OFFLINE | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euc", code], cwd=cwd, env=own, capture_output=True, text=True)
    assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def blocks(page: str, heading: str = "") -> list[tuple[str, str]]:
    """Language and code of each block of a page, or of its part under a heading."""
    text = (PAGES / page).read_text()
    if heading:
        text = re.split(r"^#+ ", text.partition(f"### {heading}\n")[2], flags=re.MULTILINE)[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    corpus(folder)
    (folder / "recipe.toml").write_text(words_of("phrases"))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


@pytest.fixture(scope="module")
def plain(stack: Path) -> Path:
    """The folder of `stackc export --to hf-tokenizer`."""
    folder = stack.with_name("plain")
    run("-m", "stackc", "export", stack, "--to", "hf-tokenizer", "-o", folder, cwd=stack.parent)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first command of "nanoGPT" was run, which builds the tokenizer."""
    folder = tmp_path_factory.mktemp("page")
    (_, code), *_ = blocks("use-with-hugging-face.md", "nanoGPT")
    shell(code.splitlines()[0], folder)
    return folder


def test_nanogpt_trains_and_its_samples_decode(place: Path) -> None:
    """The page's other commands, with fewer steps. Without meta.pkl nanoGPT makes a model of 50,304 ids."""
    shutil.copytree(checkout("STACKC_NANOGPT"), place / "nanoGPT", ignore=NOT_COPIED)
    (_, code), (_, sampling) = blocks("use-with-hugging-face.md", "nanoGPT")
    for options, fewer in (
        ("--max_iters=2000", "--max_iters=10 --eval_interval=5 --warmup_iters=1 --learning_rate=0.01"),
        ("--lr_decay_iters=2000", "--lr_decay_iters=10"),
        ("--eval_iters=20", "--eval_iters=4"),
    ):
        assert options in code
        code = code.replace(options, fewer)
    printed = shell(code.partition("\n")[2], place)
    losses = re.findall(r"step \d+: train loss (\S+), val loss (\S+)", printed)
    first, last = (list(map(float, one)) for one in (losses[0], losses[-1]))
    assert abs(first[1] - np.log(50_304)) < 0.5
    assert last[0] < first[0]
    assert last[1] < first[1]
    printed = run("-c", sampling, cwd=place / "nanoGPT").stdout  # nanoGPT first says how large its model is
    assert any(line.startswith("It is a") for line in printed.splitlines())


def test_llmc_reads_every_id(place: Path) -> None:
    shutil.copytree(checkout("STACKC_LLMC"), place / "llm.c", ignore=NOT_COPIED)
    ((_, code),) = blocks("use-with-hugging-face.md", "llm.c")
    shell(code, place)
    for name, batch, length in ("train", 64, 1024), ("val", 4, 64):
        out = place / "llm.c" / f"{name}.bin"
        ids = np.fromfile(out, np.uint16, offset=1024).tolist()
        lines = run(HERE / "llmc_batches.py", place / "llm.c", out, batch, length, cwd=place).stdout.splitlines()
        batches = json.loads(lines[-1])
        size = batch * length
        assert len(batches) == (len(ids) - 1) // size > 1
        for number, (inputs, targets) in enumerate(batches):
            assert inputs == ids[number * size : number * size + size]
            assert targets == ids[number * size + 1 : number * size + size + 1]


def test_litgpt_has_the_same_ids(stack: Path, plain: Path, tmp_path: Path) -> None:
    needed("litgpt")
    texts = [TEXT, "naïve 東京 wife", "  two  blanks\n\n\tx", ""]
    printed = run(HERE / "litgpt_tokenizer.py", plain, cwd=tmp_path, given=json.dumps(texts)).stdout
    opened = stackc.load(stack)
    for text, (ids, ended, back) in zip(texts, json.loads(printed.splitlines()[-1]), strict=True):
        assert ids == opened.encode(text.encode()).tolist()
        assert (ended, back) == ([*ids, 400], text)


def test_datatrove_has_the_ids_of_an_export_and_reads_it(stack: Path, plain: Path, tmp_path: Path) -> None:
    needed("datatrove", "orjson")
    texts = [TEXT, "naïve 東京 wife", "  two  blanks\n\n\tx"]
    files = [tmp_path / f"{number}.txt" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    run("-m", "stackc", "export", stack, *files, "--to", "bin", "--eos", "-o", "own.bin", cwd=tmp_path)
    given = json.dumps(texts)
    printed = run(HERE / "datatrove_tokens.py", plain / "tokenizer.json", "own.bin", 8, cwd=tmp_path, given=given)
    theirs, rows = json.loads(printed.stdout.splitlines()[-1])
    ids = np.fromfile(tmp_path / "own.bin", np.uint16).tolist()
    assert theirs == ids
    assert rows == [ids[start : start + 9] for start in range(0, len(ids) - 8, 9)]


def test_outlines_constrains_what_a_model_writes(stack: Path, plain: Path, tmp_path: Path) -> None:
    """A code without text was written for ever, since no pattern forbids it."""
    needed("outlines", "llguidance")
    corpus(tmp_path)
    dictionary = tmp_path / "recipe.toml"
    dictionary.write_text(words_of("tunstall"))
    stackc.build(dictionary, tmp_path / "words")
    for given, backends in (
        (stack, ["outlines_core"]),
        (tmp_path / "words", ["outlines_core"]),
        (plain, ["outlines_core", "llguidance"]),
    ):
        for backend in backends:
            printed = run(HERE / "outlines_patterns.py", given, backend, cwd=tmp_path).stdout
            pattern, choice = json.loads(printed.splitlines()[-1])
            assert re.fullmatch("[0-9]{3}-[a-z]{2}", pattern), (given, backend, pattern)
            assert choice in ("acknowledged", "a good fortune")


def test_sentence_transformers_learns_and_saves(stack: Path, plain: Path, tmp_path: Path) -> None:
    needed("sentence_transformers")
    for given in stack, plain:
        printed = run(HERE / "sentence_embeddings.py", given, cwd=tmp_path).stdout
        made = json.loads(printed.splitlines()[-1])
        assert made["losses"][-1] < made["losses"][0]
        assert made["difference"] == 0


@pytest.mark.parametrize("trust", [False, True])
def test_a_script_for_causal_models_trains_and_saves(plain: Path, tmp_path: Path, trust: bool) -> None:
    """Without trust the folder is a fast tokenizer of transformers; with it, a `StackTokenizer`."""
    (tmp_path / "texts.txt").write_text("\n".join([TEXT, "", "naïve 東京 wife"] * 40))
    made = json.loads(run(HERE / "causal_model.py", plain, int(trust), cwd=tmp_path).stdout.splitlines()[-1])
    assert made["tokenizer"] == ("StackTokenizer" if trust else "TokenizersBackend")
    assert made["losses"][-1] < made["losses"][0]
    assert made["written"].startswith("It is a truth")


def test_trl_learns_completions_and_what_assistants_say(stack: Path, tmp_path: Path) -> None:
    needed("trl")
    done = run(HERE / "trl_sft.py", stack, cwd=tmp_path)
    assert "not a prefix" not in done.stderr
    assert "may not learn to stop" not in done.stderr
    pairs, talks = (json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"losses"'))
    assert pairs["learned"] == " it is 0, acknowledged.<|endoftext|>"
    assert talks["learned"] == "A truth, 0 times.<|endoftext|>A good fortune.<|endoftext|>"
    for made in pairs, talks:
        assert made["losses"][-1] < made["losses"][0]


def test_the_harness_finds_the_bits_per_byte_of_stackc_eval(tmp_path: Path) -> None:
    """The page that says so, command by command."""
    needed("lm_eval")
    corpus(tmp_path)
    shutil.copy(tmp_path / "train-a.txt", tmp_path / "train.txt")
    (tmp_path / "test.txt").write_text("naïve 東京.\n" + TEXT * 3)
    for language, code in blocks("evaluate-with-lm-eval.md"):
        if language == "toml":
            (tmp_path / "harness.toml").write_text(code)
        elif language == "python":
            run("-c", code, cwd=tmp_path)
        elif language == "sh":
            shell(code, tmp_path)
    theirs = json.loads(next(tmp_path.glob("results*.json")).read_text())["results"]["held_out"]["bits_per_byte,none"]
    own = json.loads((tmp_path / "eval.json").read_text())["levels"][-1]["model_bits_per_byte"]
    assert abs(theirs - own) < 1e-4
