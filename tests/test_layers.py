"""Who knows whom: the core imports no plugin, plugins import only what is public, the contract fits one screen."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import stackc
import stackc.api
from stackc.parts.registry import registry

CORE = Path(stackc.__file__).parent
PLUGINS = Path(__file__).parents[1] / "plugins"


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: str(path.relative_to(CORE)))
def test_the_core_imports_no_plugin(path: Path) -> None:
    assert not [name for name in imported(path) if name.startswith("stackc_")]


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_plugins_import_only_the_public_names(path: Path) -> None:
    package = path.relative_to(PLUGINS).parts[0]
    others = {name for name in imported(path) if name.split(".")[0].startswith("stackc")}
    assert {name for name in others if name.split(".")[0] != package} <= {"stackc.api"}


def test_public_names_are_listed_and_exist() -> None:
    assert all(hasattr(stackc.api, name) for name in stackc.api.__all__)
    assert all(hasattr(stackc, name) for name in stackc.__all__)


def test_the_contract_is_one_screen() -> None:
    assert len((CORE / "hookspecs.py").read_text().splitlines()) <= 60


def test_first_party_parts_come_through_entry_points() -> None:
    assert not registry().broken
    assert {part.distribution for part in registry().parts()} == {"stackc"}
    names = {(part.kind, part.name) for part in registry().parts()}
    assert names >= {
        ("coder", "arithmetic"), ("coder", "static-unigram"), ("coder", "gzip"), ("windowing", "equal-info"),
        ("windowing", "fixed-token"), ("windowing", "whole"), ("model", "transformer"), ("model", "unigram"),
        ("model", "uniform"), ("reader", "text"),
    }  # fmt: skip
