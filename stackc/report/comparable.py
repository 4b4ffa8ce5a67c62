"""Were stacks measured on the same text? If not, a warning says that their figures cannot be compared."""

from __future__ import annotations

import hashlib

from stackc.api.messages import amount
from stackc.report.facts import Facts

Texts = tuple[str | None, ...]
"""SHA-256 of texts; None: unknown."""


def measured_apart(facts: list[Facts]) -> str:
    """A warning for the table and its plots; empty if all figures are of one text."""
    measured = [fact for fact in facts if fact.evaluation]
    return _line("Measured on", [(fact.measured,) for fact in measured])


def measured_on(facts: list[Facts]) -> str:
    """The text that each stack was measured on, as details of that warning."""
    return "; ".join(
        f"{fact.label}: {amount(fact.evaluation['source_bytes'], 'byte')}, "
        + (f"SHA-256 {fact.measured[:8]}…" if fact.measured else "SHA-256 unknown")
        for fact in facts
        if fact.evaluation
    )


def trained_apart(facts: list[Facts]) -> str:
    """A warning for learning curves, on training texts and held-out texts."""
    trained = [fact for fact in facts if fact.curves]
    return _line("Trained on", [(fact.texts.get("train"), fact.texts.get("valid")) for fact in trained])


def cut_apart(facts: list[Facts]) -> str:
    """A warning for windows, whose texts are part of the facts."""
    return _line("Windows of", [(hashlib.sha256(fact.data.tobytes()).hexdigest(),) for fact in facts if fact.cuttings])


def _line(what: str, texts: list[Texts]) -> str:
    if len(texts) < 2:
        return ""
    known = {text for text in texts if None not in text}
    if len(known) > 1:
        return f"{what} different texts: stacks cannot be compared."
    return f"{what} texts that may differ: perhaps stacks cannot be compared." if known != set(texts) else ""
