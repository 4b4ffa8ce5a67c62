"""Names and patterns of files: links between folders, and names that begin with ~."""

from __future__ import annotations

import glob
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from recipes_of_tests import counting
from stackc.api.errors import CorpusError
from stackc.api.names import _matches, corpus_files, expanded

PATTERNS = (
    "**/*.txt", "**", "**/*", "a/**/x.txt", "*/**/*", "**/a/**/*.txt", "**/.h/*.txt", "**/**/*.txt", "a.b/**", "*/*",
)  # fmt: skip


def tree(root: Path, seed: int) -> None:
    """Folders and files at random, some with names that are patterns, and links to folders that close no circle."""
    draw = random.Random(seed)
    folders = [root]
    root.mkdir()
    for _ in range(draw.randint(2, 7)):
        folder = draw.choice(folders) / draw.choice(["a", "a.b", "b", "z", "-x", ".h", "a b", "[q]"])
        if not folder.exists():
            folder.mkdir()
            folders.append(folder)
    for folder in folders:
        for name in draw.sample(["x.txt", "y.md", ".hid.txt", "A.txt", "b.txt"], draw.randint(0, 4)):
            (folder / name).touch()
    ends = [folder for folder in folders if not any(path.is_dir() for path in folder.iterdir())]
    for name in draw.sample(["l", "0l", "zl"], draw.randint(0, 3)):
        place = draw.choice([folder for folder in folders if folder not in ends] or [root])
        (place / name).symlink_to(draw.choice(ends))  # an end has no links in it


def files(matches: list[str]) -> list[str]:
    found: dict[str, str] = {}
    for match in sorted(matches):
        if os.path.isfile(match):
            found.setdefault(os.path.realpath(match), match)
    return list(found.values())


@pytest.mark.parametrize("seed", range(25))
def test_without_circles_files_and_order_are_those_of_glob(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path / "corpus", seed)
    monkeypatch.chdir(tmp_path / "corpus")
    for pattern in PATTERNS:
        for full in (pattern, f"{tmp_path}/corpus/{pattern}"):
            expected = files(glob.glob(full, recursive=True))
            assert files(list(_matches(full))) == expected, full
            if expected:
                assert corpus_files("train", full) == [Path(name) for name in expected]


def test_folders_that_link_to_each_other_are_entered_once(tmp_path: Path) -> None:
    for i in range(12):  # 12! ways through them
        (tmp_path / f"{i:02d}").mkdir()
        (tmp_path / f"{i:02d}" / "text.txt").touch()
        for j in range(12):
            (tmp_path / f"{i:02d}" / f"to{j:02d}").symlink_to(f"../{j:02d}")
    (tmp_path / "self").symlink_to(".")
    (tmp_path / "00" / "up").symlink_to("..")
    (tmp_path / "never").symlink_to("never")
    (tmp_path / "nowhere").symlink_to("not there")
    for pattern in ("**/*.txt", "**", "*/**/*.txt", "**/to03/**/*.txt", "**/**/*"):
        if pattern.endswith(("**", "/*")):  # these match the links that lead nowhere, too
            for name in "never", "nowhere":
                with pytest.raises(CorpusError, match=f"{name} is a link to what is not there"):
                    corpus_files("train", f"{tmp_path}/{pattern}")
                (tmp_path / name).rename(tmp_path / f".{name}")
        found = corpus_files("train", f"{tmp_path}/{pattern}")
        assert len({os.path.realpath(path) for path in found}) == len(found) == 12
        assert found == corpus_files("train", f"{tmp_path}/{pattern}")
        for name in "never", "nowhere":
            if (tmp_path / f".{name}").is_symlink():
                (tmp_path / f".{name}").rename(tmp_path / name)


def test_a_link_whose_file_is_gone_is_not_left_out(tmp_path: Path) -> None:
    """A corpus of links to a disk that was not there was read without them, and nothing said so."""
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").symlink_to(tmp_path / "disk" / "b.txt")
    for pattern in "*.txt", "b.txt", "**/*.txt":
        with pytest.raises(
            CorpusError, match=r"^corpus.train: \S+/b.txt is a link to what is not there; restore or remove"
        ):
            corpus_files("train", f"{tmp_path}/{pattern}")
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "b.txt").touch()
    assert len(corpus_files("train", f"{tmp_path}/*.txt")) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root looks into every folder")
def test_a_folder_that_may_not_be_looked_into(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "a.txt").touch()
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(CorpusError, match=r"shut/: cannot look into the folder \(Permission denied\)"):
        corpus_files("train", f"{tmp_path}/**/*.txt")


def test_an_error_of_the_disk_is_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").touch()

    def scandir(path: str) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("stackc.api.names.os.scandir", scandir)
    with pytest.raises(CorpusError, match=r"cannot look into the folder \(Input/output error\)"):
        corpus_files("train", f"{tmp_path}/**/*.txt")


# -- names that begin with ~


NO_USER = ("~nosuchuser", "~no such user/x", "~t.txt", "~\0", "~\udcff", "~" + "x" * 300)


@pytest.mark.parametrize("name", NO_USER)
def test_what_names_no_user_is_a_name(name: str) -> None:
    assert expanded(name) == Path(name)


def test_home_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/a") == tmp_path / "a"
    assert expanded("~root/a") == Path(os.path.expanduser("~root/a"))
    assert expanded("a/~") == Path("a/~")


def test_everywhere_that_a_user_names_a_file(tmp_path: Path) -> None:
    (tmp_path / "~t.txt").write_text("some text\n" * 50)
    recipe = counting()
    (tmp_path / "~t.toml").write_text(recipe)
    code = "import sys; from stackc.cli import run; run()"

    def stackc(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | variables,
        )  # fmt: skip

    done = stackc("build", "~t.toml", "--set", "corpus.train=~t.txt", "--set", "corpus.valid=[]", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    done = stackc("build", "~no.toml", "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ~no.toml: no such recipe file")
    done = stackc("decompress", "~t.txt", "-o", "out", STACKC_PATH="~nosuchuser")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


def test_no_other_place_expands_names() -> None:
    """One function does, so that one place knows what to do with a name that is no user's."""
    root = Path(__file__).parents[2]
    sources = [path for folder in ("stackc", "plugins") for path in (root / folder).rglob("*.py")]
    found = [path.name for path in sources if "expanduser" in path.read_text() or "Path.home" in path.read_text()]
    assert found == ["names.py"]
