"""Sweeps: every run once, shared stages, kills, failures, and several processes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import stackc
from recipes_of_tests import corpus, words_of
from stackc.api.errors import ArtifactError, StackcError
from stackc.pipeline.logs import METRICS
from stackc.pipeline.ownership import MARK
from stackc.pipeline.stage_store import StageStore
from stackc.pipeline.sweeps.estimate import print_estimate
from stackc.pipeline.sweeps.expand import load_sweep
from stackc.pipeline.sweeps.folder import SweepFolder
from stackc.pipeline.sweeps.pool import Pool
from stackc.pipeline.sweeps.predict import predicted
from stackc.pipeline.sweeps.row import _below, finished_row
from stackc.pipeline.sweeps.sweep import SweepResult
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


def test_every_run_has_its_curves_in_both_logs(made: SweepResult) -> None:
    for row in made.rows:
        logs = SweepFolder(made.folder).run_folder(row["run"]) / "logs"
        points: dict[str, list[tuple[int, float]]] = {}
        for line in (logs / METRICS).read_text().splitlines() if row["status"] == "done" else ():
            entry = json.loads(line)
            points.setdefault(entry["stage"].replace("/", "-"), []).append((entry["step"], entry["loss"]))
        assert ("M2-model" in points) == (row["status"] == "done"), "its own, and not those of the arm next to it"
        shown = {path.name: EventAccumulator(str(path)).Reload() for path in logs.glob("tensorboard/M*")}
        assert shown.keys() == points.keys()
        for stage, curve in points.items():
            found = [(one.step, one.value) for one in shown[stage].Scalars("loss/bits_per_symbol")]
            assert found == [(step, pytest.approx(loss)) for step, loss in curve]


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


def test_parameters_that_only_a_build_knows_are_not_estimated(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "base.toml").write_text(words_of("tunstall"))
    arms = '[[arm]]\nname = "pieces"\n'
    arms += 'set."level.1" = {model = {}, windowing = {kind = "words"}, coder = {kind = "bpe", vocabulary = 300}}\n'
    (tmp_path / "sweep.toml").write_text(f'base = "base.toml"\n[[arm]]\nname = "counted"\n{arms}')
    made = load_sweep(tmp_path / "sweep.toml")
    shown = Console(file=io.StringIO(), width=200)
    print_estimate(made, SweepFolder(tmp_path / "none"), 1, "cpu", shown)
    text = shown.file.getvalue()  # type: ignore[attr-defined]
    counted, pieces = (next(line for line in text.splitlines() if f" {arm} " in line) for arm in ("counted", "pieces"))
    assert " 300 " in pieces
    assert not re.search(r" 6[0-9]{2} | 256 | 656 ", counted)
    assert "parameters given as - are not known in advance" in text
    done = stackc.sweep(tmp_path / "sweep.toml", tmp_path / "done")
    for row in done.rows:
        folder = tmp_path / "done" / "runs" / row["run"]
        levels = json.loads((folder / "report" / "report.json").read_text())["levels"]
        assert row["figures"]["parameters"] == sum(level["parameters"] for level in levels)
        (folder / "report" / "report.json").unlink()
        recipe = next(one.recipe for one in made.runs if one.id == row["run"])
        known = None if row["arm"] == "counted" else 300
        assert finished_row(recipe, folder, StageStore(tmp_path / "done" / "stages"))["parameters"] == known


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
