"""Models that read the texts of symbols in training, in a recipe: whether those symbols can have texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from stackc.api.errors import StackcError
from stackc.coding.spec import LevelSpec
from stackc.coding.texts import why_no_texts
from stackc.recipe.sections import LevelSection

REMEDY = (
    "make each level below one of fixed texts and one token per window (lexicon, phrases, tunstall, bpe, equal-info of "
    "at most 20 bits with tokens as large and context = 'window'), or remove it"
)
"""What to do if symbols have no texts."""

Below = Callable[[], LevelSpec | None]
"""Makes the spec of a level when it is needed, since that opens its coder; None if its tables have problems."""


def asks_for_texts(settings: Any) -> str:
    """The field of training settings that asks for texts (`stackc.api.ModelBackend`); empty if none does."""
    return str(getattr(settings, "needs_texts", "") or "")


def texts_problem(name: str, below: Sequence[Below]) -> str | None:
    """Why the symbols that section `name` reads have no texts, and what to do; None if they have, or it is unknown.

    Args:
        below: all levels below, the lowest first.
    """
    if not below:
        return f"{name} reads bytes, whose texts say no more than they do; remove it: it is for models above a level"
    specs = [make() for make in below]
    whole = [spec for spec in specs if spec is not None]
    reason = why_no_texts(whole) if len(whole) == len(specs) else None
    return f"the symbols that {name} reads have no texts: {reason}; {REMEDY}" if reason else None


def windowing_problem(kind: str, name: str, below: Sequence[Below]) -> str | None:
    """Why section `name`, above the first level, cannot have a windowing that cuts texts; None if it can, or unknown.

    Args:
        kind: the windowing.
        below: see `texts_problem`.
    """
    specs = [make() for make in below]
    whole = [spec for spec in specs if spec is not None]
    reason = why_no_texts(whole) if len(whole) == len(specs) else None
    if reason is None:
        return None
    return (
        f"'{kind}' cuts the texts of symbols, and the symbols that {name} reads have none: {reason}; "
        "use 'equal-info' here"
    )


def spec_of(section: LevelSection, segment: int) -> LevelSpec | None:
    """What a section says of its level, without its parts on disk; None if it does not say enough."""
    try:
        return LevelSpec(
            name=section.name,
            alphabet=section.alphabet,
            segment=segment,
            windowing=section.make_windowing(),
            coder=section.coder.make(),
            flags=section.coder.config,
            token_bits=section.token_bits,
            vocabulary=section.vocabulary,
            lanes=1,
        )
    except StackcError:  # a package that is not installed, parts that do not fit: reported where they are used
        return None
