"""`stackc inspect --texts`, levels that are not compiled, and coding a compiled level without model or torch."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import HEAD, TEXT, TINY_MODEL, TINY_TRAIN, corpus, level
from stackc.api.errors import StackcError
from stackc.cli import main
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.pipeline.compiling import compiled
from stackc.stack.opening import open_level
from stackc.stack.store import Store
from stackc.testing.driving import TablePredictor
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder

TOP = '[top]\nname = "M4"\n[top.model]\nbackend = "unigram"\n'


def recipe_of(coder: str) -> str:
    """M1 compiled under a transformer, tokens of half a window; M2 compiled over its tokens; M3 stepped."""
    return (
        HEAD.format(name="texts", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 10', "arithmetic", 5, TINY_MODEL, TINY_TRAIN.format(steps=6))
        + level("M2", 'kind = "equal-info"\nbits = 8', "static-unigram", 8)
        + level("M3", 'kind = "equal-info"\nbits = 24', coder, 8, 'backend = "uniform"')
        + TOP
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("texts")
    corpus(home)
    (home / "recipe.toml").write_text(recipe_of("arithmetic"))
    stackc.build(home / "recipe.toml", home / "stack")
    return home / "stack"


def inspect(folder: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["inspect", str(folder), *map(str, arguments)])


@pytest.mark.parametrize("name", ["M1", "M2"])
def test_every_text_is_listed_with_its_bytes_and_count(folder: Path, name: str) -> None:
    texts = json.loads(inspect(folder, "--texts", "--level", name, "--limit", 0, "--json").stdout)
    stack = stackc.load(folder)
    low = stack.levels[stack.level_index(name) - 1]
    assert low.dictionary is not None
    tokens = Store(folder / name / "tokens" / "train").symbols.astype(np.int64).tolist()
    codes = [a << 5 | b for a, b in zip(tokens[::2], tokens[1::2], strict=True)] if name == "M1" else tokens
    for text in texts:
        code = text["code"]
        assert text["count"] == codes.count(code)
        assert text["symbols"] == low.dictionary.text(code)
        whole = [code >> 5, code & 31] if name == "M1" else [code]
        assert bytes.fromhex(text["bytes"]) == stack.decode(np.array(whole), name)
    assert {text["code"] for text in texts} >= set(codes)
    order = [(-text["count"], text["code"]) for text in texts]
    assert order == sorted(order)
    assert len({tuple(text["symbols"]) for text in texts}) == len(texts)


def test_texts_are_printed_escaped_and_limited(folder: Path) -> None:
    lines = inspect(folder, "--texts", "--level", "M1", "--limit", 5).stdout.splitlines()
    assert len(lines) == 7
    assert re.match(r"M1: 1,024 codes, [\d,]+ of them used by the training text, ", lines[0])
    first = json.loads(inspect(folder, "--texts", "--level", "M1", "--limit", 1, "--json").stdout)[0]
    code, count, shown = lines[2].split(maxsplit=2)
    assert (int(code), int(count.replace(",", ""))) == (first["code"], first["count"])
    assert shown == repr(bytes.fromhex(first["bytes"]))[1:]
    assert len(inspect(folder, "--texts", "--level", "M1").stdout.splitlines()) == 102
    above = inspect(folder, "--texts", "--level", "M2", "--limit", 1).stdout.splitlines()[2]
    one = json.loads(inspect(folder, "--texts", "--level", "M2", "--limit", 1, "--json").stdout)[0]
    assert (
        above.split(maxsplit=2)[2] == " ".join(map(str, one["symbols"])) + "  " + repr(bytes.fromhex(one["bytes"]))[1:]
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--texts", "--level", "M3"], "M3 is not compiled"),
        (["--texts", "--level", "M9"], "no level 'M9'; its levels are M1, M2, M3"),
        (["--texts"], "--texts needs --level; the levels are M1, M2, M3"),
        (["--level", "M1"], "add --texts"),
        (["--limit", 3], "add --texts"),
    ],
)
def test_what_cannot_be_listed_is_said(folder: Path, arguments: list[str], said: str) -> None:
    result = inspect(folder, *arguments)
    assert isinstance(result.exception, stackc.StackcError | SystemExit)
    assert said in result.stderr + str(result.exception)


WITHOUT_MODEL = """
import sys
from pathlib import Path
import stackc
stack = stackc.load(Path(sys.argv[1]))
data = b"It is a truth universally acknowledged" * 9 + bytes(range(256))
for level in ("M1", "M2"):
    assert stack.decode(stack.encode(data, level), level) == data
