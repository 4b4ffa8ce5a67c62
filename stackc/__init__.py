"""Multi-level neural text compression: stacks of models and coders, lossless end to end.

    import stackc

    stack = stackc.build("three_level", out="runs/three_level")
    tokens = stack.encode(b"It is a truth universally acknowledged")
    assert stack.decode(tokens) == b"It is a truth universally acknowledged"

Plugins import from `stackc.api`; everything else here is for users of stacks. Names are imported when they are first
used, so that ``import stackc`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackc.api import errors
    from stackc.api.errors import (
        ArtifactError,
        CodingError,
        ContainerError,
        CorpusError,
        PluginError,
        RecipeError,
        StackcError,
    )
    from stackc.pipeline.build import build
    from stackc.pipeline.sweeps.sweep import sweep
    from stackc.recipe.load import load_recipe
    from stackc.report.compare import compare
    from stackc.stack.stack import Stack, load
    from stackc.stack.stk_files import compress, decompress

    __version__: str

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
    "compare",
    "compress",
    "decompress",
    "errors",
    "load",
    "load_recipe",
    "sweep",
]

_HOMES = {
    "Stack": "stackc.stack.stack",
    "build": "stackc.pipeline.build",
    "compare": "stackc.report.compare",
    "compress": "stackc.stack.stk_files",
    "decompress": "stackc.stack.stk_files",
    "load": "stackc.stack.stack",
    "load_recipe": "stackc.recipe.load",
    "sweep": "stackc.pipeline.sweeps.sweep",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("stackc.api.version").stackc_version()
    if name == "errors":
        return importlib.import_module("stackc.api.errors")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "stackc.api.errors")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
