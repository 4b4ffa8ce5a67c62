"""Modules that extras of the package bring."""

from __future__ import annotations

import importlib
from typing import Any

from stackc.errors import StackcError


def require(module: str, extra: str, part: str) -> Any:
    """Import a module that an extra brings.

    Args:
        part: what needs it, for the message.

    Raises:
        StackcError: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise StackcError(f'{part} needs {module}: pip install "stackc[{extra}]"') from error
