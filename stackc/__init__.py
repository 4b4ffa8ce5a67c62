"""Multi-level neural text compression: stacks of models and coders, lossless end to end.

    import stackc

    stack = stackc.build("three_level", out="runs/three_level")
    tokens = stack.encode(b"It is a truth universally acknowledged")
    assert stack.decode(tokens) == b"It is a truth universally acknowledged"

Plugins import from `stackc.api`; everything else here is for users of stacks.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackc.api.errors import (
    ArtifactError,
    CodingError,
    ContainerError,
    CorpusError,
    PluginError,
    RecipeError,
    StackcError,
)

if TYPE_CHECKING:
    from stackc.recipe import Recipe
    from stackc.stack.stack import Stack

__version__ = "0.1.0"

IMPORTED_NS = time.time_ns()
"""Source files that changed later may not be what this process runs (`stackc.api.kernels`)."""

__all__ = [
    "ArtifactError",
    "CodingError",
    "ContainerError",
    "CorpusError",
    "PluginError",
    "RecipeError",
    "Stack",
    "StackcError",
    "__version__",
    "build",
    "compress",
    "decompress",
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
    engine: str = "local",
    show: str = "quiet",
) -> Stack:
    """Build a stack, or open it where it is built already; a killed build goes on where it was.

    Args:
        recipe: a TOML file, the name of a recipe that ships, or a loaded recipe.
        out: the stack's folder; None: ``runs/<stack name>``.
        overrides: ``KEY=VALUE`` strings, as of ``stackc build --set`` (not with a loaded recipe).
        device: "auto", "cpu" or "cuda"; None: as the recipe says. Speed only.
        engine: where the corpus is encoded: "local", or "ray" for the workers of a Ray cluster. Speed only.
        show: "quiet", "plain", or "auto" (live on a terminal).

    Raises:
        StackcError: anything that a recipe, a corpus or a disk can cause; finished stages are kept.
    """
    from stackc.pipeline import Display
    from stackc.pipeline import build as run
    from stackc.stack.runtime import Runtime

    plan = load_recipe(recipe, overrides) if isinstance(recipe, str | Path) else recipe
    folder = (Path(out) if out is not None else Path("runs") / plan.stack.name).absolute()
    runtime = Runtime.of(plan.run, device=device or plan.run.device, engine=engine)
    mode: Any = show
    return run(plan, folder, runtime=runtime, display=Display(folder / "logs", mode))


def load(folder: str | Path) -> Stack:
    """Open a finished stack.

    Raises:
        ArtifactError: no stack there, a damaged one, or one of a newer format.
        PluginError: a part whose plugin is not installed.
    """
    from stackc.stack.stack import Stack

    return Stack(folder)


def compress(
    source: str | Path,
    out: str | Path | None = None,
    *,
    stack: str | Path | Stack,
    block_size: int = 1 << 16,
    verify: bool = True,
    force: bool = False,
) -> Path:
    """Compress a file; `Stack.compress` does streams.

    Args:
        source: any file; it is kept.
        out: the `.stk` file; None: beside the source.
        stack: a stack's folder, or the stack.
        block_size: source bytes in a block, 1 .. 2^20.
        verify: decode what was made and compare, before it is kept.
        force: overwrite.

    Returns:
        The `.stk` file.

    Raises:
        StackcError: a file that cannot be read or written, or exists already; no such stack.
    """
    from stackc.stack.outputs import output_path
    from stackc.stack.stk_files import compress_file, compressed_name

    path = Path(source)
    name = compressed_name(path, None if out is None else output_path(out)) or path
    opened = load(stack) if isinstance(stack, str | Path) else stack
    compress_file(path, name, opened, force=force, verify=verify, block_size=block_size)
    return name


def decompress(
    source: str | Path,
    out: str | Path | None = None,
    *,
    stack: str | Path | Stack | None = None,
    span: tuple[int | None, int | None] | None = None,
    force: bool = False,
) -> Path:
    """Give back the original of a `.stk` file.

    Args:
        source: the `.stk` file.
        out: where to; None: its name without ``.stk``.
        stack: the one that wrote it; None: found by its hash in the folders of STACKC_PATH and in ``runs``.
        span: (start, end): only these bytes of the original; None in it: from the beginning, to the end.
        force: overwrite.

    Raises:
        ContainerError: damage, by block; no such stack; a model that answers otherwise on this machine.
    """
    from stackc.stack.outputs import output_path
    from stackc.stack.stk_files import decompress_file, decompressed_name

    path = Path(source)
    name = decompressed_name(path, None if out is None else output_path(out)) or path
    opened = load(stack) if isinstance(stack, str | Path) else stack
    decompress_file(path, name, opened, span=span, force=force)
    return name


def __getattr__(name: str) -> Any:
    if name == "Stack":
        from stackc.stack.stack import Stack

        return Stack
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
