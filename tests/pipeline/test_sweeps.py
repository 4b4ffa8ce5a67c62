"""Sweeps: every run once, shared stages, kills, failures, several processes, and files with mistakes in them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import stackc
from stackc.api.errors import ArtifactError, RecipeError, StackcError
from stackc.pipeline.ownership import MARK
from stackc.pipeline.sweeps.estimate import print_estimate
from stackc.pipeline.sweeps.expand import load_sweep, short_names, written_values
from stackc.pipeline.sweeps.folder import SweepFolder
from stackc.pipeline.sweeps.pool import Pool
from stackc.pipeline.sweeps.predict import predicted
from stackc.pipeline.sweeps.row import _below
from stackc.pipeline.sweeps.sweep import SweepResult
from stackc.pipeline.sweeps.written import as_csv, as_latex, as_markdown
from stackc.recipe import load_recipe, shipped_recipes
from sweeps_of_tests import QUICK, TOY, table, write


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    write(folder, toy=TOY, quick=QUICK)
    return folder


@pytest.fixture(scope="module")
def made(place: Path) -> SweepResult:
    """The toy, run without a disturbance."""
    return stackc.sweep(place / "toy.toml", place / "whole")


def command(*words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stackc", "sweep", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def ids(folder: Path) -> list[str]:
    return [json.loads(line)["run"] for line in (folder / "table.jsonl").read_text().splitlines()]


# -- running


def test_a_sweep_fills_its_table_and_a_failing_arm_stops_nothing(made: SweepResult) -> None:
    told = [(row["arm"], row["seed"], row["status"]) for row in made.rows]
    assert told == [(arm, seed, status) for arm, status in STATUS.items() for seed in (1, 2)]
    assert [row["arm"] for row in made.failed] == ["broken", "broken"]
    assert "run.memory allows 1 MB" in made.failed[0]["reason"]
    done = [row["figures"] for row in made.rows if row["status"] == "done"]
    assert len({figures["bits_per_byte"] for figures in done}) == 4, "seeds and arms differ"
    for figures in done:
        a_step = figures["levels"][-1]["train_operations"] / 3e8
        assert 0.9 < a_step < 1.1, "the budget in operations"
        assert figures["operations_per_byte"] > figures["softmax_operations_per_byte"] > 0
        assert figures["below_operations_per_byte"] == 0.0, "the level below is compiled"
        assert figures["seconds"] >= figures["train_seconds"] > 0
        assert figures["peak_memory_mb"] > 10
        assert figures["versions"]["stackc"] == stackc.__version__


STATUS = {"nine": "done", "broken": "failed", "ten": "done"}


def test_the_derived_tables_have_every_run(made: SweepResult) -> None:
    rows = list(csv.DictReader((made.folder / "table.csv").read_text().splitlines()))
    assert [(row["arm"], row["seed"]) for row in rows] == [(row["arm"], str(row["seed"])) for row in made.rows]
    for row, whole in zip(rows, made.rows, strict=True):
        figure = whole.get("figures", {}).get("bits_per_byte")
        assert row["bits_per_byte"] == ("" if figure is None else str(figure))
        top = [level for level in whole.get("figures", {}).get("levels", []) if level["name"] == "M2"]
        assert row["M2.model_bits_per_byte"] == "".join(str(level["model_bits_per_byte"]) for level in top)
    markdown = (made.folder / "table.md").read_text().splitlines()
    assert len(markdown) == 2 + 6
    assert len({line.count("|") for line in markdown}) == 1
    latex = (made.folder / "table.tex").read_text()
    assert latex.count(r"\\") == 1 + 6
    assert "_" not in latex.replace(r"\_", "")


def test_what_runs_have_in_common_is_run_once(made: SweepResult) -> None:
    """Two arms by two seeds: one corpus, two levels, four models of the top."""
    stages = made.folder / "stages"
    count = {
        name: len(list(stages.glob(f"*/{name}/{MARK}")))
        for name in (
            "corpus/train",
            "corpus/test",
            "M1/counts",
            "M1/dictionary",
            "M1/tokens/train",
            "M2/model",
            "report",
        )
    }
    assert count == {
        "corpus/train": 1, "corpus/test": 1, "M1/counts": 1, "M1/dictionary": 2, "M1/tokens/train": 2, "M2/model": 4,
        "report": 4,
    }  # fmt: skip
    one, other = (made.folder / "runs" / row["run"] for row in made.rows[:2])
    assert (one / "corpus/train/symbols.bin").samefile(other / "corpus/train/symbols.bin")
    assert not (one / "M2/frozen/frozen.safetensors").samefile(other / "M2/frozen/frozen.safetensors")


def test_a_run_is_the_stack_that_a_build_makes(made: SweepResult, place: Path, tmp_path: Path) -> None:
    row = made.rows[-1]
    overrides = ("stack.seed=2", "level.1.windowing.bits=10", "level.1.tokens.bits=10", "top.train.operations=3e8")
    built = stackc.build(place / "base.toml", tmp_path / "stack", overrides=overrides)
    assert stackc.load(made.folder / "runs" / row["run"]).sha256 == built.sha256
    curve = (made.folder / "runs" / row["run"] / "logs" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in curve] == [
        json.loads(line)["step"] for line in (built.folder / "logs" / "metrics.jsonl").read_text().splitlines()
    ]
    assert json.loads(curve[-1])["operations"] == row["figures"]["top_train_operations"]


def test_a_killed_sweep_ends_in_the_same_table(made: SweepResult, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    running = command(place / "toy.toml", "--out", out, "--quiet")
    deadline = time.monotonic() + 100
    while not list(out.glob("stages/*/M2/model/state.safetensors")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    running.kill()
    running.communicate()
    assert not list(out.glob("runs/*/manifest.json"))
    again = stackc.sweep(place / "toy.toml", out)
    assert table(out) == table(made.folder)
    assert [row["run"] for row in again.rows] == [row["run"] for row in made.rows]


@pytest.mark.long
@pytest.mark.timeout(0)
def test_a_sweep_that_is_killed_again_and_again_ends_in_the_same_table(
    made: SweepResult, place: Path, tmp_path: Path
) -> None:
    """Fifty kills at random moments, in as many sweeps as it takes; each may run a little longer, so that all end."""
    random = np.random.default_rng(50)
    wanted = {row["run"]: row for row in table(made.folder)}
    kills, ended, most, out = 0, 0, 2.0, tmp_path / "killed"
    while kills < 50 or out.exists():
        running = command(place / "toy.toml", "--out", out, "--quiet", "--jobs", 2)
        try:
            running.communicate(timeout=random.uniform(0.2, most))
        except subprocess.TimeoutExpired:
            running.kill()
            running.communicate()
            kills, most = kills + 1, most * 1.1
            continue
        assert {row["run"]: row for row in table(out)} == wanted
        shutil.rmtree(out)
        ended, most = ended + 1, 2.0
    print(f"{kills} kills, {ended} sweeps ended")


def test_finished_runs_are_skipped_and_failed_ones_tried_again(place: Path) -> None:
    out = place / "again"
    first = stackc.sweep(place / "quick.toml", out)
    assert not first.failed
    before = {path: path.stat().st_mtime_ns for path in out.glob("stages/*/made.json")}
    lines = (out / "table.jsonl").read_bytes()
    # As after a kill in the middle of a line, and after a run that failed.
    failed = {**json.loads(lines.splitlines()[0]), "status": "failed", "reason": "for the test"}
    (out / "table.jsonl").write_bytes(lines + json.dumps(failed).encode() + b'\n{"run": "half')
    second = stackc.sweep(place / "quick.toml", out)
    assert table(out)[:4] == [json.loads(json.dumps(row)) for row in table(out)[:4]]
    assert [row["status"] for row in table(out)] == ["done"] * 4 + ["failed", "done"]
    assert [row["status"] for row in second.rows] == ["done"] * 4
    assert {path: path.stat().st_mtime_ns for path in out.glob("stages/*/made.json")} == before


def test_two_processes_share_a_folder(place: Path, tmp_path: Path) -> None:
    """Each run is done by one of them, each stage once, and both end with the whole table."""
    out = tmp_path / "shared"
    both = [command(place / "quick.toml", "--out", out, "--jobs", jobs) for jobs in (1, 2)]
    for one in both:
        text, errors = one.communicate(timeout=200)
        assert one.returncode == 0, errors
        assert "4 runs, 0 not done" in text
    assert sorted(ids(out)) == sorted(run.id for run in load_sweep(place / "quick.toml").runs)
    assert [row["status"] for row in table(out)] == ["done"] * 4
    marks = list(out.glob("stages/*/report/stage.json"))
    assert len(marks) == 4


def test_a_worker_that_dies_is_a_failed_run_and_is_replaced(tmp_path: Path) -> None:
    with Pool(1) as pool:
        pool.start({"id": "one"})  # not a job: the worker ends with an error of its own
        process = next(iter(pool._processes.values()))
        os.kill(process.pid, signal.SIGKILL)
        answer = None
        while answer is None or answer.content["event"] == "line":
            answer = pool.answer(60)
        assert answer.content["event"] == "failed"
        assert pool.idle == [0]


def test_the_dry_run_tells_runs_stages_operations_and_runs_nothing(place: Path) -> None:
    done = command(place / "toy.toml", "--out", place / "none", "--dry-run", "--jobs", 2)
    text, errors = done.communicate(timeout=100)
    assert done.returncode == 0, errors
    assert not (place / "none").exists()
    runs = load_sweep(place / "toy.toml").runs
    assert all(run.id in text for run in runs)
    operations = {stage.identity: stage.cost.train_ops for run in runs for stage in predicted(run) if stage.cost}
    assert f"training {sum(operations.values()):.3g} operations" in text
    assert "2 jobs" in text


def test_the_dry_run_says_why_an_arm_cannot_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise StackcError('M1: part bpe needs tokenizers: pip install "stackc[bpe]"')

    monkeypatch.setattr("stackc.pipeline.sweeps.predict.plan", missing)
    shown = Console(file=io.StringIO(), width=200)
    made = load_sweep(place / "toy.toml")
    print_estimate(made, SweepFolder(place / "none"), 1, "cpu", shown)
    text = shown.file.getvalue()  # type: ignore[attr-defined]
    assert text.count("cannot run ") >= len(made.runs)
    assert text.count('cannot run: M1: part bpe needs tokenizers: pip install "stackc[bpe]"') == 1


def test_predicted_stages_agree_with_those_that_were_run(made: SweepResult, place: Path) -> None:
    """Stages with one identity have one key."""
    keys: dict[str, str] = {}
    for run in load_sweep(place / "toy.toml").runs:
        for stage in predicted(run):
            mark = made.folder / "runs" / run.id / stage.name / MARK
            if run.arm != "broken" and mark.is_file():
                key = json.loads(mark.read_text())["key"]
                assert keys.setdefault(stage.identity, key) == key, stage.name
    assert len(keys) == len(set(keys.values()))


# -- what a sweep's file says

HEADER = 'base = "base.toml"\n'


def runs_of(place: Path, text: str) -> list[tuple[str, int]]:
    (place / "case.toml").write_text(HEADER + text)
    return [(run.label, run.seed) for run in load_sweep(place / "case.toml").runs]


def test_axes_arms_and_seeds_are_multiplied(place: Path) -> None:
    text = """seeds = [5, 7]
