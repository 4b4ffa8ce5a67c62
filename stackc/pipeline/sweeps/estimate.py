"""`stackc sweep --dry-run`: the runs, the stages that they share, operations, time and memory. Nothing is run."""

from __future__ import annotations

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from stackc.api.messages import amount, literal, wide
from stackc.pipeline.dryrun import RATES, duration
from stackc.pipeline.sweeps.expand import Sweep
from stackc.pipeline.sweeps.folder import SweepFolder, is_sweep
from stackc.pipeline.sweeps.predict import Predicted, hindrance, predicted
from stackc.pipeline.sweeps.sweep import is_finished

HEADINGS = ("run", "arm and values", "seed", "", "stages", "shared", "parameters", "training ops", "new", "memory")


def print_estimate(made: Sweep, folder: SweepFolder, jobs: int, device: str, console: Console | None = None) -> None:
    """Print what a sweep would run.

    Args:
        folder: where it would run; finished runs in it are not counted.
        jobs: how many runs at a time.
        device: "auto" is treated as CPU.
    """
    console = wide(console)
    ended = folder.ended() if is_sweep(folder.folder) else {}
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        left = heading in HEADINGS[:2] or not heading
        table.add_column(heading, justify="left" if left else "right", no_wrap=heading != HEADINGS[1])
    have: set[str] = set()
    finished = operations = memory = count = shared = 0
    counted = False
    reasons: dict[str, str] = {}
    for run in sorted(made.runs, key=lambda run: not is_finished(run, folder, ended)):
        done, stages = is_finished(run, folder, ended), predicted(run)
        new = [] if done else [stage for stage in stages if stage.identity not in have]
        state = "finished" if done else "" if stages else "cannot run"
        if not stages and not done:
            reasons.setdefault(hindrance(run) or "", run.label)
        own = _operations(new)
        most = max((stage.cost.train_memory for stage in stages if stage.cost is not None), default=0)
        table.add_row(
            run.id, literal(run.label), str(run.seed), state, str(len(stages)),
            str(len(stages) - len(new)), _parameters(stages), _short(_operations(stages)), _short(own),
            decimal(most) if most else "-",
        )  # fmt: skip
        counted |= any(stage.cost is not None and not stage.cost.parameters_known for stage in stages)
        have |= {stage.identity for stage in stages}
        finished += done
        operations += own
        memory = max(memory, 0 if done else most)
        count += len(stages)
        shared += len(stages) - len(new)
    console.print(literal(f"{made.name}: {amount(len(made.runs), 'run')}, {finished} finished, in {folder.folder}"))
    console.print(table)
    for reason, label in reasons.items():
        console.print(literal(f"{label}: cannot run: {reason}"), soft_wrap=True)
    rate = RATES["cuda" if device == "cuda" else "cpu"]
    together = min(jobs, max(1, len(made.runs) - finished))
    summary = [
        f"{amount(count, 'stage')}, of which {shared} are finished or shared with an earlier run",
        f"training {operations:.3g} operations, about {duration(operations / rate / together)} at {rate:.2g} "
        f"operations per second and {amount(jobs, 'job')}, at most {decimal(memory * together)} of memory",
        "the estimate does not include encoding and measuring",
    ]
    if counted:
        summary.insert(1, "parameters given as - are not known in advance")
    console.print(literal("; ".join(summary)), soft_wrap=True)


def _operations(stages: list[Predicted]) -> int:
    return sum(stage.cost.train_ops for stage in stages if stage.cost is not None)


def _parameters(stages: list[Predicted]) -> str:
    """Of all models; a dash if the number of any depends on its training text."""
    costs = [stage.cost for stage in stages if stage.cost is not None]
    known = all(cost.parameters_known for cost in costs)
    return f"{sum(cost.parameters for cost in costs):,}" if known else "-"


def _short(value: int) -> str:
    return f"{value:.3g}" if value else "-"
