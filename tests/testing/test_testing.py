"""The contract suites find what they are there to find: broken parts fail them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stackc.testing
from stackc.api import IDLE, RESTART, CorpusError, Cost, Device, TrainingTask
from stackc.parts.registry import HOOKS
from stackc.testing.models import ModelContract
from stackc.testing.readers import ReaderContract
from stackc.testing.training import Killed, Reports, training_task
from stackc_counted import UnigramConfig
from stackc_counted.constant import ConstantPredictor
from stackc_counted.models import Unigram


class Parity(ConstantPredictor):
    """A row for even sums of the symbols since the restart, one for odd: right in every respect."""

    forgets = idles = scores = True

    def start(self, lanes: int) -> Any:
        return np.zeros(lanes, dtype=np.int64)

    def _row(self, total: int) -> Any:
        row = self.row.copy()
        row[0] -= total % 2
        row[-1] += total % 2
        return row

    def step(self, state: Any, symbols: Any) -> Any:
        for lane, symbol in enumerate(symbols):
            if symbol >= 0:
                state[lane] += symbol
            elif symbol == IDLE and not self.idles:
                state[lane] += 1
            elif symbol == RESTART and self.forgets:
                state[lane] = 0
        return np.stack([self._row(int(total)) for total in state])

    def take(self, state: Any, lanes: Any) -> Any:
        return state[lanes]

    def score(self, segment: Any, restarts: Any = None) -> Iterator[Any]:
        total = 0
        for place, symbol in enumerate(segment.tolist()):
            total = 0 if restarts is not None and restarts[place] and self.scores else total
            yield self._row(total)[None]
            total += symbol


class Backend(Unigram):
    predictor: type[Parity] = Parity

    def load(self, folder: Path, alphabet: int, device: Device) -> Parity:
        return self.predictor(super().load(folder, alphabet, device).row)


class Suite(ModelContract):
    backend: type[Backend] = Backend

    def config(self) -> Any:
        return UnigramConfig()

    def make(self) -> tuple[Backend, None]:
        return self.backend(), None


def predictor(**wrong: Any) -> Parity:
    made = Parity(np.array([1 << 23, 1 << 22, 1 << 22], dtype=np.uint32))
    for name, value in wrong.items():
        setattr(made, name, value)
    return made


def run_predictor_tests(made: Parity) -> None:
    suite = Suite()
    suite.test_predictor_says_what_it_is(made, 3)
    if hasattr(made, "max_lanes"):
        suite.test_as_many_lanes_as_it_says(made, 3)
    suite.test_rows_are_frequencies(made, 3)
    suite.test_steps_repeat(made, 3)
    suite.test_restart_forgets(made, 3)
    suite.test_idle_lanes_stay_as_they_are(made, 3)
    suite.test_lanes_do_not_touch_each_other(made, 3)
    suite.test_take_copies_lanes(made, 3)
    suite.test_score_is_step(made, 3, 20, 0.3)


def test_a_right_predictor_passes() -> None:
    run_predictor_tests(predictor())


def test_a_right_predictor_of_many_lanes_passes() -> None:
    run_predictor_tests(predictor(max_lanes=40))


@pytest.mark.parametrize(
    "wrong",
    [
        {"forgets": False},
        {"idles": False},
        {"scores": False},
        {"take": lambda state, lanes: state[: len(lanes)]},
        {"_row": lambda total: np.array([1 << 23, 1 << 22, 1 << 21], dtype=np.uint32)},
        {"max_lanes": 0},
        {"max_lanes": 9, "start": lambda lanes: np.zeros(min(lanes, 8), dtype=np.int64)},
    ],
)
def test_a_wrong_predictor_fails(wrong: dict[str, Any]) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - any failure of the suite will do
        run_predictor_tests(predictor(**wrong))


class Forgetful(Backend):
    """Goes on after a kill as if it had counted nothing more."""

    def train(self, task: TrainingTask) -> None:
        begun = task.folder / "begun"
        if begun.exists():
            task = training_task(task.alphabet, None, task.folder, train=task.valid)
        begun.touch()
        super().train(task)


def test_training_that_does_not_resume_fails(tmp_path: Path) -> None:
    class Broken(Suite):
        backend = Forgetful

    suite = Broken()
    whole = suite.freeze(tmp_path / "model")
    with pytest.raises(AssertionError):
        suite.test_killed_training_goes_on_to_the_same_bits(whole, tmp_path, 1.0)


def test_training_is_killed_where_it_reports(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        Unigram().train(training_task(5, None, tmp_path / "model", progress=Reports(kill_at=1)))


class Careless(Backend):
    def load(self, folder: Path, alphabet: int, device: Device) -> Parity:
        try:
            return super().load(folder, alphabet, device)
        except Exception:
            return predictor()


def test_damage_that_is_not_reported_fails(tmp_path: Path) -> None:
    class Broken(Suite):
        backend = Careless

    suite = Broken()
    with pytest.raises(pytest.fail.Exception):
        suite.test_damaged_files_are_an_artifact_error(suite.freeze(tmp_path / "model"))


def test_wrong_cost_fails() -> None:
    class Odd(UnigramConfig):
        def cost(self, alphabet: int, settings: None) -> Cost:
            return Cost(parameters=-1)

    class Broken(Suite):
        def config(self) -> Any:
            return Odd()

    with pytest.raises(AssertionError):
        Broken().test_cost_is_known_without_training(3)


class ListReader:
    """A reader that is wrong in every respect."""

    def documents(self, split: str) -> Any:
        return [b"one"] if split == "train" else []

    def fingerprint(self, split: str) -> str:
        return "same"


class ReaderSuite(ReaderContract):
    def make(self, folder: Path) -> Any:
        return ListReader(), {"train": [b"one", b"two"], "valid": []}

    def make_missing(self, folder: Path) -> Any:
        return ListReader()


@pytest.mark.parametrize(
    "test",
    [
        "test_documents_are_as_written",
        "test_documents_are_streamed_and_read_anew_each_time",
        "test_fingerprint_tells_splits_apart",
        "test_missing_files_are_a_corpus_error",
    ],
)
def test_a_wrong_reader_fails(tmp_path: Path, test: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception, CorpusError)):
        getattr(ReaderSuite(), test)(tmp_path)


def test_there_is_a_suite_for_every_kind_of_part() -> None:
    others = {
        "BitwiseContract",
        "DictionaryCoderContract",
        "PieceCoderContract",
        "PluginContract",
        "WholeWindowContract",
    }
    suites = {f"{kind.capitalize()}Contract" for kind in HOOKS} | others
    assert sorted(stackc.testing.__all__) == sorted(suites)
