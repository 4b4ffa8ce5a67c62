"""The documents' code runs, and what they name exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from warm_processes import warm_command

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"python", "sh", "toml", "text", "json"}
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>.+?) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)


@attrs.frozen
class Block:
    """A fenced block of a document, and why it is not run if it is not."""

    language: str
    code: str
    why: str | None


def blocks(path: Path) -> list[Block]:
    found = [Block(match["language"], match["code"], match["why"]) for match in BLOCK.finditer(path.read_text())]
    fences = len(re.findall(r"^```", path.read_text(), re.MULTILINE))
    assert len(found) * 2 == fences, f"{path.name}: a fence that is indented or not closed"
    return found


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The smoke stack, built once: pages that build it find it finished, as their reader does the second time."""
    import stackc

    folder = tmp_path_factory.mktemp("smoke") / "smoke"
    stackc.build("smoke", folder)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_has_a_language(path: Path) -> None:
    for block in blocks(path):
        assert block.language in LANGUAGES, block


@pytest.fixture(scope="module")
def command(smoke: Path) -> Iterator[Path]:
    """A folder with a command `stackc` that need not import anything again."""
    with warm_command(smoke) as folder:
        yield folder


WITH_CODE = pytest.mark.parametrize("path", [path for path in DOCUMENTS if blocks(path)], ids=lambda path: path.name)


@WITH_CODE
def test_code_runs(path: Path, smoke: Path, command: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's Python and shell blocks, one after another in one folder and one namespace."""
    run_page(path, smoke, [command, Path(sys.executable).parent], tmp_path, monkeypatch)


@pytest.mark.long
@WITH_CODE
def test_code_runs_with_a_process_for_every_command(
    path: Path, smoke: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_page(path, smoke, [Path(sys.executable).parent], tmp_path, monkeypatch)


def run_page(path: Path, smoke: Path, commands: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    shutil.copytree(smoke, folder / "runs" / "smoke")
    monkeypatch.setenv("PATH", os.pathsep.join([*map(str, commands), os.environ["PATH"]]))
    module = types.ModuleType("page")  # a real one: what a page hands to other processes is pickled by its name
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks(path):
        if block.why:
            continue
        if block.language == "python":
            exec(compile(block.code, str(path), "exec"), vars(module))
        elif block.language == "sh":
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.code], capture_output=True, text=True)
            assert done.returncode == 0, f"{block.code}\n{done.stdout}\n{done.stderr}"
        elif block.language == "toml":
            tomllib.loads(block.code)


@pytest.mark.parametrize("path", sorted({*DOCUMENTS, *ROOT.glob("*.md")}), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#: ]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_links_of_the_readme_work_on_a_package_index() -> None:
    """An index shows it without the repository around it: its links are whole addresses, of files that are there."""
    ours = "https://github.com/stackc/stackc/blob/main/"
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 10
    assert [link for link in links if not link.startswith("https://")] == []
    for link in links:
        if link.startswith(ours):
            assert (ROOT / link.removeprefix(ours).partition("#")[0]).is_file(), link
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["readme"] == "README.md"
    assert {"Homepage", "Documentation", "Repository", "Issues", "Changelog"} <= set(project["urls"])


def test_the_site_is_searched_from_a_disk_and_loads_nothing() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert "  - offline" in text
    (script,) = re.findall(r"polyfills: \[(\S+)\]", text)
    assert (ROOT / "docs" / script).is_file(), "in place of the one that the plugin would load from the network"
    assert "//" not in re.sub(r"(?m)^//.*$", "", (ROOT / "docs" / script).read_text()).replace("file://", "")


def test_the_reference_shows_every_command_as_it_is() -> None:
    from click.testing import CliRunner

    from stackc.cli import COMMANDS, main

    text = (ROOT / "docs" / "reference" / "commands.md").read_text()
    for command in [[name] for name in COMMANDS] + [["plugins", "list"], ["plugins", "check"], ["plugins", "new"]]:
        shown = CliRunner().invoke(main, [*command, "--help"], prog_name="stackc", terminal_width=100).output
        assert shown.strip() in text, command


def test_the_changelog_is_short_enough_to_be_read() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= {"Added", "Changed", "Fixed", "Bits"}
    for version in re.split(r"^## ", text, flags=re.MULTILINE):
        assert not re.search(r"^[-*] ", version.partition("\n### ")[0], re.MULTILINE), "a bullet without a category"
    bullets = re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE)
    assert [bullet for bullet in bullets if bullet.count("\n") > 1] == []
    assert [line for line in text.splitlines() if len(line) > 120] == []


def test_the_scripts_that_pages_and_workflows_call_can_be_run() -> None:
    callers = [
        *ROOT.glob("*.md"),
        ROOT / ".ci" / "run",
        *(ROOT / ".github").rglob("*.*"),
        *(ROOT / "scripts").iterdir(),
    ]
    named = {
        name for path in callers if path.is_file() for name in re.findall(r"scripts/[a-z]+\b(?!\.)", path.read_text())
    }
    assert named >= {"scripts/check", "scripts/docs", "scripts/lint", "scripts/test"}
    assert [name for name in sorted(named) if not os.access(ROOT / name, os.X_OK)] == []


def test_the_version_is_stated_in_one_place() -> None:
    import stackc

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert stackc.__version__ == version
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == version
    code = [path for base in ("stackc", "plugins") for path in (ROOT / base).rglob("*.py")]
    assert [path for path in code if re.search(r"\bversion(__)? *= *[\"']\d", path.read_text())] == []
