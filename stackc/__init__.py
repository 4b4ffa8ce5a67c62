"""Multi-level neural text compression: stacks of models and coders, lossless end to end.

    import stackc

    stack = stackc.build("three_level", out="runs/three_level")
    tokens = stack.encode(b"It is a truth universally acknowledged")
    assert stack.decode(tokens) == b"It is a truth universally acknowledged"

Plugins import from `stackc.api`; everything else here is for users of stacks.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackc.errors import ArtifactError, CodingError, CorpusError, PluginError, RecipeError, StackcError

if TYPE_CHECKING:
    from stackc.recipe import Recipe
    from stackc.stack import Stack

__version__ = "0.1.0"

__all__ = [
    "ArtifactError",
    "CodingError",
    "CorpusError",
    "PluginError",
    "RecipeError",
    "Stack",
    "StackcError",
    "__version__",
    "build",
    "load",
    "load_recipe",
]


def load_recipe(recipe: str | Path, overrides: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe and check all of it.

    Args:
        recipe: a TOML file, or the name of a recipe that ships, such as "three_level".
        overrides: ``KEY=VALUE`` strings, as of ``stackc build --set``.

    Raises:
        RecipeError: with every problem, path by path.
    """
    from stackc.recipe import load_recipe as read

    return read(recipe, list(overrides))


def build(
    recipe: str | Path | Recipe,
    out: str | Path | None = None,
    *,
    overrides: tuple[str, ...] = (),
    device: str | None = None,
    show: str = "quiet",
) -> Stack:
    """Build a stack, or open it where it is built already; a killed build goes on where it was.

    Args:
        recipe: a TOML file, the name of a recipe that ships, or a loaded recipe.
        out: the stack's folder; None: ``runs/<stack name>``.
        overrides: ``KEY=VALUE`` strings, as of ``stackc build --set`` (not with a loaded recipe).
        device: "auto", "cpu" or "cuda"; None: as the recipe says. Speed only.
        show: "quiet", "plain", or "auto" (live on a terminal).

    Raises:
        StackcError: anything that a recipe, a corpus or a disk can cause; finished stages are kept.
    """
    from stackc.host import Runtime
    from stackc.pipeline import Display
    from stackc.pipeline import build as run

    plan = load_recipe(recipe, overrides) if isinstance(recipe, str | Path) else recipe
    folder = Path(out) if out is not None else Path("runs") / plan.stack.name
    speed = plan.run
    runtime = Runtime(device=device or speed.device, threads=speed.threads, lanes=speed.lanes, memory=speed.memory)
    mode: Any = show
    return run(plan, folder, runtime=runtime, display=Display(folder / "logs", mode))


def load(folder: str | Path) -> Stack:
    """Open a finished stack.

    Raises:
        ArtifactError: no stack there, a damaged one, or one of a newer format.
        PluginError: a part whose plugin is not installed.
    """
    from stackc.stack import Stack

    return Stack(folder)


def __getattr__(name: str) -> Any:
    if name == "Stack":
        from stackc.stack import Stack

        return Stack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
