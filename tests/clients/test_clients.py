"""Programs that nobody here wrote, run as their users run them.

They take minutes, and most of them are not installed with the tests:

    pip install litgpt "lm-eval[hf]" trl
    STACKC_NANOGPT=path/to/nanoGPT STACKC_LLMC=path/to/llm.c scripts/test -m long tests/clients

A client that is not there is skipped. The two paths are checkouts of github.com/karpathy/nanoGPT and …/llm.c, in which
nothing is written.
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
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def run(*arguments: object, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """A command of this Python; what it prints if it fails is shown."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, input=given, text=True, capture_output=True,
        env=os.environ | OFFLINE | {"HF_HOME": str(cwd / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def needed(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def checkout(variable: str) -> Path:
    path = os.environ.get(variable)
    if not path:
        pytest.skip(f"{variable} does not name a checkout")
    return Path(path).absolute()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    corpus(folder)
    (folder / "recipe.toml").write_text(words_of("phrases"))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


def test_nanogpt_trains_and_its_samples_decode(stack: Path, tmp_path: Path) -> None:
    """Without meta.pkl: it makes a model of 50,304 ids."""
    source = checkout("STACKC_NANOGPT")
    for name in ("train.py", "model.py", "configurator.py"):
        shutil.copy(source / name, tmp_path)
    folder = tmp_path / "data" / "mine"
    folder.mkdir(parents=True)
    for split, name in ("train", "train"), ("valid", "val"):
        run("-m", "stackc", "export", stack, "--to", "bin", "--eos", "--split", split, "-o", folder / f"{name}.bin",
            cwd=tmp_path)  # fmt: skip
    done = run(
        "train.py", "--dataset=mine", "--device=cpu", "--compile=False", "--eval_iters=1", "--eval_interval=4",
        "--block_size=16", "--batch_size=4", "--gradient_accumulation_steps=1", "--n_layer=1", "--n_head=1",
        "--n_embd=16", "--max_iters=4", "--warmup_iters=1", "--lr_decay_iters=4", "--learning_rate=0.05", cwd=tmp_path,
    )  # fmt: skip
    losses = re.findall(r"step \d+: train loss (\S+), val loss (\S+)", done.stdout)
    first, last = (list(map(float, one)) for one in (losses[0], losses[-1]))
    assert abs(first[1] - np.log(50_304)) < 0.5
    assert last[0] < first[0]
    assert last[1] < first[1]
    code = (
        "import sys, torch\nfrom model import GPT, GPTConfig\nfrom stackc.hf import StackTokenizer\n"
        "kept = torch.load('out/ckpt.pt', map_location='cpu')\nmodel = GPT(GPTConfig(**kept['model_args']))\n"
        "model.load_state_dict(kept['model'])\ntokenizer = StackTokenizer.from_stack(sys.argv[1])\n"
        "ids = torch.tensor([tokenizer('It is a').input_ids])\n"
        "print(tokenizer.decode(model.generate(ids, 8)[0]))"
    )
    printed = run("-c", code, stack, cwd=tmp_path).stdout  # nanoGPT first says how large its model is
    assert any(line.startswith("It is a") for line in printed.splitlines())


def test_llmc_reads_every_id(stack: Path, tmp_path: Path) -> None:
    source = checkout("STACKC_LLMC")
    out = tmp_path / "train.bin"
    run("-m", "stackc", "export", stack, "--to", "llmc", "--eos", "-o", out, cwd=tmp_path)
    ids = np.fromfile(out, np.uint16, offset=1024).tolist()
    lines = run(HERE / "llmc_batches.py", source, out, 4, 8, cwd=tmp_path).stdout.splitlines()
    batches = json.loads(lines[-1])
    assert len(batches) == (len(ids) - 1) // 32
    for number, (inputs, targets) in enumerate(batches):
        assert inputs == ids[number * 32 : number * 32 + 32]
        assert targets == ids[number * 32 + 1 : number * 32 + 33]


def test_litgpt_has_the_same_ids(stack: Path, tmp_path: Path) -> None:
    needed("litgpt")
    run("-m", "stackc", "export", stack, "--to", "hf-tokenizer", "-o", tmp_path / "t", cwd=tmp_path)
    texts = [TEXT, "naïve 東京 wife", "  two  blanks\n\n\tx", ""]
    printed = run(HERE / "litgpt_tokenizer.py", tmp_path / "t", cwd=tmp_path, given=json.dumps(texts)).stdout
    opened = stackc.load(stack)
    for text, (ids, ended, back) in zip(texts, json.loads(printed.splitlines()[-1]), strict=True):
        assert ids == opened.encode(text.encode()).tolist()
        assert (ended, back) == ([*ids, 400], text)


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
    page = (PAGES / "evaluate-with-lm-eval.md").read_text()
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if language == "toml":
            (tmp_path / "harness.toml").write_text(code)
        elif language == "python":
            run("-c", code, cwd=tmp_path)
        elif language == "sh":
            # The commands of this Python, whatever is first on the path.
            own = os.environ | OFFLINE | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
            done = subprocess.run(["bash", "-euc", code], cwd=tmp_path, env=own, capture_output=True, text=True)
            assert done.returncode == 0, f"{code}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    theirs = json.loads(next(tmp_path.glob("results*.json")).read_text())["results"]["held_out"]["bits_per_byte,none"]
    own = json.loads((tmp_path / "eval.json").read_text())["levels"][-1]["model_bits_per_byte"]
    assert abs(theirs - own) < 1e-4
