"""The contract of model backends and their predictors, as tests: subclass `ModelContract` in a test module."""

from __future__ import annotations

import contextlib
import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from stackc.api.arrays import IDLE, RESTART, Frequencies
from stackc.api.errors import ArtifactError
from stackc.api.frequencies import check_frequencies
from stackc.api.models import Cost, Device, ModelBackend, Predictor, Text
from stackc.parts.checked import lanes_of
from stackc.parts.rules import config_problems
from stackc.testing.compiled import CompiledStepTests
from stackc.testing.sharing import Job, check_shared
from stackc.testing.training import SEGMENT, Killed, Reports, digest, every_five, sample_text, step_rows, training_task

STORED_LANES = "a predictor that is not portable is stepped in one stored lane count"
ONE_LANE = "its states have too few lanes"

MANY_LANES = 256
"""Lanes that are enough to see that a state has as many as were promised."""


class ModelContract(CompiledStepTests):
    """What every model backend promises.

    Subclass it in a test module, with a name that starts with Test::

        class TestCounts(ModelContract):
            def config(self):
                return CountsConfig(order=2)

            def make(self):
                return CountsBackend(self.config()), CountsTraining(steps=3)

    Keep the model tiny and its training short: it is trained about ten times.
    """

    alphabets: ClassVar[tuple[int, ...]] = (2, 5, 256)
    """Alphabet sizes to try."""

    _trained: ClassVar[dict[tuple[type, int], Path]] = {}

    def config(self) -> Any:
        """The configuration of the model under test."""
        raise NotImplementedError

    def make(self) -> tuple[ModelBackend, Any]:
        """A backend of that configuration, and its training settings (None if it has none)."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "alphabet" in metafunc.fixturenames:
            metafunc.parametrize("alphabet", self.alphabets)

    @pytest.fixture
    def frozen(self, alphabet: int, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A copy of the frozen model of this alphabet, trained once. The trained folder is next to it."""
        return self._copy(alphabet, tmp_path, tmp_path_factory)

    @pytest.fixture
    def frozen_five(self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """The same over five symbols, for tests that need no more."""
        return self._copy(5, tmp_path, tmp_path_factory)

    @pytest.fixture
    def predictor(self, frozen: Path, alphabet: int) -> Predictor:
        return self.loaded(frozen, alphabet)

    def _copy(self, alphabet: int, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
        key = (type(self), alphabet)
        if key not in self._trained:
            self._trained[key] = tmp_path_factory.mktemp("model")
            self.freeze(self._trained[key] / "model", alphabet)
        shutil.copytree(self._trained[key], tmp_path, dirs_exist_ok=True)
        return tmp_path / "model-frozen"

    def loaded(self, frozen: Path, alphabet: int, device: Device | None = None) -> Predictor:
        """The predictor that its own backend loads."""
        found: Any = self.make()[0].load(frozen, alphabet, device or Device())
        assert hasattr(found, "step"), "a model that codes bit by bit has its own suite, BitwiseContract"
        predictor: Predictor = found
        return predictor

    def freeze(self, folder: Path, alphabet: int = 5, **changes: Any) -> Path:
        """Train in `folder` with its own backend and freeze into its neighbour, which is returned."""
        backend, settings = self.make()
        backend.train(training_task(alphabet, settings, folder, **{"cut": every_five, **changes}))
        frozen = folder.with_name(folder.name + "-frozen")
        frozen.mkdir(exist_ok=True)
        backend.freeze(folder, frozen, alphabet)
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
        most = getattr(predictor, "max_lanes", None)
        assert most is None or (type(most) is int and most >= 1), "max_lanes is a whole number, 1 or more"

    def test_it_has_the_parameters_that_its_cost_says(self, predictor: Predictor, alphabet: int) -> None:
        cost = self.config().cost(alphabet, self.make()[1])
        own = getattr(predictor, "parameters", None)
        if cost.parameters_known:
            assert own is None or own == cost.parameters, "say parameters_known=False if the number depends on the text"
        else:
            assert own is not None, "cost does not know the parameters, so the predictor has to"
            assert own >= cost.parameters, "cost says the fewest parameters that there can be"

    def test_as_many_lanes_as_it_says(self, predictor: Predictor, alphabet: int) -> None:
        """All of them at once, if there are not very many."""
        most = getattr(predictor, "max_lanes", None)
        if most is None:
            pytest.skip("any number of lanes")
        lanes = min(most, MANY_LANES)
        state = predictor.start(lanes)
        rows = predictor.step(state, np.full(lanes, RESTART))
        assert rows.shape == (lanes, alphabet)
        check_frequencies(rows, alphabet, "step")

    def test_rows_are_frequencies(self, predictor: Predictor, alphabet: int) -> None:
        lanes = lanes_of(predictor, 3)
        rng, state = np.random.default_rng(1), predictor.start(lanes)
        check_frequencies(predictor.step(state, np.full(lanes, RESTART)), alphabet, "step")
        for _ in range(SEGMENT):
            rows = predictor.step(state, rng.integers(0, alphabet, lanes))
            assert rows.shape == (lanes, alphabet)
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
        if lanes_of(predictor, 2) < 2:
            pytest.skip(ONE_LANE)
        symbols = sample_text(alphabet).symbols[:12].tolist()
        state, expected = predictor.start(2), step_rows(predictor, np.array(symbols))
        predictor.step(state, np.full(2, RESTART))
        if not self._exact(predictor):
            pytest.skip(STORED_LANES)
        for place, symbol in enumerate(symbols[:-1]):
            predictor.step(state, np.array([IDLE, (symbol + 1) % alphabet]))
            rows = predictor.step(state, np.array([symbol, IDLE]))
            np.testing.assert_array_equal(rows[0], expected[place + 1])

    def test_lanes_do_not_touch_each_other(self, predictor: Predictor, alphabet: int) -> None:
        if not self._exact(predictor):
            pytest.skip(STORED_LANES)
        rng, lanes, length = np.random.default_rng(2), lanes_of(predictor, 5), 30
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

    @pytest.mark.parametrize("share", [None, 0.2])
    def test_pick_is_what_score_gives_the_symbol(
        self, predictor: Predictor, alphabet: int, share: float | None
    ) -> None:
        if not hasattr(predictor, "pick"):
            pytest.skip("not picked")
        symbols = sample_text(alphabet, seed=6).symbols[:SEGMENT]
        restarts = None if share is None else np.random.default_rng(7).random(SEGMENT) < share
        picked = np.concatenate([block.copy() for block in predictor.pick(symbols, restarts)])
        stepped = step_rows(predictor, symbols, restarts)[np.arange(SEGMENT), symbols]
        if predictor.portability == "portable":
            np.testing.assert_array_equal(picked, stepped)
        else:
            np.testing.assert_allclose(picked, stepped, rtol=1e-3, atol=2)

    def test_take_copies_lanes(self, predictor: Predictor, alphabet: int) -> None:
        if not hasattr(predictor, "take") or not self._exact(predictor):
            pytest.skip("lanes are not taken")
        if lanes_of(predictor, 3) < 3:
            pytest.skip(ONE_LANE)
        first = sample_text(alphabet).symbols[:6].astype(np.int64)
        state = predictor.start(2)
        predictor.step(state, np.array([RESTART, RESTART]))
        predictor.step(state, np.array([first[0], (first[0] + 1) % alphabet]))
        taken = predictor.take(state, np.array([0, 1, 0]))
        history = np.array([first[0], first[1]])
        rows = predictor.step(taken, np.full(3, first[1])).copy()
        np.testing.assert_array_equal(rows[0], step_rows(predictor, np.append(history, 0))[2])
        np.testing.assert_array_equal(rows[0], rows[2])
        # the state that lanes were taken from continues unchanged
        np.testing.assert_array_equal(predictor.step(state, np.full(2, first[1])), rows[:2])

    # -- callers that share it

    def test_it_may_be_shared_by_threads(self, frozen_five: Path) -> None:
        check_shared(lambda: self.sharing_jobs(self.loaded(frozen_five, 5)))

    def sharing_jobs(self, predictor: Predictor) -> list[Job]:
        """Calls on their own states, in few lanes and in more, and of the optional methods."""
        exact = self._exact(predictor)
        counts = [lanes_of(predictor, lanes) for lanes in ((1, 2, 7, 6) if exact else (1, 1))]
        jobs: list[Job] = [functools.partial(_stepping, predictor, lanes, i) for i, lanes in enumerate(counts)]
        if exact and hasattr(predictor, "take"):
            jobs += [functools.partial(_taking, predictor, lanes_of(predictor, lanes), lanes) for lanes in (1, 6)]
        for number, name in enumerate(("score", "score", "pick") if exact else ()):
            if hasattr(predictor, name):
                jobs.append(functools.partial(_scoring, predictor, name, number))
        return jobs

    # -- training

    def test_training_repeats_and_so_does_freezing(self, frozen_five: Path, tmp_path: Path) -> None:
        assert digest(self.freeze(tmp_path / "again")) == digest(frozen_five)
        assert digest(tmp_path / "again") == digest(tmp_path / "model")

    def test_training_again_changes_nothing(self, frozen_five: Path, tmp_path: Path) -> None:
        before = digest(frozen_five.parent)
        self.freeze(tmp_path / "model")
        assert digest(frozen_five.parent) == before

    @pytest.mark.parametrize("share", [0.5, 1.0])
    def test_killed_training_goes_on_to_the_same_bits(self, frozen_five: Path, tmp_path: Path, share: float) -> None:
        backend, settings = self.make()
        reports = Reports()
        backend.train(training_task(5, settings, tmp_path / "counted", cut=every_five, progress=reports))
        killer = Reports(kill_at=max(1, round(share * reports.count)))
        with contextlib.suppress(Killed):
            self.make()[0].train(training_task(5, settings, tmp_path / "killed", cut=every_five, progress=killer))
        assert digest(self.freeze(tmp_path / "killed")) == digest(frozen_five)
        assert digest(tmp_path / "killed") == digest(tmp_path / "model")

    def test_training_without_held_out_text_or_windows(self, tmp_path: Path) -> None:
        nothing = Text(symbols=np.zeros(0, dtype=np.uint8), offsets=np.zeros(1, dtype=np.int64), source_bytes=0)
        frozen = self.freeze(tmp_path / "model", valid=nothing, cut=None)
        assert self.make()[0].load(frozen, 5, Device()).alphabet == 5

    # -- what is written

    def test_loaded_elsewhere_it_answers_the_same(self, frozen_five: Path, tmp_path: Path) -> None:
        symbols = sample_text(5).symbols[:30]
        rows = [step_rows(self.loaded(frozen_five, 5), symbols)]
        moved = frozen_five.rename(tmp_path / "moved")
        rows.append(step_rows(self.loaded(moved, 5, Device(threads=2)), symbols))
        np.testing.assert_array_equal(rows[0], rows[1])

    def test_no_pickle(self, frozen_five: Path) -> None:
        pickled = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".npy")
        assert not [path for path in frozen_five.parent.rglob("*") if path.suffix in pickled]

    def test_damaged_files_are_an_artifact_error(self, frozen_five: Path) -> None:
        backend, _ = self.make()
        for path in sorted(path for path in frozen_five.rglob("*") if path.is_file()):
            content = path.read_bytes()
            for damaged in (content[: len(content) // 2], b"", None):
                path.unlink()
                if damaged is not None:
                    path.write_bytes(damaged)
                with pytest.raises(ArtifactError):
                    backend.load(frozen_five, 5, Device())
                path.write_bytes(content)

    @staticmethod
    def _exact(predictor: Predictor) -> bool:
        """Whether any lane count and scoring must give the same bits."""
        return predictor.portability == "portable"


def _stepping(predictor: Predictor, lanes: int, seed: int) -> list[Frequencies]:
    """The rows of random texts, some lanes restarting and some idle on the way."""
    rng, state = np.random.default_rng([8, seed]), predictor.start(lanes)
    rows = predictor.step(state, np.full(lanes, RESTART))
    found = [rows.copy()]
    for _ in range(5):
        symbols = np.where(rng.random(lanes) < 0.2, RESTART, rng.integers(0, predictor.alphabet, lanes))
        symbols[1:][rng.random(lanes - 1) < 0.2] = IDLE
        rows = predictor.step(state, symbols)
        found.append(rows[symbols != IDLE])
    return found


def _taking(predictor: Any, lanes: int, seed: int) -> list[Frequencies]:
    """The rows of a state and of one that was taken from it."""
    state, found = predictor.start(lanes), []
    predictor.step(state, np.full(lanes, RESTART))
    for symbol in range(seed, seed + 4):
        taken = predictor.take(state, np.arange(lanes)[::-1])
        rows = predictor.step(state, np.arange(symbol, symbol + lanes) % predictor.alphabet)
        others = predictor.step(taken, np.arange(symbol, symbol + lanes)[::-1] % predictor.alphabet)
        found += [rows.copy(), others.copy()]
    return found


def _scoring(predictor: Any, name: str, seed: int) -> Frequencies:
    """The result of `score` or `pick` for a text in which some places restart."""
    symbols = sample_text(predictor.alphabet, seed=seed).symbols[:SEGMENT]
    restarts = np.random.default_rng([9, seed]).random(SEGMENT) < 0.1
    found = []
    for block in getattr(predictor, name)(symbols, restarts):
        kept = block.copy()
        found.append(kept)
    return np.concatenate(found)
