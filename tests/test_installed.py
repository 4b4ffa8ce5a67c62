"""The product as its users have it: the wheel and the source distribution, and what is installed from them.

The long tests install the wheel where nothing of the checkout can be seen: a file that is missing from the package, or
an import that only works in the checkout, fails there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from fresh import Environment
from recipes_of_tests import TEXT, corpus, counting

ROOT = Path(__file__).parents[1]
PUBLIC = {path.name for path in ROOT.glob("*.md")} | {"CITATION.cff", "LICENSE"}


@attrs.frozen
class Built:
    """What is published."""

    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution of the checkout, and the wheel of the source distribution, as `pip wheel` makes it."""
    folder = tmp_path_factory.mktemp("dist")
    _hatchling(ROOT, folder, "sdist")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    _hatchling(folder / sdist.name.removesuffix(".tar.gz"), folder, "wheel")
    (wheel,) = folder.glob("*.whl")
    return Built(wheel, sdist)


def _hatchling(source: Path, out: Path, target: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _files(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*"):
        inner = path.relative_to(ROOT)
        if path.is_file() and not any(part == "__pycache__" or part.startswith(".") for part in inner.parts):
            yield inner.as_posix()


def test_the_wheel_has_every_file_of_the_packages_and_the_recipes(built: Built) -> None:
    expected = {*_files("stackc")}
    expected |= {name.removeprefix("plugins/") for name in _files("plugins")}
    expected |= {f"stackc/{name}" for name in _files("recipes")}
    with zipfile.ZipFile(built.wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = next(name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(metadata).decode().splitlines()
    assert found == expected
    assert all(f"{package}/py.typed" in found for package in {name.split("/")[0] for name in found})
    assert "License-Expression: MIT" in lines
    needed = [line for line in lines if line.startswith("Requires-Dist: ") and "extra ==" not in line]
    assert not [line for line in needed if "torch" in line or "tensorboard" in line]


def test_the_source_distribution_has_what_the_tests_and_the_documents_need(built: Built) -> None:
    expected = {*PUBLIC, "mkdocs.yml", "pyproject.toml"}
    expected |= {
        name for folder in ("stackc", "plugins", "recipes", "tests", "docs", "scripts") for name in _files(folder)
    }
    with tarfile.open(built.sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert expected <= found


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_readme_the_doctor_and_a_plugin_work_from_the_wheel(built: Built, tmp_path: Path) -> None:
    packages = ("stackc", *(path.name for path in (ROOT / "plugins").iterdir()))
    environment = Environment(tmp_path / "venv", without=packages)
    environment.install(built.wheel)
    home = tmp_path / "home"
    home.mkdir()
    where = "import stackc, stackc_torch, sys; print(stackc.__file__, stackc_torch.__file__, *sys.path)"
    assert str(ROOT) not in environment.script(home, where)

    readme = (ROOT / "README.md").read_text()
    python, shell = (
        re.findall(rf"^```{name}\n(.*?)^```", readme, re.DOTALL | re.MULTILINE) for name in ("python", "sh")
    )
    environment.script(home, python[0])  # builds runs/smoke
    book = (TEXT * 40).encode()
    (home / "book.txt").write_bytes(book)
    compress, decompress = shell[1].replace("three_level", "smoke").splitlines()
    environment.shell(home, f"{compress}\nrm book.txt\n{decompress}")
    assert (home / "book.txt").read_bytes() == book

    assert "all checks passed (" in environment.shell(home, "stackc doctor")
    pytest.importorskip("constriction", reason="the library that the plugin's coder rests on")
    package = shutil.copytree(ROOT / "docs" / "tutorial" / "stackc-rans", tmp_path / "stackc-rans")
    environment.install(package)
    assert environment.shell(home, "stackc plugins check rans").startswith("ok")
    assert " passed" in environment.run(package, "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_wheel_works_with_nothing_but_what_it_requires(built: Built, tmp_path: Path) -> None:
    """A real installation without extras, from the package index: no torch, no test packages."""
    environment = Environment(tmp_path / "venv", alone=True)
    environment.fetch(str(built.wheel))
    installed = {path.name for path in environment.packages.iterdir()}
    assert {"stackc", "numba"} <= installed
    assert not {"torch", "tensorboard", "pytest", "zstandard"} & installed
    corpus(tmp_path)
    (tmp_path / "counting.toml").write_text(counting())
    environment.run(tmp_path, "stackc", "build", "counting.toml", "--out", "made", "--quiet")
    environment.run(tmp_path, "stackc", "compress", "test.txt", "--stack", "made")
    environment.run(tmp_path, "stackc", "decompress", "test.txt.stk", "--stack", "made", "-o", "back.txt")
    assert (tmp_path / "back.txt").read_bytes() == (tmp_path / "test.txt").read_bytes()
    assert "all checks passed, 2 checks skipped (" in environment.run(tmp_path, "stackc", "doctor")
