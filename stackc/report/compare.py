"""Compares stacks: only what differs, paired differences with intervals, mean and spread over seeds."""

from __future__ import annotations

import difflib
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import attrs

from stackc.api.errors import StackcError
from stackc.pipeline.sweeps.columns import FIGURES
from stackc.report.entrants import Entrant, entrants_of, written_field
from stackc.report.interval import Difference, difference, mean_bits, units_of
from stackc.report.pooled import check_pools, told_apart
from stackc.stack.blocks import Blocks

By = Literal["setting", "arm"]

PER_TOKEN = ("loss", "valid_loss", "bits_per_token", "bits_per_symbol", "perplexity", "nats_per_token")
"""Figures that are never compared."""

MEANS = (
    "unigram_bits_per_byte", "bytes_per_token", "parameters", "train_operations", "operations_per_byte",
    "softmax_operations_per_byte", "below_operations_per_byte", "bytes_seen",
)  # fmt: skip
"""Figures of which a comparison gives the mean over seeds."""


@attrs.frozen(kw_only=True)
class Compared:
    """One arm, or one setting: all its seeds.

    Attributes:
        name: of the arm or the setting.
        seeds: in order.
        mean: bits per byte of the top model, over seeds.
        spread: standard deviation over seeds; None with one seed.
        least, most: over seeds.
        figures: means over seeds of `MEANS`; None if a run has no such figure.
        difference: from the baseline, over the seeds that both have, else over all seeds. The baseline itself has no
            difference, nor has a row whose bits by block are missing.
        note: why there is no difference, or which seeds it is of; may be empty.
        seedless: it has several seeds, and all of them gave the same bits: as for counts, which no seed changes.
    """

    name: str
    seeds: tuple[int, ...]
    mean: float
    spread: float | None
    least: float
    most: float
    figures: dict[str, float | None]
    difference: Difference | None
    note: str
    seedless: bool


@attrs.frozen(kw_only=True)
class Section:
    """Stacks that are compared with one baseline.

    Attributes:
        point: their values of the axes, if arms are compared at equal values; may be empty.
        baseline: the name of the first of `rows`.
        rows: the baseline, then the rest in their order.
        unit: "document" or "block of 16 KiB"; None if no interval could be computed.
        units: how many.
    """

    point: str
    baseline: str
    rows: tuple[Compared, ...]
    unit: str | None
    units: int


