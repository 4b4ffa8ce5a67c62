"""Imports inside functions: each saves the loading of a package by those who do not need it, or has its reason here."""

from __future__ import annotations

import ast
import copy
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from stackc.api.late import LATE

ROOT = Path(__file__).parents[1]
LIGHT = {"attr", "attrs", "click", "pluggy"}
"""Packages that every command loads, in milliseconds: keeping them away saves nothing."""

COMPILING = "compiling "
"""Before the name of a module whose kernels are compiled while it is imported."""


def _modules(root: Path) -> dict[str, Path]:
    """Every module of the core and of the plugins, by its dotted name."""
    found = {}
    for base, pattern in ((root, "stackc/**/*.py"), (root / "plugins", "**/*.py")):
        for path in sorted(base.glob(pattern)):
            found[".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


@attrs.frozen
class Local:
    """An import inside a function."""

    module: str
    function: str
    target: str

    def __str__(self) -> str:
        return f"{self.module}.{self.function} imports {self.target}"


class Tree:
    """The modules of a tree, what each loads when it is imported, and the imports inside functions."""

    def __init__(self, root: Path) -> None:
        self.paths = _modules(root)
        self.local: list[Local] = []
        self._top: dict[str, set[str]] = {}
        for name, path in self.paths.items():
            self._read(name, path.read_text(encoding="utf-8"))
        self.loaded = functools.cache(self._loaded)

    def with_text(self, name: str, text: str) -> Tree:
        """The same tree with another text of a module."""
        other = copy.copy(self)
        other.local, other._top = [one for one in self.local if one.module != name], dict(self._top)
        other._read(name, text)
        other.loaded = functools.cache(other._loaded)
        return other

    def _read(self, name: str, text: str) -> None:
        # Functions of `kernel_of` are compiled while the module is imported: seconds, once per machine.
        self._top[name] = {f"{COMPILING}{name}"} if re.search(r"^@kernel_of\(", text, re.MULTILINE) else set()
        self._walk(name, ast.parse(text), None)

    def _walk(self, name: str, node: ast.AST, function: str | None) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
                continue  # no import stands in an expression, and most nodes are in one
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in self._targets(child):
                    if function is None:
                        self._top[name].add(target)
                    else:
                        self.local.append(Local(name, function, target))
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            else:
                inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else None
                self._walk(name, child, function or inner)

    def _targets(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        """The modules that an import statement loads, without those that they load in turn."""
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        assert node.module is not None, "imports with leading dots are not used"
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        if node.module == "stackc.api":
            inner = [LATE.get(alias.name, "") for alias in node.names]
        modules = [one for one in inner if one in self.paths]
        yield from modules
        if len(modules) < len(inner):
            yield node.module

    def _loaded(self, module: str) -> frozenset[str]:
        """Packages of third parties that are loaded when a module is imported, without the light ones."""
        seen, todo, packages = set[str](), [module], set[str]()
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            if one in self.paths:
                # A package's own module is run before any of its modules.
                todo += [*self._top[one], *([one.rpartition(".")[0]] if "." in one else [])]
            elif one.startswith(COMPILING):
                packages.add(one)
            elif (top := one.partition(".")[0]) not in sys.stdlib_module_names | LIGHT:
                packages.add(top)
        return frozenset(packages)

    def saves(self, found: Local) -> frozenset[str]:
        """Packages that whoever imports the module does not load, because this import is inside a function."""
        return self.loaded(found.target) - self.loaded(found.module)


@functools.cache
def tree() -> Tree:
    """This tree, read once by who needs it: every worker collects all tests, and few run those of this file."""
    return Tree(ROOT)


FACTORIES = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["stackc"].values())
"""Modules of plugins: the contract asks that only a part's factory imports what the part needs."""

DECLARED = {
    ("stackc.bench.codecs", "attrs"): "start-up is measured, so no compressor's process imports what it does not need",
    ("stackc.bench.worker", "stackc.api.errors"): "the same",
    ("stackc_torch.training.networks", "stackc_torch.training.sharded"): "torch's FSDP: as long as a small training",
}
"""(module, what it imports inside a function): the reason, where no package is saved."""


def _without_savings(read: Tree) -> Iterator[Local]:
    """Local imports that load no package later.

    Those of commands are left out, because their options and errors of usage need nothing of what runs them, and those
    of factories.
    """
    for one in read.local:
        if not f"{one.module}.".startswith("stackc.cli.") and one.module not in FACTORIES and not read.saves(one):
            yield one


def unexplained(read: Tree) -> list[str]:
    """Local imports without a reason."""
    return [str(one) for one in _without_savings(read) if (one.module, one.target) not in DECLARED]


def test_every_import_inside_a_function_has_its_reason() -> None:
    assert unexplained(tree()) == []


def test_every_declared_reason_is_needed() -> None:
    assert DECLARED.keys() == {(one.module, one.target) for one in _without_savings(tree())}


@pytest.mark.parametrize(
    ("line", "reported"),
    [
        ("from stackc.api.messages import amount", True),
        ("import json", True),
        ("import numpy", True),  # the module has it already
        ("from stackc.api import bits", True),
        ("import numba", False),
        ("from stackc.api import kernel", False),
        ("from stackc.coding.dictionary import encoding", False),
        ("import torch", False),
    ],
)
def test_a_new_one_without_a_reason_is_reported(line: str, reported: bool) -> None:
    name = "stackc.coding.jobs"
    text = f"{tree().paths[name].read_text()}\n\nclass Late:\n    def late(self) -> None:\n        {line}\n"
    found = [one.partition(" imports")[0] for one in unexplained(tree().with_text(name, text))]
    assert found == [f"{name}.late"] * reported


@pytest.mark.parametrize(
    "module", ["stackc.cli.build", "stackc.recipe", "stackc.report.table", "stackc.stack.manifest"]
)
def test_looking_at_stacks_and_recipes_compiles_nothing(module: str) -> None:
    """numba takes half a second to import: `stackc inspect` and `--dry-run` do without it."""
    assert not tree().loaded(module) & {"numba", "torch"}
