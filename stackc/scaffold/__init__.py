"""Writes plugin packages that work at once: ``stackc plugins new``.

The templates are next to this file: ``pyproject.toml.txt`` and ``README.md.txt`` for every kind, and in a folder a
kind or variant the module (``part.py.txt``), its tests (``test_part.py.txt``) and the lines of a recipe that use it
(``recipe.toml.txt``). A model that codes bit by bit has a second module (``loops.py.txt``). In them ``${name}`` is the
package, ``${module}`` its module, ``${part}`` what recipes call the part, ``${api}`` the contract that it was made for,
``${version}`` the stackc that wrote it.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
from importlib import metadata, resources
from pathlib import Path
from string import Template

from stackc.api.errors import ArtifactError, PluginError
from stackc.api.files import make_folder_atomically
from stackc.api.version import CONTRACT
from stackc.parts.registry import HOOKS, Registry, installed

MAX_NAME = 30
"""Letters of a name: templates keep their format with names of up to this length."""

VARIANTS = {"whole-windows": "coder", "pieces": "coder", "dictionary": "coder", "bitwise": "model"}
"""Other templates than the one named after the kind: variant -> kind."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def part_name(name: str) -> str:
    """What recipes call the part of package `name`: the name, without ``stackc-`` in front."""
    return name.removeprefix("stackc-")


def name_problem(name: str, kind: str, found: Registry) -> str | None:
    """Why a package for a part of this kind cannot have this name; None if it can."""
    module = name.replace("-", "_")
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(part_name(name)) or len(name) > MAX_NAME:
        return f"use up to {MAX_NAME} lower-case letters and digits, in words joined by '-', a letter first"
    if any(source.plugin == name or source.distribution == name for source in found.sources):
        return "a plugin of that name is installed"
    taken = found.find(kind, part_name(name))
    if taken is not None:
        return f"plugin '{taken.plugin}' has a {kind} of that name"
    if keyword.iskeyword(module) or module == "tests" or importlib.util.find_spec(module) is not None:
        return "Python, or a package that is installed, has a module of that name"
    return None


def files(name: str, kind: str, variant: str | None = None) -> dict[str, str]:
    """The package's files: path inside its folder -> content."""
    template = variant or kind
    module = name.replace("-", "_")
    values = {
        "name": name,
        "module": module,
        "part": part_name(name),
        "kind": kind,
        "hook": HOOKS[kind],
        "api": repr(CONTRACT),
        "version": metadata.version("stackc"),
        "included": f'"{module}.py", "{module}_loops.py"' if variant == "bitwise" else f'"{module}.py"',
    }
    values["recipe"] = _fill(f"{template}/recipe.toml.txt", values).strip()
    loops = {f"{module}_loops.py": _fill("bitwise/loops.py.txt", values)} if variant == "bitwise" else {}
    return {
        "pyproject.toml": _fill("pyproject.toml.txt", values),
        "README.md": _fill("README.md.txt", values),
        f"{module}.py": _fill(f"{template}/part.py.txt", values),
        f"tests/test_{module}.py": _fill(f"{template}/test_part.py.txt", values),
        **loops,
    }


def write(name: str, kind: str, out: Path, variant: str | None = None) -> Path:
    """Write the package into the new folder ``out/name``, all of it or nothing.

    Args:
        name: of the package; the part is called the same, without ``stackc-`` in front.
        kind: "coder", "windowing", "model" or "reader".
        out: the folder to put it in; created if missing.
        variant: one of `VARIANTS`; None: the usual template of the kind.

    Returns:
        The package's folder.

    Raises:
        PluginError: a name that cannot be had, a variant of another kind, a folder that exists or cannot be written.
    """
    problem = name_problem(name, kind, Registry(installed()))
    if problem:
        raise PluginError(f"a {kind} plugin named {name!r}: {problem}")
    if variant is not None and VARIANTS[variant] != kind:
        raise PluginError(f"{variant} is a variant of {VARIANTS[variant]} plugins, and this is a {kind} plugin")
    folder = out / name
    if folder.exists() or folder.is_symlink():
        raise PluginError(f"{folder} exists already; choose another name, or another folder with --out")
    try:
        if not out.exists():
            out.mkdir(parents=True, exist_ok=True)
        with make_folder_atomically(folder) as partial:
            for path, content in files(name, kind, variant).items():
                (partial / path).parent.mkdir(parents=True, exist_ok=True)
                (partial / path).write_text(content, encoding="utf-8")
    except (OSError, ArtifactError) as error:
        reason = error.__cause__ if isinstance(error, ArtifactError) else error
        said = getattr(reason, "strerror", None) or reason or error
        raise PluginError(f"{folder}: cannot write ({said}); choose another --out") from error
    return folder


def _fill(template: str, values: dict[str, str]) -> str:
    text = resources.files(__name__).joinpath(template).read_text(encoding="utf-8")
    return Template(text).substitute(values)