print([name for name in sys.modules if name.split(".")[0] == "torch"])
"""


def test_a_compiled_level_codes_without_its_model_and_without_torch(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "stack"
    shutil.copytree(folder, copy)
    assert stackc.load(folder).recipe.levels[0].model.name == "transformer"  # type: ignore[union-attr]
    for part in ("frozen", "model"):
        for file in (copy / "M1" / part).rglob("*.safetensors"):
            file.write_bytes(bytes(file.stat().st_size))
    done = subprocess.run([sys.executable, "-c", WITHOUT_MODEL, str(copy)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "[]", "")


def test_a_level_that_is_not_compiled_says_why_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(
        HEAD.format(name="small", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 12', "arithmetic", 12, 'backend = "uniform"')
        + level("M2", 'kind = "equal-info"\nbits = 24', "arithmetic", 8, 'backend = "uniform"')
        + TOP
    )
    stackc.build(tmp_path / "recipe.toml", tmp_path / "whole", show="plain")
    said = capfd.readouterr().err
    assert "M1 is not compiled" not in said
    assert (
        said.count("M2 is not compiled and is coded in lanes: a window has 24 bits, and at most 20 are compiled") == 1
    )


def test_a_level_that_needs_more_memory_is_refused_for_it_would_be_another_stack(tmp_path: Path) -> None:
    """Whether a level is compiled is in the stack's hash: settings of a machine must not decide it."""
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(
        HEAD.format(name="small", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 12', "arithmetic", 12, 'backend = "uniform"')
        + TOP
    )
    few = stackc.build(tmp_path / "recipe.toml", tmp_path / "few", overrides=["run.memory=1", "run.lanes=1"])
    many = stackc.build(tmp_path / "recipe.toml", tmp_path / "many", overrides=["run.memory=6", "run.lanes=999"])
    assert few.sha256 == many.sha256
    reason = "level.1.windowing.bits: 4,096 texts over an alphabet of 256 take about 6 MB, and run.memory allows 1 MB"
    with pytest.raises(StackcError, match=f"{reason}; raise run.memory$"):
        stackc.build(tmp_path / "recipe.toml", tmp_path / "none", overrides=["run.memory=1", "run.lanes=999"])
    assert not (tmp_path / "none" / "corpus").exists()


@pytest.mark.parametrize("name", ["M1", "M2"])
def test_the_compiled_route_gives_the_tokens_of_the_stepping_route_on_text(folder: Path, name: str) -> None:
    stack = stackc.load(folder)
    i = stack.level_index(name) - 1
    runtime, section = stack.runtime, stack.recipe.levels[i]
    stepped = open_level(section, folder / name, stack.recipe.corpus.segment, runtime, compiled=False)
    below = stack.recipe.levels[i - 1].name if i else None
    data = TEXT.encode() * 3 + Path(__file__).read_bytes()[:2000] + bytes(range(256))
    symbols = np.frombuffer(data, np.uint8) if below is None else stack.encode(data, below)
    expected, coded = stepped.encode(symbols), stack.levels[i].encode(symbols)
    assert stack.levels[i].dictionary is not None
    assert coded.tokens.tolist() == expected.tokens.tolist()
    assert coded.starts.tolist() == expected.starts.tolist()
    assert stepped.decode(coded.tokens).symbols.tolist() == symbols.tolist()


def test_the_largest_level_that_compiles() -> None:
    alphabet = 1100  # 953 codes for each one-symbol text: few have extensions that are extended
    uniform = np.full(alphabet, (1 << 24) // alphabet, np.uint32)
    uniform[: (1 << 24) - int(uniform.sum())] += 1
    stepped, level = (
        Level(
            LevelSpec(
                name="M1",
                alphabet=alphabet,
                segment=500,
                windowing=EqualInfo(),
                coder=ArithmeticCoder(),
                flags=ArithmeticConfig(),
                token_bits=20,
                load_predictor=lambda: TablePredictor(uniform[None]),
            )
        )
        for _ in range(2)
    )
    assert why_not_compiled(level.spec, level.spec.model) is None
    level = Level(level.spec, compiled(level.spec))
    assert level.dictionary is not None
    assert len(level.dictionary) == 1 << 20
    symbols = np.random.default_rng(0).integers(0, alphabet, 1200).astype(np.uint16)
    coded = level.encode(symbols)
    assert coded.tokens.tolist() == stepped.encode(symbols).tokens.tolist()
    assert level.decode(coded.tokens).symbols.tolist() == symbols.tolist()


class EqualInfo:
    """Windows of 20 bits."""

    bits, symbols, restart, cuts, table, borders, rule = 20, None, "window", None, None, None, None
    context_windows = 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_change_no_token(folder: Path, threads: int) -> None:
    stack = stackc.Stack(folder, stackc.stack.runtime.Runtime(threads=threads))
    data = np.random.default_rng(0).integers(0, 256, 300_000).astype(np.uint8).tobytes()
    tokens = stack.encode(data, "M1")
    assert tokens.tolist() == stackc.load(folder).encode(data, "M1").tolist()
    assert stack.decode(tokens, "M1") == data
