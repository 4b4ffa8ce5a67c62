"""The curve of a stage: none twice after a kill, and none of another seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import stackc
from recipes_of_tests import corpus, counting, two_level
from stackc.pipeline.display import Display
from stackc.pipeline.logs import METRICS, TAGS


def log(folder: Path, stage: str, steps: range, resumed: bool, loss: float = 1.0) -> None:
    with Display(folder, "quiet").stage(stage, resumed) as progress:
        for step in steps:
            progress.log(step, loss=loss)


def lines(folder: Path) -> list[tuple[str, int, float]]:
    entries = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [(entry["stage"], entry["step"], entry["loss"]) for entry in entries]


def events(folder: Path, stage: str) -> list[tuple[int, float]]:
    """As they stand in the files, in order; TensorBoard itself would hide some that stand there twice."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = []
    for path in sorted((folder / "tensorboard" / stage.replace("/", "-")).iterdir()):
        for event in EventFileLoader(str(path)).Load():
            found += [(event.step, value.tensor.float_val[0]) for value in event.summary.value]
    return sorted(found)


def test_steps_since_the_checkpoint_are_logged_once(tmp_path: Path) -> None:
    log(tmp_path, "M1/model", range(1, 8), False, 1.0)
    log(tmp_path, "M2/model", range(1, 4), False, 3.0)
    log(tmp_path, "M1/model", range(5, 10), True, 2.0)  # killed at step 7, with a checkpoint of step 4
    wanted = [(step, 1.0 if step < 5 else 2.0) for step in range(1, 10)]
    assert [(step, loss) for stage, step, loss in lines(tmp_path) if stage == "M1/model"] == wanted
    assert events(tmp_path, "M1/model") == wanted
    shown = EventAccumulator(str(tmp_path / "tensorboard" / "M1-model")).Reload()
    assert "loss/bits_per_symbol" in [*shown.Tags()["tensors"], *shown.Tags()["scalars"]]
    assert "bits per symbol" in shown.SummaryMetadata("loss/bits_per_symbol").summary_description
    assert [step for stage, step, _ in lines(tmp_path) if stage == "M2/model"] == [1, 2, 3]
    assert events(tmp_path, "M2/model") == [(1, 3.0), (2, 3.0), (3, 3.0)]


def test_every_scalar_names_its_plugin(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Display(tmp_path, "quiet").stage("M1/model", False) as progress:
        progress.log(1, **dict.fromkeys([*TAGS, "something_else"], 1.5))
    shown = EventAccumulator(str(tmp_path / "tensorboard" / "M1-model")).Reload()
    tags = {*(tag for tag, _ in TAGS.values()), "something_else"}
    assert shown.PluginTagToContent("scalars").keys() == tags
    assert not caplog.records


def test_a_stack_of_counts_has_its_recipe_and_figures_in_tensorboard(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(counting())
    for _ in range(2):  # the second build finds everything done
        stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
        shown = EventAccumulator(str(tmp_path / "stack" / "logs" / "tensorboard" / "summary")).Reload()
        texts = {tag: shown.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in shown.Tags()["tensors"]}
        assert '"name": "counting"' in texts["recipe"]
        assert [line.split("|")[1].strip() for line in texts["figures"].splitlines()] == ["", "---", "M1", "M2"]


def test_a_training_logs_what_its_curve_is_made_of(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(two_level(4))
    stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    entries = [json.loads(line) for line in (tmp_path / "stack" / "logs" / METRICS).read_text().splitlines()]
    sizes = [sum(path.stat().st_size for path in tmp_path.glob("train-*.txt"))]
    for stage in ("M1/model", "M2/model", "M3/model"):
        last = [entry for entry in entries if entry["stage"] == stage][-1]
        assert {"bits_per_byte", "valid_bits_per_byte", "learning_rate", "gradient_norm", "bytes_seen"} <= last.keys()
        per_byte = last["bits_per_byte"] / last["loss"]
        assert per_byte == pytest.approx(last["valid_bits_per_byte"] / last["valid_loss"])
        assert last["bytes_seen"] == pytest.approx(4 * 4 * 24 / per_byte)
        if stage == "M1/model":
            assert per_byte == pytest.approx(1.0), sizes


def test_a_stage_that_goes_on_and_logs_nothing_keeps_its_curve(tmp_path: Path) -> None:
    log(tmp_path, "M1/model", range(1, 4), False)
    log(tmp_path, "M1/model", range(0), True)
    assert len(lines(tmp_path)) == len(events(tmp_path, "M1/model")) == 3


def test_a_stage_that_begins_anew_drops_the_curve_of_another(tmp_path: Path) -> None:
    log(tmp_path, "M1/model", range(1, 9), False, 1.0)
    log(tmp_path, "M1/counts", range(1, 2), False, 1.0)
    kept = tmp_path / "tensorboard" / "M1-model" / "notes.txt"
    kept.write_text("somebody's")
    log(tmp_path, "M1/model", range(2, 4), False, 2.0)
    kept.unlink()  # was left
    assert lines(tmp_path) == [("M1/counts", 1, 1.0), ("M1/model", 2, 2.0), ("M1/model", 3, 2.0)]
    assert events(tmp_path, "M1/model") == [(2, 2.0), (3, 2.0)]
    log(tmp_path, "M1/model", range(0), False)  # a model that is not trained by steps
    assert lines(tmp_path) == [("M1/counts", 1, 1.0)]


@pytest.mark.parametrize("cut", [1, 5, 17, 30])
def test_half_a_line_and_half_an_event_are_dropped(tmp_path: Path, cut: int) -> None:
    log(tmp_path, "M1/model", range(1, 5), False, 1.0)
    for path in (tmp_path / METRICS, *(tmp_path / "tensorboard" / "M1-model").iterdir()):
        path.write_bytes(path.read_bytes()[:-cut])
    log(tmp_path, "M1/model", range(4, 6), True, 2.0)
    wanted = [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0)]
    assert [(step, loss) for _, step, loss in lines(tmp_path)] == wanted
    assert events(tmp_path, "M1/model") == wanted


def test_another_seed_in_the_same_folder_has_a_curve_of_its_own(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(two_level(steps=2))
    curves = []
    for seed in (1, 2):
        stackc.build(tmp_path / "recipe.toml", tmp_path / "out", overrides=(f"stack.seed={seed}",))
        curves.append(lines(tmp_path / "out" / "logs"))
    assert all(len({line[:2] for line in curve}) == len(curve) for curve in curves)
    assert [line[:2] for line in curves[0]] == [line[:2] for line in curves[1]]
    assert all(first[2] != second[2] for first, second in zip(*curves, strict=True))
