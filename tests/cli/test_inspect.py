"""`stackc inspect` of stacks: what they cost, what they hold of their training text, and what they take on disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

import stackc
from recipes_of_tests import HEAD, corpus, mixing, words_of
from stackc.api.models import Cost
from stackc.cli import main
from stackc.pipeline.dryrun import print_plan


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixing model with a kept window; its text is described."""
    folder = tmp_path_factory.mktemp("inspected")
    corpus(folder)
    described = HEAD.format(name="mixing", segment=300).replace("seed = 3", 'text = "Austen"\nlicence = "CC0-1.0"')
    tables = '[top]\nname = "M1"\n[top.model]\nbackend = "mixing"\nsize = 10\nrich = 8\nwindow = 500\n'
    (folder / "mixing.toml").write_text(described + tables)
    return stackc.build(folder / "mixing.toml", folder / "mixing").folder


def test_it_states_parameters_memory_kept_text_and_licence(stack: Path) -> None:
    cost = stackc.load(stack).recipe.top.model.cost(256, stackc.load(stack).recipe.top.train)
    shown = run("inspect", stack).stdout
    assert "text: Austen; licence: CC0-1.0; its corpus: train-*.txt" in shown
    assert f"{cost.parameters:,} parameters; each thread codes with {cost.copy_memory / 1e6:.1f} MB" in shown
    assert "up to 500 symbols of the training text, as they are" in shown


def test_files_with_two_names_are_counted_once(stack: Path) -> None:
    trained, frozen = (stack / "M1" / kind / "lean.slots" for kind in ("model", "frozen"))
    assert trained.stat().st_ino == frozen.stat().st_ino
    places = {path.stat().st_ino: path.stat().st_size for path in (stack / "M1").rglob("*") if path.is_file()}
    marks = sum(path.stat().st_size for path in (stack / "M1").rglob("stage.json"))
    assert f"{sum(places.values()) - marks:,} bytes of model and tables, 0 of tokens" in run("inspect", stack).stdout


def test_a_pack_is_shown_as_the_stack_is(stack: Path, tmp_path: Path) -> None:
    assert run("pack", stack, "-o", tmp_path / "one.stack").exit_code == 0
    ours, theirs = (run("inspect", place).stdout.splitlines() for place in (stack, tmp_path / "one.stack"))
    same = [line for line in theirs if "on disk" not in line and "packed:" not in line]
    assert len(same) > 5
    assert set(same) <= set(ours)
    assert "every SHA-256 matches" in run("inspect", tmp_path / "one.stack", "--verify").stdout
    assert json.loads(run("inspect", tmp_path / "one.stack", "--json").stdout)["name"] == "mixing"
    damaged = bytearray((tmp_path / "one.stack").read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "one.stack").write_bytes(damaged)
    done = run("inspect", tmp_path / "one.stack", "--verify")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)


def test_a_stack_whose_plugin_is_missing_is_still_shown(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stackc.api.errors import RecipeError
    from stackc.cli import inspect_stack

    def missing(*arguments: object) -> None:
        raise RecipeError("recipe", ["top.model.backend: no model 'mixing'"])

    monkeypatch.setattr(inspect_stack, "recipe_from_dict", missing)
    done = run("inspect", stack)
    assert done.exit_code == 0
    assert "parameters" not in done.stdout.partition("trained:")[0]


def test_a_dry_run_counts_the_text_that_there_is(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "mixing.toml").write_text(mixing())
    size = sum(path.stat().st_size for path in tmp_path.glob("train-*.txt"))
    shown: dict[int, str] = {}
    for sample in (1 << 28, size, size - 1):
        recipe = stackc.load_recipe(tmp_path / "mixing.toml", [f"top.train.sample={sample}"])
        with (tmp_path / "out").open("w") as out:
            print_plan(recipe, "cpu", Console(file=out, width=200))
        shown[sample] = (tmp_path / "out").read_text()
    assert shown[1 << 28] == shown[size]
    assert f" {size:,} " in shown[size]
    assert f" {size - 1:,} " in shown[size - 1]
    assert "268,435,456" not in shown[1 << 28]


def test_parameters_are_the_same_everywhere_or_said_to_be_unknown(tmp_path: Path) -> None:
    """A counted model has as many parameters as its text gave it: every command shows that number or none."""
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(words_of("tunstall"))
    before = run("build", tmp_path / "recipe.toml", "--dry-run").stdout
    assert "1,424 parameters" not in before
    assert "400 parameters without those of M1; how many parameters M1 will have is not known in advance" in before
    stack = stackc.build(tmp_path / "recipe.toml", tmp_path / "stack").folder
    rows = json.loads(run("eval", stack, tmp_path / "test.txt", "--json").stdout)["levels"]
    shown = run("inspect", stack).stdout.partition("trained:")[0]
    for row in rows:
        assert f"model of   {row['parameters']:,} parameters" in shown
    assert rows[0]["parameters"] > 256
    assert run("pack", stack, "-o", tmp_path / "one.stack").exit_code == 0
    (stack / "report" / "report.json").unlink()
    for place in stack, tmp_path / "one.stack":
        unknown = run("inspect", place).stdout.partition("trained:")[0]
        assert "256 parameters" not in unknown
        assert "model of   as many parameters as its training text gave it; stackc eval counts them" in unknown
        assert "model of   400 parameters" in unknown, "of symbol counts it is known"


def test_costs_of_a_shorter_text() -> None:
    cost = Cost(parameters=1, train_symbols=1000, train_ops=5000, train_memory=9000, symbol_memory=2, kept_symbols=100)
    assert cost.of_text(1000) == cost.of_text(10**12) == cost
    less = cost.of_text(50)
    assert (less.train_symbols, less.train_ops, less.train_memory, less.kept_symbols) == (50, 250, 7100, 50)
    steps = Cost(parameters=1, train_symbols=1000, train_ops=5000)
    assert steps.of_text(10) == steps, "steps that go over the text again and again"
