"""Runs a sweep: what is done is skipped, what was killed is resumed, what fails is listed and stops nothing else."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console

from stackc.api.errors import StackcError
from stackc.api.messages import amount, literal
from stackc.pipeline.display import Show
from stackc.pipeline.engines.choose import ENGINES
from stackc.pipeline.fingerprints import NAME, Remembered
from stackc.pipeline.sweeps.cluster import Cluster
from stackc.pipeline.sweeps.expand import Run, Sweep, load_sweep
from stackc.pipeline.sweeps.folder import SweepFolder
from stackc.pipeline.sweeps.pool import ENDS, Pool
from stackc.pipeline.sweeps.predict import predicted
from stackc.stack.manifest import MANIFEST
from stackc.stack.runtime import Runtime

MAX_JOBS = 1024

REST_SECONDS = 2.0
"""Seconds before a run that another process holds is tried again."""

POLL_SECONDS = 0.5

LONG_SECONDS = 60.0
"""After a run of this many seconds its worker is replaced: memory that it still holds would count as the next run's."""


@attrs.frozen(kw_only=True)
class SweepResult:
    """What a sweep made.

    Attributes:
        folder: with the table and the stacks, `runs/<run>`.
        rows: the table: one row per run, in the order of the file; plain data, see docs/how-to/sweep.md.
    """

    folder: Path
    rows: tuple[dict[str, Any], ...]

    @property
    def failed(self) -> tuple[dict[str, Any], ...]:
        """The rows of runs that failed; ``reason`` says why."""
        return tuple(row for row in self.rows if row["status"] != "done")


def sweep(
    file: str | Path,
    out: str | Path | None = None,
    *,
    jobs: int | None = None,
    device: str | None = None,
    engine: str = "local",
    show: Show = "quiet",
    recheck: bool = False,
) -> SweepResult:
    """Build every stack that a sweep's file describes, and write one table of their figures.

    Finished runs are skipped, killed ones are resumed, and stages that runs have in common are run once. Several
    processes may run one sweep in one folder.

    Args:
        file: the sweep's TOML file (docs/how-to/sweep.md).
        out: its folder; None: ``runs/<sweep name>``.
        jobs: how many runs at a time, each in its own process; None: 1, or one per processor of a Ray cluster.
        engine: where runs are run: "local", or "ray" for tasks of a Ray cluster whose machines share the folder.
        device: "auto", "cpu" or "cuda"; None: the setting of each recipe. Speed only.
        show: "quiet" prints nothing; otherwise lines on standard error.
        recheck: read the corpora even if none of their files has changed since they were read last.

    Raises:
        RecipeError: everything wrong with the file, before anything runs.
        ArtifactError: the folder cannot be written, or holds something else.
        StackcError: invalid `jobs`.
    """
    if jobs is not None and not 1 <= jobs <= MAX_JOBS:
        raise StackcError(f"jobs: {jobs} is not in 1 .. {MAX_JOBS}")
    if engine not in ENGINES:
        raise StackcError(f"no engine named {engine!r}; the engines are {' and '.join(ENGINES)}")
    made = load_sweep(file, remembered_near(out, recheck))
    folder = sweep_folder(made, out)
    folder.describe(made)
    running = _Running(made, folder, device, show)
    with running.workers(jobs, engine) as workers:
        running.to_the_end(workers)
    folder.derive()
    return SweepResult(folder=folder.folder, rows=tuple(folder.rows()))


def sweep_folder(made: Sweep, out: str | Path | None) -> SweepFolder:
    """The folder of a sweep, absolute."""
    return SweepFolder((Path(out) if out is not None else Path("runs") / made.name).absolute())


def remembered_near(out: str | Path | None, recheck: bool = False) -> Remembered:
    """Fingerprints that sweeps and builds next to a sweep's folder remember."""
    return Remembered((Path("runs") if out is None else Path(out).absolute().parent) / NAME, recheck)


def is_finished(run: Run, folder: SweepFolder, ended: dict[str, dict[str, Any]]) -> bool:
    """Whether a run need not be run again: it has a row, and its stack exists."""
    row = ended.get(run.id)
    return row is not None and row["status"] == "done" and (folder.run_folder(run.id) / MANIFEST).is_file()