zip = {level.1.windowing.bits = [9, 10], level.1.tokens.bits = [9, 10]}
grid."top.train.steps" = [1, 2]
[[arm]]
name = "wide"
set.top.model.width = 24
[[arm]]
name = "one"
seeds = 1
grid = {}
"""
    points = [f"wide, steps={steps}, windowing.bits={bits}, tokens.bits={bits}" for steps in (1, 2) for bits in (9, 10)]
    assert runs_of(place, text) == [*((point, seed) for point in points for seed in (5, 7)), ("one", 1)]


def test_a_budget_replaces_the_budget_of_the_base(place: Path) -> None:
    (place / "case.toml").write_text(HEADER + 'grid."top.train.operations" = [1e7, 1e8]\n')
    for run, operations in zip(load_sweep(place / "case.toml").runs, (1e7, 1e8), strict=True):
        assert (run.recipe.top.train.steps, run.recipe.top.train.operations) == (None, operations)


def test_the_name_of_a_run_depends_on_its_recipe_and_its_text_alone(place: Path, tmp_path: Path) -> None:
    def names(folder: Path) -> list[str]:
        return [run.id for run in load_sweep(folder / "quick.toml").runs]

    write(tmp_path, quick=QUICK)
    assert names(tmp_path) == names(place), "in another folder"
    (tmp_path / "quick.toml").write_text(QUICK.replace("[9, 10,", "[10, 9,") + 'set."run.lanes" = 4\n')
    assert sorted(names(tmp_path)) == sorted(names(place)), "in another order, at another speed"
    (tmp_path / "valid.txt").write_text("another text")
    assert not set(names(tmp_path)) & set(names(place))


def test_file_names_are_relative_to_the_sweep(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (place / "case.toml").write_text(HEADER + 'set."corpus.train" = "train-a.txt"\n')
    assert load_sweep(place / "case.toml").runs[0].recipe.corpus.reader.config.train == (str(place / "train-a.txt"),)


MISTAKES: dict[str, tuple[str, list[str]]] = {
    "everything at once": (
        'seedz = 3\ngrid."level.1.tokens.bits" = 4\nzip = {a.b = [1], c.d = [1, 2]}\n[[arm]]\nname = "x"\n'
        '[[arm]]\nname = "x"\nbase = "thre_level"\n[[arm]]\nname = "y"\nset.top.train.stepz = 4\n',
        [
            "seedz: unknown key; did you mean 'seeds'?",
            'grid."level.1.tokens.bits": expected a list of values, found 4',
            "zip: axes of different lengths: a.b has 1, c.d has 2",
            'arm.2.name: "x" is already the name of arm.1',
            'arm.2.base: no such recipe: "thre_level"; did you mean three_level?',
            "arm.3.set.\"top.train.stepz\": unknown key; did you mean 'steps'? (in y)",
        ],
    ),
    "an axis of speed": (
        "grid.run.lanes = [4, 8]\n",
        ['grid."run.lanes": changes speed or names alone, so all its values give the same stack; remove the axis'],
    ),
    "an axis without effect, of a zip": (
        "zip = {level.1.windowing.bits = [9, 18], top.train.batch = [4, 4]}\n",
        ['zip."top.train.batch": has no effect: all its values are 4; put it into set'],
    ),
    "an axis of speed, of a zip": (
        "zip = {level.1.windowing.bits = [9, 18], run.lanes = [4, 8]}\n",
        ['zip."run.lanes": changes speed or names alone, so all its values give the same stack; remove the axis'],
    ),
    "equal arms": (
        '[[arm]]\nname = "one"\n[[arm]]\nname = "other"\nset.top.train.steps = 5\n',
        ['arm.2: "other" gives the same stack as arm "one"; remove one'],
    ),
    "a value twice": ("grid.top.train.steps = [5, 5]\n", ['grid."top.train.steps": a value is given twice in [5, 5]']),
    "values that mean the same": (
        'grid."top.model.mlp" = [0, 64]\n[[arm]]\nname = "a"\nset.top.model.width = 16\n', [],
    ),
    "no values": ("grid.top.train.steps = []\n", ['grid."top.train.steps": no values']),
    "seeds twice": (
        'seeds = 2\nset."stack.seed" = 4\n',
        ["seeds: stack.seed is set too; remove one"],
    ),
    "an axis that is set": (
        "set.top.train.steps = 4\ngrid.top.train.steps = [4, 5]\n",
        ['set."top.train.steps": is also an axis, which replaces it; remove one'],
    ),
    "one value of an axis": (
        "grid.top.model.layers = [1, 0]\n",
        ['grid."top.model.layers": 0 is below 1 (in layers=0)'],
    ),
    "a table of another name": (
        "set.top.trian.steps = 3\n",
        ["set.\"top.trian.steps\": top.trian: unknown key; did you mean 'train'?"],
    ),
    "no text": ('set."corpus.test" = "nowhere*.txt"\n', ['set."corpus.test": no file matches']),
    "no text, an axis of speed and a wrong key": (
        'set."corpus.test" = "nowhere*.txt"\ngrid.run.lanes = [4, 8]\n[[arm]]\nname = "a"\n[[arm]]\nname = "b"\n'
        'set.corpus.test = "test.txt"\nset.top.train.stepz = 4\n',
        [
            'set."corpus.test": no file matches',
            "arm.2.set.\"top.train.stepz\": unknown key",
            'grid."run.lanes": changes speed or names alone',
        ],
    ),
    "seeds out of range": (
        f"seeds = [-1, 2, {2**63}]\n",
        ["seeds: -1 is not in 0 .. 2^63 - 1", f"seeds: {2**63} is not in 0 .. 2^63 - 1"],
    ),
    "an address twice": (
        'set."top.train.batch" = 4\nset.top.train.batch = 5\n',
        ['set."top.train.batch": is given twice; remove one'],
    ),
    "an empty key": (
        'grid."" = [1, 2]\nset."level..bits" = 3\n',
        ['grid."": a part of the key is empty', 'set."level..bits": a part of the key is empty'],
    ),
    "arms with other test bytes": (
        '[[arm]]\nname = "a"\n[[arm]]\nname = "b"\nset."corpus.test" = "train-a.txt"\n',
        ["corpus.test: b: another text than in a; bits per byte of different texts do not compare: make two sweeps"],
    ),
    "budgets of one step": (
        "grid.top.train.operations = [1e3, 2e3]\n",
        ['grid."top.train.operations": two values are the same training, of '],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_all_mistakes_are_reported_before_anything_runs(place: Path, what: str) -> None:
    text, expected = MISTAKES[what]
    (place / "case.toml").write_text(HEADER + text)
    if not expected:
        assert load_sweep(place / "case.toml").runs
        return
    with pytest.raises(RecipeError) as caught:
        stackc.sweep(place / "case.toml", place / "mistaken")
    assert len(caught.value.problems) == len(expected), caught.value.problems
    for line, start in zip(caught.value.problems, expected, strict=True):
        assert line.startswith(start), caught.value.problems
    assert not (place / "mistaken").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such sweep file"), ("base = [", "not valid TOML"), ("name = 'x'", "base: missing; the recipe")],
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "s.toml").write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_sweep(tmp_path / "s.toml")


@pytest.mark.parametrize(("name", "below"), [("smoke", 12.0), ("three_level", 0.0)])
def test_operations_below_are_those_of_models_that_must_run(name: str, below: float) -> None:
    """A level whose windows are not compiled runs its model; one that looks up texts does not, compiled or not."""
    recipe = load_recipe(shipped_recipes()[name])
    rows = [{"ops_per_byte_body": 5.0, "ops_per_byte_softmax": 7.0}] * (len(recipe.levels) + 1)
    assert _below(recipe, {"levels": [{"compiled": False}] * len(recipe.levels)}, rows) == below
    assert _below(recipe, {"levels": [{"compiled": True}] * len(recipe.levels)}, rows) == 0.0


@pytest.mark.parametrize("name", ["sweep.json", "table.jsonl", "runs/mine.txt", "manifest.json", "stages"])
def test_what_no_sweep_wrote_is_left_alone(place: Path, tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(ArtifactError, match="--out"):
        SweepFolder(tmp_path).describe(load_sweep(place / "quick.toml"))
    assert mine.read_text() == "mine"
    assert not (tmp_path / ".table.lock").exists()


@pytest.mark.parametrize("reason", ["", "\n", "first\nsecond", "\n\nlate"])
def test_a_reason_of_any_lines_stands_in_the_table(place: Path, tmp_path: Path, reason: str) -> None:
    sweep = load_sweep(place / "quick.toml")
    folder = SweepFolder(tmp_path / "out")
    folder.describe(sweep)
    folder.add(sweep.runs[0], {"status": "failed", "reason": reason})
    assert f"| failed: {reason.partition(chr(10))[0]}".rstrip() in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.parametrize("jobs", [0, -1, 10_000])
def test_an_impossible_number_of_jobs_is_refused(place: Path, jobs: int) -> None:
    with pytest.raises(StackcError, match=f"jobs: {jobs}"):
        stackc.sweep(place / "quick.toml", place / "none", jobs=jobs)


# -- writing


def test_names_of_axes_are_short_and_differ() -> None:
    found = short_names(["level.1.windowing.bits", "level.2.windowing.bits", "top.train.steps", "level.1"])
    assert list(found.values()) == ["level.1.windowing.bits", "level.2.windowing.bits", "steps", "level.1"]


def test_values_in_few_words_differ_where_the_values_do() -> None:
    assert written_values([3e12, 1e13]) == ["3e12", "1e13"]
    assert written_values([{"kind": "a", "bits": 9}, {"kind": "a", "bits": 10}]) == ["bits=9", "bits=10"]
    long: list[Any] = [["x" * 100, 1], ["x" * 100, 2]]
    assert len(set(written_values(long))) == 2


def test_cells_are_escaped() -> None:
    rows = [["a|b", "1\n2"], ['"q", r', "50 % & $_{x}"]]
    assert as_markdown(["h", "k"], rows).splitlines()[2] == "| a\\|b | 1 2 |"
    assert list(csv.reader(as_csv([["h", "k"], *rows]).splitlines()))[2] == rows[1]
    assert r"50 \% \& \$\_\{x\} \\" in as_latex(["h", "k"], rows)
    assert r"a\textbar{}b & 1 2 \\" in as_latex(["h", "k"], rows)


def test_negative_numbers_have_a_minus_in_latex_and_names_keep_their_hyphens() -> None:
    line = ["-0.01..-0.005", "x=-3 [-1, -.5] 1e-5", "words-1 2026-01-02 -"]
    assert r"$-$0.01..$-$0.005 & x=$-$3 [$-$1, $-$.5] 1e$-$5 & words-1 2026-01-02 - \\" in as_latex(["h"] * 3, [line])


@pytest.mark.parametrize("path", sorted((shipped_recipes()["smoke"].parent / "sweeps").glob("*.toml")))
def test_sweeps_that_ship_with_stackc_can_be_read(path: Path) -> None:
    assert len(load_sweep(path).runs) > 1


def test_the_base_may_be_a_recipe_that_ships_with_stackc(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('base = "smoke"\ngrid.top.train.symbols = [1000, 2000]\n')
    runs = load_sweep(tmp_path / "s.toml").runs
    assert [run.recipe.source for run in runs] == [shipped_recipes()["smoke"]] * 2
