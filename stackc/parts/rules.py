"""The rules for the arguments of ``register`` that can be checked without making the part."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import attrs

from stackc.api.windowings import Windowing

if TYPE_CHECKING:
    from stackc.parts.part import Part

CODER_FLAGS = ("budget", "ends", "total", "needs_model")
"""Class variables of a coder's configuration class; `stackc.api.coders.CoderFlags` says what each means."""

RESERVED = {"model": ("backend",), "coder": ("kind",), "windowing": ("kind",), "reader": ("reader", "segment")}
"""Keys of a part's table that belong to the recipe: no field of its configuration may have such a name."""

METHODS = {
    "model": ("train", "freeze", "load"),
    "coder": ("encoder", "decoder"),
    "windowing": (),
    "reader": ("documents", "fingerprint"),
}
"""The methods that a part of each kind must have. Others, such as lanes, are optional (`stackc.api`)."""

_NAME = re.compile(r"[a-z][a-z0-9_-]*")


def registration_problems(
    kind: str, name: object, factory: object, config: object, summary: object, self_test: object = None
) -> list[str]:
    """Everything wrong with one call of ``register``; empty if nothing is."""
    problems = []
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.append(f"the name {name!r} is not lower-case letters, digits, '-' and '_'")
    if not callable(factory):
        problems.append(f"the factory {factory!r} cannot be called")
    if self_test is not None and not callable(self_test):
        problems.append(f"the self_test {self_test!r} cannot be called")
    if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
        problems.append("the summary is not one line of text")
    if not inspect.isclass(config) or not attrs.has(config):
        return [*problems, f"the config {config!r} is not an attrs class"]
    problems += config_problems(config)
    problems += [f"its config lacks {line}" for line in _lacking(kind, config)]
    fields = attrs.fields_dict(config)
    problems += [f"its field {key!r} has a name that recipes use themselves" for key in RESERVED[kind] if key in fields]
    train = getattr(config, "train", None)
    if kind == "model" and train is not None:
        if inspect.isclass(train) and attrs.has(train):
            problems += config_problems(train)
        else:
            problems.append(f"its train is {train!r}, neither an attrs class nor None")
    return problems


def made_problems(part: Part, config: Any, made: object) -> list[str]:
    """Why the object that a part's factory made is not a part of its kind; empty if it is one."""
    if part.kind == "windowing" and not isinstance(made, Windowing):
        return [f"its factory makes a {type(made).__name__}, not a stackc.api.Windowing"]
    lacking = [name for name in _methods(part.kind, config) if not callable(getattr(made, name, None))]
    return [f"its factory makes a {type(made).__name__}, which has no method {name}" for name in lacking]


def _methods(kind: str, config: Any) -> tuple[str, ...]:
    """The methods that a part must have."""
    if kind == "coder" and getattr(config, "whole", False):
        return ("whole",)
    if kind == "coder" and getattr(config, "pieces", False):
        return ("fit_under" if config.needs_model else "fit", "load", "pieces", "encode")
    if kind == "coder" and getattr(config, "vocabulary", None) is not None:
        return ("dictionary",)
    return METHODS[kind]


def config_problems(config: type[Any]) -> list[str]:
    """Why an attrs class is not a configuration: frozen, keyword-only, every field explained; empty if it is one."""
    problems = []
    try:
        object.__new__(config).__setattr__("any", None)
    except attrs.exceptions.FrozenInstanceError:
        pass
    except AttributeError:
        problems.append(f"{config.__name__} is not frozen (attrs.frozen(kw_only=True))")
    else:
        problems.append(f"{config.__name__} is not frozen (attrs.frozen(kw_only=True))")
    for field in attrs.fields(config):
        if not field.kw_only:
            problems.append(f"{config.__name__}.{field.name} is not keyword-only (attrs.frozen(kw_only=True))")
        if not field.metadata.get("help"):
            problems.append(f"{config.__name__}.{field.name} has no help (make fields with stackc.api bits or speed)")
    return problems


def _lacking(kind: str, config: type[Any]) -> list[str]:
    lacking = []
    version = getattr(config, "bits_version", None)
    if not isinstance(version, int) or isinstance(version, bool):
        lacking.append("bits_version: ClassVar[int]")
    if kind == "model" and not callable(getattr(config, "cost", None)):
        lacking.append("cost(alphabet, settings)")
    if kind == "coder" and getattr(config, "whole", False) is not False:
        lacking += _lacking_for_whole_windows(config)
    if kind == "coder":
        absent = [flag for flag in CODER_FLAGS if not isinstance(getattr(config, flag, None), bool)]
        lacking += [f"{flag}: ClassVar[bool]" for flag in absent]
        if not absent and config.budget and not config.ends:
            lacking.append("ends = True: with budget = True nothing but the code itself can mark a window's end")
    return lacking


def _lacking_for_whole_windows(config: Any) -> list[str]:
    """What a coder of whole windows must declare (`stackc.api.WholeWindowCoder`)."""
    wanted = {"whole": True, "budget": False, "ends": True, "needs_model": False}
    wrong = [f"{name} = {value}" for name, value in wanted.items() if getattr(config, name, None) is not value]
    lacking = (
        [f"{', '.join(wrong)}: a coder of whole windows is given their symbols alone, all at once"] if wrong else []
    )
    return [*lacking, "no vocabulary next to whole = True"] if hasattr(config, "vocabulary") else lacking
