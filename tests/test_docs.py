"""The documents' code runs, and what they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_blocks_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", path.read_text(), flags=re.DOTALL):
        exec(compile(block, str(path), "exec"), namespace)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#: ]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_reference_shows_every_command_as_it_is() -> None:
    from click.testing import CliRunner

    from stackc.cli import COMMANDS, main

    text = (ROOT / "docs" / "reference" / "commands.md").read_text()
    for command in [[name] for name in COMMANDS] + [["plugins", "list"], ["plugins", "check"]]:
        shown = CliRunner().invoke(main, [*command, "--help"], prog_name="stackc", terminal_width=100).output
        assert shown.strip() in text, command