@attrs.frozen(kw_only=True)
class Comparison:
    """What `compare` found.

    Attributes:
        by: "setting" or "arm".
        source_bytes: size of the test text.
        text_sha256: of the test text.
        differing: fields of recipes that differ, by address: their values by name of the setting ("-": no such field).
        settings: names of all settings, in order.
        sections: one, or one for each point of the axes.
        left_out: a line for arms that are not compared at some points, since they are alone there or the baseline is
            missing.
        entrants: the stacks.
    """

    by: By
    source_bytes: int
    text_sha256: str | None
    differing: dict[str, dict[str, str]]
    settings: tuple[str, ...]
    sections: tuple[Section, ...]
    left_out: tuple[str, ...]
    entrants: tuple[Entrant, ...] = attrs.field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without the entrants."""
        return attrs.asdict(self, filter=lambda field, _: field.name != "entrants")


def compare(
    *stacks: str | Path, by: By = "setting", baseline: str | None = None, figure: str = "bits_per_byte",
    recompute: bool = False,
) -> Comparison:  # fmt: skip
    """Compare stacks by bits per byte of held-out text.

    Args:
        stacks: folders of stacks, folders of sweeps, or tables of sweeps. If arms of several sweeps have one name and
            different recipes, the folders of their sweeps follow it.
        by: "setting" compares everything with one baseline; "arm" compares the arms of a sweep with each other at each
            point of its axes.
        baseline: the arm or the setting that the others are compared with; None: the first.
        figure: "bits_per_byte", the only figure that stacks with different tokens can be compared by.
        recompute: measure a stack again that kept no bits by block, which intervals need.

    Raises:
        ArtifactError: neither a stack nor a sweep.
        StackcError: stacks that were measured on different texts, which are named; a figure per token; an unknown
            baseline; fewer than two to compare, or no two at one point; a run that is there twice; one label for
            different recipes of a sweep.
    """
    entrants = told_apart(entrants_of([Path(stack) for stack in stacks]))
    _check_figure(figure, entrants)
    _check_texts(entrants)
    check_pools(entrants)
    settings = tuple(dict.fromkeys(one.setting for one in entrants))
    names = tuple(dict.fromkeys(_name(one, by) for one in entrants))
    if len(names) < 2:
        raise StackcError(f"only {names[0]!r} to compare; name another stack, or a sweep with several arms or values")
    chosen = names[0] if baseline is None else _known(baseline, names)
    points = tuple(dict.fromkeys(one.point for one in entrants)) if by == "arm" else ("",)
    made = (
        _section([one for one in entrants if by == "setting" or one.point == point], point, by, chosen, recompute)
        for point in points
    )
    sections = tuple(section for section in made if section is not None)
    if not sections:
        raise StackcError(
            f"nothing to compare: no other arm has a finished run at a point of the axes where {chosen!r} has one; "
            "compare with another baseline, or by setting"
        )
    first = entrants[0].figures["text"]
    return Comparison(
        by=by, source_bytes=int(first["bytes"]), text_sha256=first["symbols"], differing=_differing(entrants),
        settings=settings, sections=sections, entrants=tuple(entrants),
        left_out=tuple(_left_out(entrants, sections, chosen)) if by == "arm" else (),
    )  # fmt: skip


def _name(one: Entrant, by: By) -> str:
    return one.arm if by == "arm" else one.setting


def _known(baseline: str, names: Sequence[str]) -> str:
    if baseline in names:
        return baseline
    near = difflib.get_close_matches(baseline, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(map(repr, names))}"
    raise StackcError(f"no {baseline!r} to compare with; {hint}")


def _check_figure(figure: str, entrants: list[Entrant]) -> None:
    if figure in PER_TOKEN:
        sizes = {one.setting: one.figures["bytes_per_token"] for one in entrants}
        listed = ", ".join(f"{_told(name)}: {size:.3f}" for name, size in sizes.items() if size is not None)
        raise StackcError(
            f"{figure} is per token, and tokens of different stacks hold different bytes (bytes per token: {listed}); "
            "compare bits_per_byte"
        )
    if figure != "bits_per_byte":
        if figure in (*MEANS, *FIGURES):
            why = f"{figure} does not say which stack codes a text in fewer bits"
            why += ", and is shown next to what does" if figure in MEANS else ""
        else:
            near = difflib.get_close_matches(figure, ("bits_per_byte", *PER_TOKEN, *MEANS), n=1)
            why = f"no figure named {figure!r}" + (f", did you mean {near[0]}?" if near else "")
        raise StackcError(f"{why}; stacks are compared by bits_per_byte alone")


def _check_texts(entrants: list[Entrant]) -> None:
    """Refuse stacks that were measured on different texts, or not at all."""
    without = [one.setting for one in entrants if one.figures["bits_per_byte"] is None]
    if without:
        raise StackcError(f"{_listed(without)}: measured on no text; give the corpus a test text and build again")
    texts: dict[tuple[str | None, str | None], list[str]] = {}
    for one in entrants:
        texts.setdefault(one.text, []).append(one.setting)
    if len(texts) > 1:
        bytes_of = {one.text: one.figures["text"]["bytes"] for one in entrants}
        listed = "; ".join(
            f"{_listed(names)}: {bytes_of[text]:,} bytes, SHA-256 {(text[0] or 'unknown')[:8]}"
            for text, names in texts.items()
        )
        same = len({text[0] for text in texts}) == 1
        what = "the same bytes in different documents" if same else "different texts"
        raise StackcError(f"measured on {what}, so they cannot be compared: {listed}; build them with one test text")


def _section(entrants: list[Entrant], point: str, by: By, chosen: str, recompute: bool) -> Section | None:
    """The comparison of some entrants with one of them; None if the baseline is not among them, or is alone."""
    groups: dict[str, list[Entrant]] = {}
    for one in entrants:
        groups.setdefault(_name(one, by), []).append(one)
    if chosen not in groups or len(groups) < 2:
        return None
    blocks = {name: [one.blocks(recompute) for one in group] for name, group in groups.items()}
    known = next((one for found in blocks.values() for one in found if one is not None), None)
    units = None if known is None else units_of(known)
    order = [chosen, *(name for name in groups if name != chosen)]
    rows = tuple(_compared(name, groups, blocks, chosen) for name in order)
    return Section(
        point=point, baseline=chosen, rows=rows, unit=None if units is None else units.kind,
        units=0 if units is None else len(units.first),
    )  # fmt: skip


def _left_out(entrants: list[Entrant], sections: Sequence[Section], chosen: str) -> Iterator[str]:
    """A line for all points at which the same arms are not compared."""
    compared = {section.point for section in sections}
    arms: dict[str, list[str]] = {}
    for one in entrants:
        if one.point not in compared:
            arms.setdefault(one.point, []).append(one.arm)
    places: dict[tuple[str, str], list[str]] = {}
    for point, names in arms.items():
        why = "no other arm has a" if set(names) == {chosen} else f"{chosen} has no"
        place = f"at {point}" if point else "without axes"
        places.setdefault((_listed(names, len(names)), why), []).append(place)
    for (listed, why), where in places.items():
        yield f"{listed} {'; '.join(where)}: not compared, since {why} finished run there"


def _compared(
    name: str, groups: dict[str, list[Entrant]], blocks: dict[str, list[Blocks | None]], chosen: str
) -> Compared:
    group = groups[name]
    bits = [float(one.figures["bits_per_byte"]) for one in group]
    found, note = None, ""
    seedless = {side: _seedless(groups[side], blocks[side]) for side in (name, chosen)}
    if name != chosen:
        lacking = [other for other in (name, chosen) if None in blocks[other]]
        if lacking:
            note = f"{_listed(lacking)} kept no bits by block: --recompute measures them again"
        else:
            paired, note = _paired(groups[name], groups[chosen], chosen)
            found = _difference(*(
                [(one, kept) for one, kept in zip(groups[side], blocks[side], strict=True) if one.seed in paired]
                for side in (name, chosen)
            ))  # fmt: skip
            note = "" if all(seedless.values()) else note
    return Compared(
        name=name, seeds=tuple(one.seed for one in group), mean=statistics.fmean(bits),
        spread=statistics.stdev(bits) if len(bits) > 1 else None, least=min(bits), most=max(bits),
        figures={figure: _mean([one.figures.get(figure) for one in group]) for figure in MEANS},
        difference=found, note=note, seedless=seedless[name],
    )  # fmt: skip


def _seedless(group: list[Entrant], kept: list[Blocks | None]) -> bool:
    """Whether there are several seeds and all of them gave the same bits, in every block that was kept."""
    totals = {one.figures["bits_per_byte"] for one in group}
    bits = {found.bits[one.top].tobytes() for one, found in zip(group, kept, strict=True) if found is not None}
    return len(group) > 1 and len(totals) == 1 and len(bits) <= 1


def _paired(own: list[Entrant], base: list[Entrant], chosen: str) -> tuple[set[int], str]:
    """The seeds that a difference is of, and a note if these are not all.

    Differences between seeds are as large as those between good arms, so means over different seeds differ by chance.
    """
    seeds, others = {one.seed for one in own}, {one.seed for one in base}
    shared = seeds & others
    if seeds == others:
        return seeds, ""
    if not shared:
        return seeds | others, f"no seed in common with {chosen}: the difference is of the seeds too"
    return shared, f"the difference is of {_seeds(shared)} alone, which {chosen} has too"


def _difference(own: list[tuple[Entrant, Blocks | None]], base: list[tuple[Entrant, Blocks | None]]) -> Difference:
    means = []
    units = None
    for group in (own, base):
        whole = [(who, one) for who, one in group if one is not None]
        units = units or units_of(whole[0][1])
        means.append(mean_bits([units.sums(one.bits[who.top]) for who, one in whole]))
    assert units is not None
    return difference(means[0], means[1], units.source_bytes)


def _seeds(seeds: set[int]) -> str:
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))}"


def _mean(values: list[Any]) -> float | None:
    return None if None in values else statistics.fmean(map(float, values))


def _differing(entrants: list[Entrant]) -> dict[str, dict[str, str]]:
    """Fields of recipes that are not the same in all settings; within a setting they are (`check_pools`)."""
    first = {one.setting: one.fields for one in reversed(entrants) if one.fields is not None}
    fields = {one.setting: first[one.setting] for one in entrants if one.setting in first}
    return {
        key: {setting: written_field(own, key) for setting, own in fields.items()}
        for key in dict.fromkeys(_keys(fields.values()))
        if len({written_field(own, key) for own in fields.values()}) > 1
    }


def _keys(fields: Any) -> Iterator[str]:
    for own in fields:
        yield from own


def _told(name: str) -> str:
    """A name in a list of names: quoted if it looks like several."""
    return repr(name) if any(mark in name for mark in ",;:") else name


def _listed(names: list[str], most: int = 4) -> str:
    unique = list(dict.fromkeys(map(_told, names)))
    return ", ".join(unique[:most]) + (f" and {len(unique) - most} more" if len(unique) > most else "")
