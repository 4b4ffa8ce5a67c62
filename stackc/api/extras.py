"""Packages that only some parts need: extras, imported when such a part is used."""

from __future__ import annotations

import importlib
from types import ModuleType

from stackc.api.errors import MissingPackageError


def require(module: str, extra: str, part: str) -> ModuleType:
    """Import a package that a part needs and not everybody has. Call it in the part's factory, not at a module's top.

    It is `need` with a message that names the part.

    Args:
        module: the module, e.g. "transformers".
        extra: the extra of stackc that installs it, e.g. "hf"; or another argument for pip, e.g. "my-plugin[fast]".
        part: what recipes call the part, for the message.

    Returns:
        The module.

    Raises:
        MissingPackageError: it cannot be imported; the message says what to install.
    """
    return need(module, extra, f"part {part}")


def need(module: str, extra: str, who: str) -> ModuleType:
    """Same as `require`, for an option or a module of stackc itself; the message names `who`."""
    install = f'pip install "{extra if "[" in extra else f"stackc[{extra}]"}"'
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        if not (module == missing or module.startswith(f"{missing}.")):
            missing = f"{module}, and that {missing}"
        raise MissingPackageError(f"{who} needs {missing}: {install}") from error
    except ImportError as error:
        text = " ".join(str(error).split())
        raise MissingPackageError(f"{who} needs {module}, which does not import ({text}): {install}") from error
