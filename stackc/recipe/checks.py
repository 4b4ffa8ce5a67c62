"""Checks across the tables of a level: parts that cannot work together, and settings without effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs

from stackc.api.errors import StackcError
from stackc.api.limits import MAX_WINDOW_SYMBOLS
from stackc.api.windowings import Windowing
from stackc.parts.blame import blaming, said
from stackc.parts.part import Part
from stackc.parts.registry import Registry
from stackc.recipe.sections import Chosen
from stackc.recipe.structure import Problems, join
from stackc.recipe.tables import MAX_TOKEN_BITS


def check_model_needed(coder: Part, path: str, data: Mapping[str, Any], problems: Problems) -> bool:
    """Report a missing model, or a model of a coder that needs none. Returns whether the level has a model."""
    given, needed, name = bool(data.get("model")), coder.config.needs_model, f"coder '{coder.name}'"
    if needed and not given:
        problems.add(join(path, "model"), f"missing; {name} codes under a model: add [level.model] backend = ...")
    if given and not needed:
        problems.add(join(path, "model"), f"{name} needs no model; remove it, or use another coder")
    if data.get("train") and not given:
        problems.add(join(path, "train"), "there is no model to train; remove it")
    windowing = data.get("windowing")
    for field in ("context", "context_windows"):
        if isinstance(windowing, Mapping) and field in windowing and not needed:
            here = join(path, f"windowing.{field}")
            problems.add(here, f"has no effect: {name} needs no model that has a context; remove it")
    return given and needed


def make_windowing(chosen: Chosen, path: str, problems: Problems) -> Windowing | None:
    """The windowing's data, or None with its problem reported."""
    try:
        made = chosen.make()
    except StackcError as error:
        # A problem with a value is reported at its path, which already shows which part it belongs to.
        problems.add(path, said(error.__cause__) if isinstance(error.__cause__, ValueError) else str(error))
        return None
    assert isinstance(made, Windowing)
    return made


def check_windows(
    windowing: Windowing, name: str, alphabet: int, token_bits: int, segment: int, longest: int = MAX_WINDOW_SYMBOLS
) -> Iterator[tuple[str, str]]:
    """Sizes that do not fit each other: (path below the level, problem). `longest`: the most symbols in a window."""
    width, symbols = windowing.bits, windowing.symbols
    if width is not None and width < alphabet.bit_length():  # 2^width - 1 < alphabet
        text = f"{width} is too small for the {alphabet} symbols read here and an end"
        yield "windowing.bits", f"{text}; the least is {alphabet.bit_length()}"
    if width is not None and width % token_bits:
        fitting = ", ".join(str(bits) for bits in range(1, MAX_TOKEN_BITS + 1) if width % bits == 0)
        text = f"{token_bits} does not divide the {width} bits of a window, so tokens would straddle windows"
        yield "tokens.bits", f"{text}; choose from {fitting}"
    if symbols is None and segment > longest:
        text = f"'{name}' makes one window of a segment, and corpus.segment = {segment}"
        yield "windowing", f"{text} is above {longest} symbols"
    if symbols is not None and not 1 <= symbols <= MAX_WINDOW_SYMBOLS:
        yield "windowing.symbols", f"windows of {symbols} symbols; allowed: 1 to {MAX_WINDOW_SYMBOLS}"


def vocabulary(coder: Chosen | None) -> int | None:
    """V of a dictionary coder or piece coder (`stackc.api.coders`); None for any other."""
    size = getattr(coder.config, "vocabulary", None) if coder else None
    return size if isinstance(size, int) else None


def codes_pieces(coder: Chosen) -> bool:
    """Whether it is a piece coder (`stackc.api.PieceCoder`)."""
    return bool(getattr(coder.config, "pieces", False))


def longest_window(coder: Chosen | None, segment: int) -> int:
    """The most symbols in a window. A coder of whole windows has no loop over symbols here that a limit would bound."""
    return segment if getattr(coder and coder.config, "whole", False) else MAX_WINDOW_SYMBOLS


def check_pair(chosen: Chosen, windowing: Windowing, name: str, registry: Registry) -> str | None:
    """Why the coder cannot work with the windowing, and which parts can; None if it can."""
    coder = chosen.part
    if vocabulary(chosen) is not None and not codes_pieces(chosen) and not _ends_anywhere(windowing):
        fitting = ", ".join(part.name for part in registry.parts("windowing") if _made(part, _ends_anywhere))
        return (
            f"coder '{coder.name}' ends a window with the longest text that its dictionary holds, and restarts the "
            f"context there; with it work: {fitting or 'none'}"
        )
    if windowing.bits is None or coder.config.budget:
        return None
    coders = ", ".join(part.name for part in registry.parts("coder") if part.config.budget)
    windowings = ", ".join(
        part.name for part in registry.parts("windowing") if _made(part, lambda windowing: windowing.bits is None)
    )
    return (
        f"coder '{coder.name}' cannot keep to the {windowing.bits} bits that windowing '{name}' gives a window; "
        f"with '{name}' work: {coders or 'none'}; with '{coder.name}' work: {windowings or 'none'}"
    )


def _ends_anywhere(windowing: Windowing) -> bool:
    """Whether a window may end with any symbol, and the context with it."""
    anywhere = windowing.bits is None and windowing.symbols is not None
    return anywhere and windowing.restart == "window" and windowing.context_windows == 1


def _made(part: Part, fits: Callable[[Windowing], bool]) -> bool:
    """Whether a part's windowing fits; only for a hint, so sizes without a default get an arbitrary value."""
    required = {field.name: 16 for field in attrs.fields(part.config) if field.default is attrs.NOTHING}
    try:
        windowing = part.factory(part.config(**required))
    except Exception:  # a windowing that cannot be tried is not listed
        return False
    return isinstance(windowing, Windowing) and fits(windowing)


def own_problems(chosen: Chosen, path: str, alphabet: int, settings: Any, problems: Problems) -> None:
    """Add the problems that only the part's configuration knows of."""
    ask = getattr(chosen.config, "problems", None)
    if not callable(ask):
        return
    level = path.rpartition(".")[0]
    with blaming(chosen.who, "problems"):
        lines = list(ask(alphabet, settings))
    for line in lines:
        field, colon, text = str(line).partition(":")
        if colon and chosen.part.kind == "model" and (field == "train" or field.startswith("train.")):
            problems.add(join(level, field), text.strip())
        elif colon and field.isidentifier() and (field in ("backend", "kind") or hasattr(chosen.config, field)):
            problems.add(join(path, field), text.strip())
        else:
            problems.add(path, str(line))
