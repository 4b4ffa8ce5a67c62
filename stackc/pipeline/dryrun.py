"""`stackc build --dry-run`: stages, sizes, operations, and an estimate of time and memory. Nothing is built."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from stackc.api.errors import CorpusError
from stackc.api.messages import amount, literal, wide
from stackc.api.models import Cost
from stackc.parts.checked import GuardedReader
from stackc.pipeline.compiling import check_memory
from stackc.pipeline.plan import SPLITS, plan
from stackc.recipe import Recipe
from stackc.stack.runtime import Runtime

RATES = {"cpu": 40e9, "cuda": 150e12}
"""Operations per second that an estimate assumes: one thread of a current CPU in float32; one large GPU in bf16."""

HEADINGS = (
    "", "alphabet", "model", "parameters", "ops/symbol", "softmax", "symbols", "training ops", "time", "memory",
)  # fmt: skip


def print_plan(recipe: Recipe, device: str, console: Console | None = None) -> None:
    """Print the stages of a build of `recipe` and an estimate for `device` ("auto" is treated as CPU).

    Raises:
        StackcError: ``run.memory`` is too small for it.
    """
    console, runtime = wide(console), Runtime.of(recipe.run)
    check_memory(recipe, runtime)
    rate = RATES["cuda" if device == "cuda" else "cpu"]
    console.print(literal(f"{recipe.stack.name}: {amount(len(recipe.levels), 'level')} and the top model"))
    console.print(literal("stages: " + " ".join(stage.name for stage in plan(recipe, runtime))), soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for heading in HEADINGS:
        table.add_column(heading, justify="left" if heading in ("", "model") else "right", no_wrap=True)
    total, unknown, copies, counted = Cost(parameters=0), [], [], []
    sections = recipe.sections
    costs = [one.model.cost(one.alphabet, one.train, recipe.base) if one.model else None for one in sections]
    length = _text_length(recipe, max((one.train_symbols for one in costs if one and one.symbol_memory), default=0))
    for section, cost in zip(sections, costs, strict=True):
        if section.model is None or cost is None:
            table.add_row(literal(section.name), f"{section.alphabet:,}", "none", *["-"] * 7)
            continue
        # Above the first level this is a bound: tokens are fewer than bytes wherever a level is of use.
        cost = cost if length is None else cost.of_text(length)
        total = Cost(
            parameters=total.parameters + (cost.parameters if cost.parameters_known else 0),
            train_ops=total.train_ops + cost.train_ops,
            train_memory=max(total.train_memory, cost.train_memory),
        )
        if cost.copy_memory:
            copies.append(f"{section.name} codes with {decimal(cost.copy_memory)} of memory for each thread")
        if not cost.parameters_known:
            counted.append(section.name)
        known = cost.train_ops or cost.train_memory
        if section.train is not None and not known:
            unknown.append(section.name)
        table.add_row(
            literal(section.name), f"{section.alphabet:,}", literal(section.model.name),
            f"{cost.parameters:,}" if cost.parameters_known else "-", f"{cost.body_ops:,}", f"{cost.softmax_ops:,}",
            f"{cost.train_symbols:,}" if cost.train_symbols else "-",
            *(_training_cells(cost, rate) if known else ("-", "-", "-")),
        )  # fmt: skip
    console.print(table)
    summary = [_parameters(total, counted)]
    if total.train_ops:
        summary.append(
            f"training {total.train_ops:.3g} operations, about {duration(total.train_ops / rate)} at {rate:.2g} "
            f"operations per second ({'cuda' if rate > 1e12 else 'cpu'}), at most {decimal(total.train_memory)} of "
            "memory"
        )
    summary += copies
    if unknown:
        summary.append(f"the cost of training {', '.join(unknown)} is not known in advance")
    console.print(literal("; ".join([*summary, "the estimate does not include encoding the corpus"])), soft_wrap=True)
    for line in _missing_text(recipe):
        console.print(literal(f"missing: {line}"), soft_wrap=True)


def _parameters(total: Cost, counted: list[str]) -> str:
    """All parameters, but for those of models whose number depends on their training text."""
    if not counted:
        return f"{total.parameters:,} parameters in total"
    names = ", ".join(counted)
    others = f"{total.parameters:,} parameters without those of {names}; " if total.parameters else ""
    return f"{others}how many parameters {names} will have is not known in advance"


def _training_cells(cost: Cost, rate: float) -> tuple[str, str, str]:
    return f"{cost.train_ops:.3g}", duration(cost.train_ops / rate), decimal(cost.train_memory)


def _missing_text(recipe: Recipe) -> Iterator[str]:
    """The errors that a build would report about the corpus, as far as its first documents show."""
    reader = GuardedReader(recipe.corpus.reader.make(recipe.base), recipe.corpus.reader.who)
    for split in SPLITS:
        try:
            next(iter(reader.documents(split)), None)
        except CorpusError as error:
            yield str(error)


def _text_length(recipe: Recipe, most: int) -> int | None:
    """Bytes of the training text if they are fewer than `most`, else None: no more of it is read."""
    if not most:
        return None
    reader, length = GuardedReader(recipe.corpus.reader.make(recipe.base), recipe.corpus.reader.who), 0
    try:
        for document in reader.documents("train"):
            length += len(document)
            if length >= most:
                return None
    except CorpusError:  # `_missing_text` says so
        return None
    return length


def duration(seconds: float) -> str:
    """Seconds in a readable unit."""
    for limit, unit, name in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds / 86_400:,.0f} days"
