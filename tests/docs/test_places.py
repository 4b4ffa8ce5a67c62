"""Every file, folder and module that the documents name in backticks exists: a page cannot lag behind a move."""

from __future__ import annotations

import fnmatch
import functools
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
TOPS = "stackc", "plugins", "tests", "docs", "recipes", "scripts", ".github"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
READERS_OWN = re.compile(r"(tests/test_)?my_\w+\.py|recipes/mine\.toml")
"""Files of the examples, which the reader makes."""


def places(text: str) -> list[str]:
    """The paths and dotted modules in a page's backticks and shell blocks."""
    blocks = [code for language, code in FENCED.findall(text) if language == "sh"]
    prose = FENCED.sub("\n", text)
    spans = [span for paragraph in prose.split("\n\n") for span in re.findall(r"`([^`]+)`", paragraph)]
    words = " ".join([*blocks, *spans]).replace("(", " ").split()
    found = [word.strip(".,;:)'\"").removeprefix("./").partition("::")[0] for word in words]
    return [word for word in found if is_place(word)]


def is_place(word: str) -> bool:
    if READERS_OWN.fullmatch(word) or not re.fullmatch(r"[\w.*/-]+", word):
        return False
    return word.startswith(tuple(f"{top}/" for top in TOPS)) or bool(
        re.fullmatch(r"[\w/-]+\.py|stackc(_\w+)?(\.\w+)+", word)
    )


@functools.cache
def tree() -> list[str]:
    found = [path.relative_to(ROOT).as_posix() for top in TOPS for path in [ROOT / top, *(ROOT / top).rglob("*")]]
    return [f"/{path}" for path in found]


def exists(place: str) -> bool:
    """A path may leave out the folders before it, which its sentence or table is about."""
    if "/" in place or place.endswith(".py"):
        pattern = place.rstrip("/")
        return any(fnmatch.fnmatchcase(path, f"*/{pattern}") for path in tree())
    module, names = place, list[str]()
    while module:
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError:
            module, _, name = module.rpartition(".")
            names.insert(0, name)
        else:
            for name in names:
                found = getattr(found, name, None)
            return found is not None
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    missing = sorted({place for place in places(page.read_text()) if not exists(place)})
    assert not missing, f"{page.relative_to(ROOT)} names what is not there: {', '.join(missing)}"


def test_what_is_missing_is_found() -> None:
    text = "See `stackc/flat.py`, `stackc.flat.Level`, `pytest tests/test_flat.py::test_a`, `level.py`.\n"
    text += "```sh\npython tests/nowhere/run.py STACK\n```\n"
    missing = ["stackc/flat.py", "stackc.flat.Level", "tests/test_flat.py", "tests/nowhere/run.py"]
    assert [place for place in places(text) if not exists(place)] == [missing[3], *missing[:3]]
    assert "level.py" in places(text)
