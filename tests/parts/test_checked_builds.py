"""Parts that break a rule end a build in one line, and a second process finds what one process cannot see."""

from __future__ import annotations

import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from click.testing import CliRunner

import stackc.parts.registry
from checked_toys import WHO, Bad, LaneDependent, Loses
from recipes_of_tests import HEAD, TEXT, level
from stackc.api import Cost, Register, bits, hookimpl
from stackc.cli import main
from stackc.coding.verify import MOST_CODED
from stackc.parts.part import Source
from stackc.parts.registry import installed
from stackc.testing.windowings import PlainDecoder

# -- through a recipe


@attrs.frozen(kw_only=True)
class CoderConfig:
    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False
    size: int = bits(1, help="a size")


class Late(PlainDecoder):
    """Right in what is tried first, and wrong after it."""

    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return 0 if symbol is not None and self._read > MOST_CODED * self._size else symbol


@attrs.frozen(kw_only=True)
class ModelConfig:
    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=0)


class ToyBackend:
    def train(self, task: Any) -> None:
        pass

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        pass

    def load(self, folder: Path, alphabet: int, device: Any) -> Any:
        return LaneDependent(alphabet)


class BreakingBackend(ToyBackend):
    def load(self, folder: Path, alphabet: int, device: Any) -> Any:
        raise RuntimeError("no such weights")


def missing(config: Any) -> Any:
    import nowhere_at_all

    return nowhere_at_all


def bad_parts() -> types.ModuleType:
    @hookimpl
    def stackc_register_coders(register: Register) -> None:
        register("bad", lambda config: Bad(decoder=Loses), CoderConfig, "loses symbols")
        register("late", lambda config: Bad(decoder=Late), CoderConfig, "loses what comes late")
        register("absent", missing, CoderConfig, "cannot be imported")

    @hookimpl
    def stackc_register_models(register: Register) -> None:
        register("breaks", lambda config: BreakingBackend(), ModelConfig, "does not load")
        register("liar", lambda config: ToyBackend(), ModelConfig, "says that it is portable")

    module = types.ModuleType("bad_parts")
    vars(module).update(stackc_register_coders=stackc_register_coders, stackc_register_models=stackc_register_models)
    return module


@pytest.fixture
def bad_plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = [
        *installed(),
        Source(plugin="bad-parts", distribution="stackc-bad", version="0.1", load=bad_parts),
    ]
    monkeypatch.setattr(stackc.parts.registry, "installed", lambda: found)
    stackc.parts.registry.registry.cache_clear()
    yield
    stackc.parts.registry.registry.cache_clear()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (level("M1", 'kind = "equal-info"\nbits = 32', "bad", 8), f"{WHO}: 64 symbols decode to "),
        (
            level("M1", 'kind = "whole"', "arithmetic", 8, 'backend = "liar"'),
            "M1: model 'liar' (plugin 'bad-parts', stackc-bad 0.1): says that it is portable, yet its "
            "predictions among other lanes differ from those alone at symbol 0; portable means the same bits however "
            "it is called; otherwise declare 'same-build' or 'same-machine'",
        ),
        (
            level("M1", 'kind = "equal-info"\nbits = 16', "absent", 8),
            "M1: coder 'absent' (plugin 'bad-parts', stackc-bad 0.1) needs a package that cannot be imported: No "
            "module named 'nowhere_at_all'; install it",
        ),
    ],
)
def test_a_build_ends_in_one_line_that_names_them(tmp_path: Path, bad_plugin: None, tables: str, message: str) -> None:
    done = build_in(tmp_path, tables)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "built" / "manifest.json").exists()
    assert not list((tmp_path / "built").rglob("tokens/train/symbols.bin"))


# -- two processes


PLUGIN = """
import os
from typing import ClassVar
import attrs, numpy as np
from stackc.api import Cost, Register, bits, hookimpl, normalise

@attrs.frozen(kw_only=True)
class Config:
    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None
    honest: bool = bits(True, help="whether answers are those of every process")
    def cost(self, alphabet, settings):
        return Cost(parameters=0)

class Model:
    portability = "portable"
    def __init__(self, honest, alphabet):
        self.alphabet = alphabet
        self.row = np.ones(alphabet, np.int64) + (0 if honest else hash("tea") % 97 * (np.arange(alphabet) == 32))
    def start(self, lanes):
        return lanes
    def step(self, state, symbols):
        return normalise(np.tile(self.row, (len(symbols), 1)))

class Backend:
    def __init__(self, config):
        self.config = config
    def train(self, task):
        pass
    def freeze(self, trained, folder, alphabet):
        (folder / "honest").touch()
    def load(self, folder, alphabet, device):
        return Model(self.config.honest, alphabet)

@hookimpl
def stackc_register_models(register: Register):
    register("hasty", Backend, Config, "depends on hash()")
"""


