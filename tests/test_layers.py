"""The structure of the code, read from the code: the order of folders, no circle, what plugins may import."""

from __future__ import annotations

import ast
import functools
import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import stackc
import stackc.api
from stackc.parts.registry import registry

ROOT = Path(__file__).parents[1]
CORE, PLUGINS = ROOT / "stackc", ROOT / "plugins"
GRAB_BAGS = {"apps", "common", "core", "helpers", "lib", "misc", "tools", "utils"}
MOST_ENTRIES = 18
MOST_LINES = {"file": 400, "function": 60}


def _structure() -> ModuleType:
    spec = importlib.util.spec_from_file_location("structure", ROOT / "scripts" / "structure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


structure = _structure()
FILES = sorted([*CORE.rglob("*.py"), *PLUGINS.rglob("*.py")])


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@functools.cache
def edges() -> dict[str, set[str]]:
    """Who imports whom, read once by who needs it: every worker collects all tests, and few run those of this file."""
    found: dict[str, set[str]] = structure.graph(ROOT)
    return found


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


# -- order and circles


def test_every_folder_imports_only_those_before_it() -> None:
    assert structure.upward(edges()) == []


def test_no_modules_import_each_other() -> None:
    circles = [group for group in structure.circles(edges()) if stackc.__name__ not in group]
    assert circles == []


def test_no_folder_and_one_inside_it_import_each_other() -> None:
    """Either the outer folder builds on the inner one, or the inner one on the outer."""
    assert structure.nested(edges()) == []


def test_a_circle_between_a_folder_and_one_inside_it_is_seen(tmp_path: Path) -> None:
    _copy(tmp_path)
    with (tmp_path / "stackc/coding/dictionary/twin.py").open("a") as file:
        file.write("\ndef late() -> None:\n    from stackc.coding.documents import segments\n")
    found = structure.nested(structure.graph(tmp_path))
    assert "stackc.coding.dictionary.twin imports stackc.coding.documents" in found


def test_the_face_is_imported_by_nothing_inside() -> None:
    assert [name for name, targets in edges().items() if "stackc" in targets and name.startswith("stackc.")] == []


@pytest.mark.parametrize(
    "line",
    [
        "from stackc.stack.stack import Stack",
        "def late() -> None:\n    from stackc.stack.stack import Stack",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from stackc.stack import stack",
        "import stackc.stack.stack",
        "import importlib\nimportlib.import_module('stackc.stack.stack')",
        "from importlib import import_module\nimport_module('stackc.stack.stack')",
        "__import__('stackc.stack.stack')",
        "from ..stack import stack",
        "from ..stack.stack import Stack",
    ],
)
def test_an_upward_import_is_seen_however_it_is_written(tmp_path: Path, line: str) -> None:
    _copy(tmp_path)
    with (tmp_path / "stackc/coding/jobs.py").open("a") as file:
        file.write(f"\n{line}\n")
    found = structure.graph(tmp_path)
    assert any(one.startswith("stackc.coding.jobs imports stackc.stack") for one in structure.upward(found))
    assert any("stackc.coding.jobs" in group for group in structure.circles(found))


def test_a_circle_inside_a_folder_is_seen(tmp_path: Path) -> None:
    _copy(tmp_path)
    with (tmp_path / "plugins/stackc_windows/word_starts.py").open("a") as file:
        file.write("\ndef late() -> None:\n    import stackc_windows\n")
    assert ["stackc_windows", "stackc_windows.word_starts"] in structure.circles(structure.graph(tmp_path))


def test_an_import_of_the_face_is_seen(tmp_path: Path) -> None:
    _copy(tmp_path)
    with (tmp_path / "stackc/doctor.py").open("a") as file:
        file.write("\nimport stackc\n")
    assert "stackc.doctor imports stackc" in structure.upward(structure.graph(tmp_path))


def _copy(folder: Path) -> None:
    for base in (CORE, PLUGINS):
        shutil.copytree(base, folder / base.name, ignore=shutil.ignore_patterns("__pycache__"))


# -- rooms


def test_the_top_of_the_package_is_taken_in_at_a_glance() -> None:
    entries = sorted(path.name for path in CORE.iterdir() if path.name != "__pycache__")
    assert len(entries) <= MOST_ENTRIES, entries
    listed = {name if (CORE / name).is_dir() else f"{name}.py" for name in structure.ORDER}
    assert set(entries) == {*listed, "__init__.py", "py.typed"}


def test_no_folder_or_file_is_a_grab_bag() -> None:
    named = {path.stem for path in FILES} | {path.parent.name for path in FILES}
    assert not named & GRAB_BAGS


def test_no_package_hides_a_public_function() -> None:
    """Importing ``stackc.build`` as a package would rebind the function of that name."""
    functions = [name for name in stackc.__all__ if callable(getattr(stackc, name))]
    assert [name for name in functions if (CORE / name).exists() or (CORE / f"{name}.py").exists()] == []
    assert [name for name in stackc.api.__all__ if (CORE / "api" / f"{name}.py").exists()] == []


def test_files_and_functions_fit_a_reader() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES["file"]} == {}
    functions = {
        f"{shown(path)}:{node.lineno}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in functions.items() if length > MOST_LINES["function"]} == {}


def test_the_trees_in_the_documents_are_those_of_the_code() -> None:
    for name in structure.PAGES:
        text = (ROOT / name).read_text()
        assert text == structure.page(text), f"{name}: run python scripts/structure.py --write"


# -- plugins


def _imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_the_core_imports_no_plugin() -> None:
    found = {shown(path): sorted(_imported(path)) for path in sorted(CORE.rglob("*.py"))}
    assert len(found) > 200
    assert {path: [name for name in names if name.startswith("stackc_")] for path, names in found.items()} == {
        path: [] for path in found
    }


def test_plugins_import_only_the_public_names() -> None:
    others = {}
    for path in sorted(PLUGINS.rglob("*.py")):
        own = {path.relative_to(PLUGINS).parts[0], "stackc.api"}
        names = {name for name in _imported(path) if name.split(".")[0].startswith("stackc")}
        others[shown(path)] = {name for name in names if name not in own and name.split(".")[0] not in own}
    assert len(others) > 100
    assert {path: names for path, names in others.items() if names} == {}


def test_public_names_are_listed_and_exist() -> None:
    assert all(hasattr(stackc.api, name) for name in stackc.api.__all__)
    assert all(hasattr(stackc, name) for name in stackc.__all__)


def test_the_contract_is_one_screen() -> None:
    assert len((CORE / "api" / "hooks.py").read_text().splitlines()) <= 60


def test_first_party_parts_come_through_entry_points() -> None:
    assert not registry().broken
    assert {part.distribution for part in registry().parts()} == {"stackc"}
    names = {(part.kind, part.name) for part in registry().parts()}
    assert names >= {
        ("coder", "arithmetic"), ("coder", "static-unigram"), ("coder", "gzip"), ("windowing", "equal-info"),
        ("windowing", "fixed-token"), ("windowing", "whole"), ("model", "transformer"), ("model", "unigram"),
        ("model", "uniform"), ("reader", "text"),
    }  # fmt: skip
