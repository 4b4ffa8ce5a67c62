"""Whether stacks were measured on the same text. Figures of different texts are no comparison, and it is said."""

from __future__ import annotations

import hashlib

from stackc.api.messages import amount
from stackc.report.facts import Facts

Texts = tuple[str | None, ...]
"""SHA-256 of texts; None: not known."""


def measured_apart(facts: list[Facts]) -> str:
    """A line for over the table and its plots; empty where all figures are of one text."""
    measured = [fact for fact in facts if fact.evaluation]
    return _line("Measured on", [(fact.measured,) for fact in measured])


def measured_on(facts: list[Facts]) -> str:
    """Which stack was measured on what, for under that line."""
    return "; ".join(
        f"{fact.label}: {amount(fact.evaluation['source_bytes'], 'byte')}, "
        + (f"SHA-256 {fact.measured[:8]}…" if fact.measured else "no SHA-256 known")
        for fact in facts
        if fact.evaluation
    )


def trained_apart(facts: list[Facts]) -> str:
    """The line of learning curves: of texts to train on and held-out ones."""
    trained = [fact for fact in facts if fact.curves]
    return _line("Trained on", [(fact.texts.get("train"), fact.texts.get("valid")) for fact in trained])


def cut_apart(facts: list[Facts]) -> str:
    """The line of windows, whose texts are at hand."""
    return _line("Windows of", [(hashlib.sha256(fact.data.tobytes()).hexdigest(),) for fact in facts if fact.cuttings])


def _line(what: str, texts: list[Texts]) -> str:
    if len(texts) < 2:
        return ""
    known = {text for text in texts if None not in text}
    if len(known) > 1:
        return f"{what} different texts: no comparison of stacks."
    return f"{what} texts that may differ: perhaps no comparison of stacks." if known != set(texts) else ""