def test_a_model_that_depends_on_its_process_is_found_by_another(tmp_path: Path) -> None:
    """An installed plugin, as a folder on the path with its entry point beside it."""
    package = tmp_path / "site"
    (package / "hasty-1.0.dist-info").mkdir(parents=True)
    (package / "hasty_model.py").write_text(PLUGIN)
    (package / "hasty-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: hasty\nVersion: 1.0\n")
    (package / "hasty-1.0.dist-info/entry_points.txt").write_text("[stackc]\nhasty = hasty_model\n")
    for name in ("train-a", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(TEXT)
    tables = level("M1", 'kind = "whole"', "arithmetic", 8, 'backend = "hasty"\nhonest = HONEST')
    recipe = HEAD.format(name="hasty", segment=200) + tables + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONHASHSEED": "7"}
    for honest in ("true", "false"):
        (tmp_path / "recipe.toml").write_text(recipe.replace("HONEST", honest))
        command = [sys.executable, "-m", "stackc", "build", "recipe.toml", "--out", honest, "--quiet"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (honest == "true"), done.stderr
        assert (tmp_path / honest / "manifest.json").exists() == (honest == "true")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: M1: model 'hasty' (plugin 'hasty', hasty 1.0): another process cannot decode the output of this one; "
    )
    assert done.stderr.count("\n") == 1


def test_without_held_out_text_the_training_text_is_tried(tmp_path: Path, bad_plugin: None) -> None:
    (tmp_path / "train-a.txt").write_text(TEXT * 10)
    tables = level("M1", 'kind = "whole"', "late", 8)
    recipe = HEAD.format(name="late", segment=2000) + tables + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    recipe = recipe.replace('valid = "valid.txt"\ntest = "test.txt"\n', "")
    (tmp_path / "recipe.toml").write_text(recipe)
    arguments = ["build", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "built"), "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2, done.output
    assert "coder 'late'" in done.stderr
    assert "no stack is written" in done.stderr
    assert not (tmp_path / "built" / "manifest.json").exists()


def build_in(folder: Path, tables: str, name: str = "built") -> Any:
    """`stackc build` of a recipe with these levels over a small text."""
    for split in ("train-a", "valid", "test"):
        (folder / f"{split}.txt").write_text(TEXT)
    recipe = HEAD.format(name="bad", segment=200) + tables + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    (folder / "recipe.toml").write_text(recipe)
    return CliRunner().invoke(main, ["build", str(folder / "recipe.toml"), "--out", str(folder / name), "--quiet"])


def test_what_is_not_installed_is_said_before_the_corpus_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # importing it is an ImportError
    done = build_in(
        tmp_path, '[[level]]\nname = "M1"\n[level.windowing]\nkind = "whole"\n[level.coder]\nkind = "bpe"\n'
    )
    assert done.exit_code == 2
    assert done.stderr.startswith("error: M1: part bpe needs tokenizers")
    assert 'pip install "stackc[bpe]"' in done.stderr
    assert not (tmp_path / "built" / "corpus").exists()


def test_the_traceback_of_a_part_is_shown_on_request(
    tmp_path: Path, bad_plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = level("M1", 'kind = "whole"', "arithmetic", 8, 'backend = "breaks"')
    quiet = build_in(tmp_path, tables)
    monkeypatch.setenv("STACKC_TRACEBACK", "1")
    loud = build_in(tmp_path, tables)
    line = (
        "error: M1: model 'breaks' (plugin 'bad-parts', stackc-bad 0.1): load raised RuntimeError: no such weights "
        "(STACKC_TRACEBACK=1 shows where)\n"
    )
    assert quiet.stderr == line
    assert loud.stderr.endswith(line)
    assert 'raise RuntimeError("no such weights")' in loud.stderr
    assert quiet.exit_code == loud.exit_code == 2
