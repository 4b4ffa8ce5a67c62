"""Which levels are compiled into a dictionary, what that takes, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackc.api.errors import CodingError, StackcError
from stackc.api.models import Predictor
from stackc.coding.level import Level
from stackc.parts.blame import blaming
from stackc.recipe.checks import codes_pieces

if TYPE_CHECKING:
    from stackc.coding.dictionary.dictionary import Dictionary
    from stackc.recipe import LevelSection, Recipe
    from stackc.stack.runtime import Runtime

COMPILE_BITS = 20
"""Levels of at most this many bits a window, whose context restarts with it, are compiled."""

BYTES_A_TEXT = 140
"""While it is found: 32. In tables: 28. While these are packed: 80 at most (`stackc.coding.dictionary.encoding.pack`)."""

BYTES_A_SYMBOL, BYTES_A_FREQUENCY = 40, 20
"""Of the alphabet, in tables; and of every lane's answer of the model, with what it takes to make it."""


def estimated_bytes(texts: int, alphabet: int, lanes: int) -> int:
    """Memory that compiling takes at most, without the model's own."""
    return BYTES_A_TEXT * texts + alphabet * (BYTES_A_SYMBOL + BYTES_A_FREQUENCY * lanes)


def section_bytes(section: LevelSection, texts: int, runtime: Runtime) -> int:
    """`estimated_bytes` of a level that is not open yet."""
    from stackc.stack.opening import lanes_for

    return estimated_bytes(texts, section.alphabet, lanes_for(section.alphabet, runtime))


def check_vocabularies(recipe: Recipe, runtime: Runtime) -> None:
    """Raise `StackcError` where a dictionary coder's vocabulary takes more than the memory allowed.

    Such a level has no other route; this is known before anything is read or trained.
    """
    for number, section in enumerate(recipe.levels, 1):
        if section.vocabulary is None or codes_pieces(section.coder):
            continue
        needed = section_bytes(section, section.vocabulary, runtime)
        if needed > runtime.memory * 1_000_000:
            raise StackcError(
                f"level.{number}.coder.vocabulary: {section.vocabulary:,} texts over an alphabet of "
                f"{section.alphabet:,} take about {needed / 1e6:,.0f} MB, and run.memory allows {runtime.memory:,} MB; "
                "raise the one or lower the other"
            )


def why_not(level: Level, memory: int) -> str | None:
    """Why the level is not compiled; None where it is: a fixed dictionary that `memory` megabytes can hold."""
    if level.vocabulary is not None:
        return None  # it has no other route
    bits = level.windowing.bits
    if bits is None:
        return "its windows have no bit budget"
    if bits > COMPILE_BITS:
        return f"a window has {bits} bits, and at most {COMPILE_BITS} are compiled"
    if not level.restarts_with_window:
        return "the model's context does not restart with every window"
    if not hasattr(level.coder, "dictionary"):
        return f"its coder ({type(level.coder).__name__}) has no compiled form"
    needed = estimated_bytes(1 << bits, level.alphabet, level.lanes)
    if needed > memory * 1_000_000:
        return (
            f"{1 << bits:,} texts over an alphabet of {level.alphabet:,} take about {needed / 1e6:,.0f} MB, and "
            f"run.memory allows {memory:,} MB"
        )
    if level.coder.needs_model and level.predictor.portability != "portable":
        return f"its model's answers are {level.predictor.portability}"
    if level.coder.needs_model and not hasattr(level.predictor, "take"):
        return "its model cannot pick lanes (`take`)"
    return None


def compiles(level: Level, memory: int = 1024) -> bool:
    """Whether the level is a fixed dictionary, small enough to write down."""
    return why_not(level, memory) is None


def compiled(level: Level, predictor: Predictor | None) -> Dictionary:
    """The level as a dictionary.

    Raises:
        CodingError: a model whose answers are not the same everywhere.
    """
    from stackc.coding.dictionary.dictionary import Dictionary

    if predictor is not None and predictor.portability != "portable":
        raise CodingError(
            f"{level.name}: a dictionary needs a portable model, and this one's answers are {predictor.portability}"
        )

    with blaming(level.coder_name, "dictionary"):
        parent, symbol = level.coder.dictionary(predictor, level.window, level.lanes)  # type: ignore[attr-defined]
    return Dictionary(parent, symbol, level.alphabet)