class _Running:
    """A sweep that runs."""

    def __init__(self, made: Sweep, folder: SweepFolder, device: str | None, show: Show) -> None:
        self.made, self.folder, self.device = made, folder, device
        self.console = Console(stderr=True, highlight=False, quiet=show == "quiet")
        self.numbers = {run.id: number for number, run in enumerate(made.runs, 1)}
        self.numbered = False  # whether lines of runs are mixed
        self.seeds = len({run.seed for run in made.runs}) > 1
        self.rest: dict[str, float] = {}  # until when a run that another process holds is left alone
        self.active: dict[int, Run] = {}
        self.begun: dict[str, float] = {}
        self.trainings: dict[str, dict[str, str]] = {}  # identities of unfinished training stages, by their names

    def workers(self, jobs: int | None, engine: str) -> Pool | Cluster:
        """The workers that build the runs."""
        if engine == "ray":
            gpu = self.device != "cpu" and Runtime(device=self.device or "auto").resolve().name == "cuda"
            return Cluster(jobs, gpu, self.say)
        return Pool(min(jobs or 1, len(self.made.runs)))

    def to_the_end(self, workers: Pool | Cluster) -> None:
        """Every run that is not finished."""
        ended = self.folder.ended()
        pending = [run for run in self.made.runs if not is_finished(run, self.folder, ended)]
        done, together = len(self.made.runs) - len(pending), len(workers.idle)
        self.say(
            f"{self.made.name}: {amount(len(self.made.runs), 'run')}, {done} finished, {together} at a time, in "
            f"{self.folder.folder}"
        )
        self.numbered = together > 1
        while pending or self.active:
            while workers.idle and (run := self.choose(pending)) is not None:
                pending.remove(run)
                self.start(workers, run)
            answer = workers.answer(POLL_SECONDS)
            if answer is None:
                continue
            back = self.heard(answer.worker, answer.content)
            pending += [back] if back is not None else []
            if answer.content["event"] in ENDS and answer.seconds >= LONG_SECONDS:
                workers.retire(answer.worker)

    def choose(self, pending: list[Run]) -> Run | None:
        """The first run that need not wait: neither for another process nor for a training stage of an active run."""
        now = time.monotonic()
        busy = {identity for run in self.active.values() for identity in self.trainings[run.id].values()}
        for run in list(pending):
            if self.rest.get(run.id, 0.0) > now:
                continue
            if run.id in self.rest and is_finished(run, self.folder, self.folder.ended()):
                self.say(f"{self.name(run)}: finished by another process")
                pending.remove(run)
                continue
            if run.id not in self.trainings:
                self.trainings[run.id] = _trainings(run)
            if not self.active or not busy & set(self.trainings[run.id].values()):
                return run
        return None

    def start(self, workers: Pool | Cluster, run: Run) -> None:
        self.begun[run.id] = time.monotonic()
        job = {
            "id": run.id,
            "recipe": run.recipe.to_dict(),
            "base": str(run.recipe.base),
            "folder": str(self.folder.run_folder(run.id)),
            "stages": str(self.folder.stages),
            "device": self.device,
            "fingerprints": str(self.folder.folder.parent / NAME),
        }
        self.active[workers.start(job)] = run
        if run.id not in self.rest:
            self.say(f"{self.name(run)}: started, run {run.id}")

    def heard(self, worker: int, content: dict[str, Any]) -> Run | None:
        """Act on an answer; returns the run if it has to be tried again."""
        run = self.active[worker]
        if content["event"] == "line":
            which = f"[{self.numbers[run.id]}] " if self.numbered else ""
            self.say(f"  {which}{content['text'].strip() if which else content['text']}")
        elif content["event"] == "stage":
            self.trainings[run.id].pop(content["name"], None)
        if content["event"] not in ENDS:
            return None
        del self.active[worker]
        if content["event"] == "busy":
            if run.id not in self.rest:
                self.say(f"{self.name(run)}: another process runs it")
            self.rest[run.id] = time.monotonic() + REST_SECONDS
            return run
        if content["event"] == "done":
            self.folder.add(run, {"status": "done", "reason": "", "figures": content["figures"]})
            bits = content["figures"]["bits_per_byte"]
            told = "no held-out text" if bits is None else f"{bits:.4f} bits per byte"
        else:
            self.folder.add(run, {"status": "failed", "reason": content["reason"]})
            told = f"failed: {content['reason']}"
        self.say(f"{self.name(run)}: {told}, in {time.monotonic() - self.begun[run.id]:.1f} s")
        return None

    def name(self, run: Run) -> str:
        seed = f", seed {run.seed}" if self.seeds else ""
        return f"[{self.numbers[run.id]}/{len(self.made.runs)}] {run.label}{seed}"

    def say(self, text: str) -> None:
        self.console.print(literal(text), soft_wrap=True)


def _trainings(run: Run) -> dict[str, str]:
    """Identities of a run's training stages, by their names."""
    return {stage.name: stage.identity for stage in predicted(run) if stage.cost is not None}
