"""The contract of model backends and their predictors, as tests: subclass `ModelContract` in a test module."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import numpy.typing as npt
import pytest

from stackc.errors import ArtifactError
from stackc.frequencies import check_frequencies
from stackc.partrules import config_problems
from stackc.parts import IDLE, RESTART, Cost, Device, Frequencies, ModelBackend, Predictor, Symbols, Text, TrainingTask

SEGMENT = 96
"""Symbols in a segment of the text that backends are trained on."""

Bools = npt.NDArray[np.bool_]


class Killed(BaseException):
    """Raised in the middle of training, as Ctrl-C would be."""


@attrs.define
class Reports:
    """A `Progress` that counts reports, and kills the training at one of them."""

    kill_at: int | None = None
    count: int = 0

    def update(self, done: int, total: int, **figures: float) -> None:
        assert 0 <= done <= total
        self._report()

    def log(self, step: int, **scalars: float) -> None:
        self._report()

    def _report(self) -> None:
        self.count += 1
        if self.count == self.kill_at:
            raise Killed


def sample_text(alphabet: int, length: int = 3 * SEGMENT + 5, seed: int = 0) -> Text:
    """Symbols with something to learn: each tends to follow its predecessor by one. Two documents."""
    rng = np.random.default_rng([seed, alphabet])
    jumps = np.where(rng.random(length) < 0.8, 1, rng.integers(0, alphabet, length))
    symbols = (np.cumsum(jumps) % min(alphabet, 50)).astype(np.min_scalar_type(alphabet - 1))
    symbols[-1] = alphabet - 1
    return Text(symbols=symbols, offsets=np.array([0, length // 3, length]), source_bytes=length)


def training_task(alphabet: int, settings: Any, folder: Path, **changes: Any) -> TrainingTask:
    """A small `TrainingTask`; `changes` replace its fields."""
    folder.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = {
        "alphabet": alphabet,
        "segment": SEGMENT,
        "train": sample_text(alphabet),
        "valid": sample_text(alphabet, 60, seed=1),
        "seed": 3,
        "settings": settings,
        "folder": folder,
        "device": Device(),
        "progress": Reports(),
    }
    return TrainingTask(**{**fields, **changes})


def every_five(predictor: Predictor, symbols: Symbols) -> npt.NDArray[np.int64]:
    """A `TrainingTask.cut`: windows of five symbols. Asks the model so far for a row, as a real one does."""
    state = predictor.start(1)
    rows = predictor.step(state, np.array([RESTART]))
    check_frequencies(rows, predictor.alphabet, "the predictor given to cut")
    return np.arange(0, len(symbols), 5, dtype=np.int64)


def step_rows(predictor: Predictor, symbols: Symbols, restarts: Bools | None = None) -> Frequencies:
    """The rows of a segment by stepping one lane: uint32[n, A]."""
    state, rows, last = predictor.start(1), [], RESTART
    for place, symbol in enumerate(symbols.tolist()):
        if restarts is not None and restarts[place] and last != RESTART:
            last = RESTART
        rows.append(predictor.step(state, np.array([last], dtype=np.int64))[0].copy())
        last = symbol
    return np.array(rows, dtype=np.uint32).reshape(len(rows), predictor.alphabet)


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class ModelContract:
    """What every model backend promises.

    Subclass it in a test module, with a name that starts with Test::

        class TestCounts(ModelContract):
            def config(self):
                return CountsConfig(order=2)

            def make(self):
                return CountsBackend(self.config()), CountsTraining(steps=3)

    Keep the model tiny and its training short: it is trained a dozen times.
    """

    alphabets: ClassVar[tuple[int, ...]] = (2, 5, 256)
    """Alphabet sizes to try."""

    _predictors: ClassVar[dict[tuple[str, int], Predictor]] = {}

    def config(self) -> Any:
        """The configuration of the model under test."""
        raise NotImplementedError

    def make(self) -> tuple[ModelBackend, Any]:
        """A backend of that configuration, and its training settings (None where it has none)."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "alphabet" in metafunc.fixturenames:
            metafunc.parametrize("alphabet", self.alphabets)

    @pytest.fixture
    def predictor(self, alphabet: int, tmp_path: Path) -> Predictor:
        """Trained, frozen and loaded once for each alphabet."""
        key = (f"{type(self).__module__}.{type(self).__qualname__}", alphabet)
        if key not in self._predictors:
            backend, settings = self.make()
            frozen = self.freeze(backend, training_task(alphabet, settings, tmp_path / "trained"))
            self._predictors[key] = backend.load(frozen, alphabet, Device())
        return self._predictors[key]

    def freeze(self, backend: ModelBackend, task: TrainingTask) -> Path:
        """Train a task and freeze it beside its folder."""
        backend.train(task)
        frozen = task.folder.with_name(task.folder.name + "-frozen")
        frozen.mkdir(exist_ok=True)
        backend.freeze(task.folder, frozen, task.alphabet)
        return frozen

    # -- configuration

    def test_configuration_keeps_the_rules(self) -> None:
        config = self.config()
        assert config_problems(type(config)) == []
        assert isinstance(type(config).bits_version, int)

    def test_cost_is_known_without_training(self, alphabet: int) -> None:
        _, settings = self.make()
        cost = self.config().cost(alphabet, settings)
        assert isinstance(cost, Cost)
        assert all(value >= 0 for value in attrs.astuple(cost))

    # -- the predictor

    def test_predictor_says_what_it_is(self, predictor: Predictor, alphabet: int) -> None:
        assert predictor.alphabet == alphabet
        assert predictor.portability in ("portable", "same-build", "same-machine")

    def test_rows_are_frequencies(self, predictor: Predictor, alphabet: int) -> None:
        rng, state = np.random.default_rng(1), predictor.start(3)
        check_frequencies(predictor.step(state, np.full(3, RESTART)), alphabet, "step")
        for _ in range(SEGMENT):
            rows = predictor.step(state, rng.integers(0, alphabet, 3))
            assert rows.shape == (3, alphabet)
            check_frequencies(rows, alphabet, "step")

    def test_steps_repeat(self, predictor: Predictor, alphabet: int) -> None:
        symbols = sample_text(alphabet).symbols[:40]
        np.testing.assert_array_equal(step_rows(predictor, symbols), step_rows(predictor, symbols))

    def test_restart_forgets(self, predictor: Predictor, alphabet: int) -> None:
        symbols = sample_text(alphabet).symbols[:20]
        restarts = np.zeros(20, dtype=np.bool_)
        restarts[7] = True
        rows = step_rows(predictor, symbols, restarts)
        np.testing.assert_array_equal(rows[:7], step_rows(predictor, symbols[:7]))
        np.testing.assert_array_equal(rows[7:], step_rows(predictor, symbols[7:]))

    def test_idle_lanes_stay_as_they_are(self, predictor: Predictor, alphabet: int) -> None:
        symbols = sample_text(alphabet).symbols[:12].tolist()
        state, expected = predictor.start(2), step_rows(predictor, np.array(symbols))
        predictor.step(state, np.full(2, RESTART))
        for place, symbol in enumerate(symbols[:-1]):
            if not self._exact(predictor):
                return
            predictor.step(state, np.array([IDLE, (symbol + 1) % alphabet]))
            rows = predictor.step(state, np.array([symbol, IDLE]))
            np.testing.assert_array_equal(rows[0], expected[place + 1])

    def test_lanes_do_not_touch_each_other(self, predictor: Predictor, alphabet: int) -> None:
        if not self._exact(predictor):
            pytest.skip("a predictor that is not portable is stepped in one stored lane count")
        rng, lanes, length = np.random.default_rng(2), 5, 30
        symbols = rng.integers(0, alphabet, (lanes, length))
        restarts = rng.random((lanes, length)) < 0.1
        restarts[:, 0] = True
        state, rows = predictor.start(lanes), np.zeros((lanes, length, alphabet), dtype=np.uint32)
        for place in range(length):
            last = symbols[:, place - 1]
            rows[:, place] = predictor.step(state, np.where(restarts[:, place], RESTART, last))
        for lane in range(lanes):
            np.testing.assert_array_equal(rows[lane], step_rows(predictor, symbols[lane], restarts[lane]))

    @pytest.mark.parametrize("length", [0, 1, 2, SEGMENT])
    @pytest.mark.parametrize("share", [None, 0.0, 0.2, 1.0])
    def test_score_is_step(self, predictor: Predictor, alphabet: int, length: int, share: float | None) -> None:
        if not hasattr(predictor, "score") or not self._exact(predictor):
            pytest.skip("not scored")
        symbols = sample_text(alphabet, seed=4).symbols[:length]
        restarts = None if share is None else np.random.default_rng(5).random(length) < share
        blocks: Iterator[Frequencies] = predictor.score(symbols, restarts)
        rows = [block.copy() for block in blocks]
        scored = np.concatenate(rows) if rows else np.zeros((0, alphabet), dtype=np.uint32)
        np.testing.assert_array_equal(scored, step_rows(predictor, symbols, restarts))

    def test_take_copies_lanes(self, predictor: Predictor, alphabet: int) -> None:
        if not hasattr(predictor, "take") or not self._exact(predictor):
            pytest.skip("lanes are not taken")
        first = sample_text(alphabet).symbols[:6].astype(np.int64)
        state = predictor.start(2)
        predictor.step(state, np.array([RESTART, RESTART]))
        predictor.step(state, np.array([first[0], (first[0] + 1) % alphabet]))
        taken = predictor.take(state, np.array([0, 1, 0]))
        history = np.array([first[0], first[1]])
        rows = predictor.step(taken, np.full(3, first[1])).copy()
        np.testing.assert_array_equal(rows[0], step_rows(predictor, np.append(history, 0))[2])
        np.testing.assert_array_equal(rows[0], rows[2])
        # the state that lanes were taken from goes on as if nothing had happened
        np.testing.assert_array_equal(predictor.step(state, np.full(2, first[1])), rows[:2])

    # -- training

    def test_training_repeats_and_so_does_freezing(self, tmp_path: Path) -> None:
        made = []
        for name in ("one", "two"):
            backend, settings = self.make()
            task = training_task(5, settings, tmp_path / name, cut=every_five)
            made.append(digest(self.freeze(backend, task)))
        assert made[0] == made[1]

    def test_training_again_changes_nothing(self, tmp_path: Path) -> None:
        backend, settings = self.make()
        task = training_task(5, settings, tmp_path / "trained")
        first = digest(self.freeze(backend, task))
        assert digest(self.freeze(backend, task)) == first

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_killed_training_goes_on_to_the_same_bits(self, tmp_path: Path, share: float) -> None:
        backend, settings = self.make()
        reports = Reports()
        whole = self.freeze(backend, training_task(5, settings, tmp_path / "whole", cut=every_five, progress=reports))
        killer = Reports(kill_at=1 + round(share * max(0, reports.count - 1)))
        with contextlib.suppress(Killed):
            self.make()[0].train(training_task(5, settings, tmp_path / "cut", cut=every_five, progress=killer))
        again = self.freeze(self.make()[0], training_task(5, settings, tmp_path / "cut", cut=every_five))
        assert digest(again) == digest(whole)

    def test_training_without_held_out_text(self, tmp_path: Path) -> None:
        backend, settings = self.make()
        nothing = Text(symbols=np.zeros(0, dtype=np.uint8), offsets=np.zeros(1, dtype=np.int64), source_bytes=0)
        frozen = self.freeze(backend, training_task(5, settings, tmp_path / "trained", valid=nothing))
        assert backend.load(frozen, 5, Device()).alphabet == 5

    # -- what is written

    def test_loaded_elsewhere_it_answers_the_same(self, tmp_path: Path) -> None:
        backend, settings = self.make()
        frozen = self.freeze(backend, training_task(5, settings, tmp_path / "trained"))
        moved = frozen.rename(tmp_path / "moved")
        symbols = sample_text(5).symbols[:30]
        rows = [step_rows(self.make()[0].load(moved, 5, Device(threads=threads)), symbols) for threads in (1, 2)]
        np.testing.assert_array_equal(rows[0], rows[1])

    def test_no_pickle(self, tmp_path: Path) -> None:
        backend, settings = self.make()
        task = training_task(5, settings, tmp_path / "trained")
        for folder in (self.freeze(backend, task), task.folder):
            assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pth", ".bin")]

    def test_damaged_files_are_an_artifact_error(self, tmp_path: Path) -> None:
        backend, settings = self.make()
        frozen = self.freeze(backend, training_task(5, settings, tmp_path / "trained"))
        for path in sorted(path for path in frozen.rglob("*") if path.is_file()):
            content = path.read_bytes()
            for damaged in (content[: len(content) // 2], b""):
                path.write_bytes(damaged)
                with pytest.raises(ArtifactError):
                    backend.load(frozen, 5, Device())
            path.unlink()
            with pytest.raises(ArtifactError):
                backend.load(frozen, 5, Device())
            path.write_bytes(content)

    @staticmethod
    def _exact(predictor: Predictor) -> bool:
        """Whether any lane count and scoring must give the same bits."""
        return predictor.portability == "portable"
