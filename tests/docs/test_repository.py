"""The repository's address is decided in one place, `Repository` in pyproject.toml, and repeated rightly elsewhere."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FILES = [
    path
    for top in (ROOT.glob("*"), (ROOT / ".github").rglob("*"), (ROOT / "docs").rglob("*"))
    for path in sorted(top)
    if path.is_file() and path.suffix in (".cff", ".md", ".py", ".toml", ".txt", ".yaml", ".yml")
]
NAMED = re.compile(
    r"github\.com/(?P<a>[\w.-]+)/stackc\b|\b(?P<b>[\w-]+)\.github\.io/stackc\b|\brepository (?P<c>[\w-]+)/stackc\b"
)


def owners(text: str) -> set[str]:
    """Whose repository a text says that stackc's is."""
    return {next(filter(None, found.groups())) for found in NAMED.finditer(text)}


def test_all_files_name_the_same_repository() -> None:
    owner = re.fullmatch(r"https://github\.com/([\w.-]+)/stackc", PROJECT["urls"]["Repository"])
    assert owner is not None
    named = {path.relative_to(ROOT).as_posix(): owners(path.read_text(encoding="utf-8")) for path in FILES}
    others = {name: found for name, found in named.items() if found - {owner[1]}}
    assert others == {}, f"pyproject.toml says {owner[1]}; RELEASING.md has the command that changes all"
    assert {name for name, found in named.items() if found} >= {
        "CITATION.cff", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md", "pyproject.toml",
        ".github/ISSUE_TEMPLATE/config.yml",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["https://github.com/other/stackc/issues", "https://other.github.io/stackc/", "(repository other/stackc, workflow"],
)
def test_another_owner_is_seen(text: str) -> None:
    assert owners(text) == {"other"}
