"""The package that docs/how-to/write-a-plugin.md ends with: it installs, passes its tests, and builds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fresh import Environment

pytest.importorskip("constriction", reason="the library that the package's coder rests on: pip install constriction")

PACKAGE = Path(__file__).parents[2] / "docs" / "tutorial" / "stackc-rans"
RECIPE = """\
[stack]
name = "numerals"

[corpus]
reader = "text"
train = "*.txt"
test = "*.txt"

[[level]]
name = "M1"
  [level.model]
  backend = "unigram"
  [level.windowing]
  kind = "whole"
  [level.coder]
  kind = "rans"
  [level.tokens]
  bits = 8

[[level]]
name = "M2"
  [level.model]
  backend = "unigram"
  [level.windowing]
  kind = "fixed-token"
  symbols = 500
  [level.coder]
  kind = "rans"
  [level.tokens]
  bits = 12

[top]
name = "M3"
  [top.model]
  backend = "unigram"
"""


@pytest.mark.parametrize("apart", [False, pytest.param(True, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_it_passes_its_tests_and_builds_in_a_fresh_environment(tmp_path: Path, apart: bool) -> None:
    """As its users have it; `apart`, which is long, with a process for every command."""
    environment = Environment(tmp_path / "venv")
    package = shutil.copytree(PACKAGE, tmp_path / "stackc-rans")
    environment.install(package)
    assert " passed" in environment.run(package, "pytest", "-q", "-p", "no:cacheprovider")
    (tmp_path / "some.txt").write_text("".join(f"{i} bottles of beer on the wall, {i % 7}\n" for i in range(400)))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    checked, *_ = environment.commands(
        tmp_path,
        ["plugins", "check", "rans"],
        ["build", "recipe.toml", "--out", "built"],
        ["compress", "some.txt", "--stack", "built"],
        ["decompress", "some.txt.stk", "--stack", "built", "-o", "back.txt"],
        apart=apart,
    )
    assert checked.startswith("ok")
    manifest = json.loads((tmp_path / "built" / "manifest.json").read_text())
    assert manifest["plugins"]["coder rans"]["distribution"] == "stackc-rans"
    assert (tmp_path / "back.txt").read_bytes() == (tmp_path / "some.txt").read_bytes()
