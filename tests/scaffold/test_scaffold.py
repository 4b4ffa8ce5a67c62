"""``stackc plugins new`` writes packages that pass their own tests, installed into a fresh environment."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from fresh import Environment
from stackc.cli import main
from stackc.parts.part import Source
from stackc.parts.registry import HOOKS, Registry, installed
from stackc.scaffold import MAX_NAME, VARIANTS, files, name_problem, part_name, write

LONGEST = "a-name-" + "x" * (MAX_NAME - len("a-name-"))
RECIPE = """\
[stack]
name = "all-four"

[corpus]
reader = "my-reader"
train = "*.tsv"
valid = "*.tsv"
column = 1

[[level]]
name = "M0"
  [level.windowing]
  kind = "whole"
  [level.coder]
  kind = "my-whole-windows"
  [level.tokens]
  bits = 8

[[level]]
name = "M1"
  [level.windowing]
  kind = "my-windowing"
  [level.coder]
  kind = "my-coder"
  [level.tokens]
  bits = 8

[top]
name = "M2"
  [top.model]
  backend = "my-model"
"""


@pytest.mark.parametrize(
    ("kind", "variant"), [*((kind, None) for kind in HOOKS), *((VARIANTS[one], one) for one in VARIANTS)]
)
def test_a_field_of_any_name_may_be_added(kind: str, variant: str | None) -> None:
    """A field called `bits` hid the function that declares fields from the scaffold's own ones."""
    source = files("my-part", kind, variant)["my_part.py"]
    name = re.search(r"^class (\w+Config):\n", source, re.MULTILINE)
    first = re.search(r"^    \w+: .* = fields\.", source, re.MULTILINE)
    assert name
    assert first
    added = "".join(f'    {one}: int = fields.bits(1, help="one")\n' for one in ("bits", "speed", "globs"))
    space: dict[str, object] = {"__name__": "my_part"}
    exec(compile(source[: first.start()] + added + source[first.start() :], "my_part.py", "exec"), space)
    config: Any = space[name[1]]
    assert {"bits", "speed", "globs"} <= set(attrs.fields_dict(config))


APART = pytest.mark.parametrize(
    "apart",
    [
        pytest.param(False, marks=pytest.mark.timeout(400)),
        pytest.param(True, marks=[pytest.mark.long, pytest.mark.timeout(900)]),
    ],
)


BITWISE = """\
[stack]
name = "bits"

[corpus]
reader = "text"
train = "*.txt"
test = "*.txt"

[[level]]
name = "M1"
  [level.model]
  backend = "my-bitwise"
  [level.windowing]
  kind = "whole"
  [level.coder]
  kind = "arithmetic"
  [level.tokens]
  bits = 8

[top]
name = "M2"
  [top.model]
  backend = "my-bitwise"
"""


@APART
def test_all_kinds_work_in_a_fresh_environment(tmp_path: Path, apart: bool) -> None:
    """Installed together: every one passes its tests and the check, and one recipe that uses all of them builds.

    A model that codes bit by bit builds as a level and on top, and codes a file in another process.
    `apart`, which is long, runs tests and commands in a process each, as the packages' authors do.
    """
    folders = {kind: write(f"my-{kind}", kind, tmp_path / "new") for kind in HOOKS}
    folders |= {one: write(f"my-{one}", kind, tmp_path / "new", one) for one, kind in VARIANTS.items()}
    environment = Environment(tmp_path / "venv")
    environment.install(*folders.values())
    options = ["-q", "-p", "no:cacheprovider"]
    if apart:
        for kind, folder in folders.items():
            assert " passed" in environment.run(folder, "pytest", *options), kind
    else:
        tests = [str(folder / "tests") for folder in folders.values()]
        said = environment.run(tmp_path, "pytest", *options, "-rA", "--import-mode=importlib", *tests)
        assert all(f"test_my_{kind.replace('-', '_')}.py::" in said for kind in folders), said
    (tmp_path / "corpus.tsv").write_text("".join(f"{i}\t{i % 97} and {i % 5}\n" for i in range(300)))
    (tmp_path / "recipe.toml").write_text(RECIPE)
    text = "".join(f"{i} bottles of beer on the wall, {i % 7}\n" for i in range(300))
    (tmp_path / "some.txt").write_text(text)
    (tmp_path / "bits.toml").write_text(BITWISE)
    listed, *checked, _, inspected, planned, _, _, stated = environment.commands(
        tmp_path,
        ["plugins", "list"],
        *(["plugins", "check", f"my-{kind}"] for kind in folders),
        ["build", "recipe.toml", "--out", "built"],
        ["inspect", "built"],
        ["build", "bits.toml", "--dry-run"],
        ["build", "bits.toml", "--out", "bits"],
        ["compress", "some.txt", "--stack", "bits"],
        ["inspect", "bits"],
        apart=apart,
    )
    assert "wrong" not in listed
    assert [said[:2] for said in checked] == ["ok"] * len(folders)
    assert "M1" in inspected
    memory = f"{(2 * 3 * 2**16 + 8 * (3 + 2 + 7)) / 1e3:.1f} kB of memory"  # counters, weights, history, scratch
    assert f"M1 codes with {memory} for each thread; M2 codes with {memory} for each thread" in planned
    assert stated.count(f"each thread codes with {memory}") == 2
    assert (tmp_path / "some.txt.stk").stat().st_size < len(text) / 3
    environment.run(tmp_path, "stackc", "decompress", "some.txt.stk", "--stack", "bits", "-o", "back.txt")
    assert (tmp_path / "back.txt").read_text() == text


def test_a_model_with_tables_too_large_for_the_memory_is_refused_in_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack would otherwise be trained first, and refused when its level is opened."""
    written = files("my-bitwise", "model", "bitwise")["my_bitwise.py"]
    module = types.ModuleType("my_bitwise")
    monkeypatch.setitem(sys.modules, "my_bitwise", module)
    exec(compile(written, "my_bitwise.py", "exec"), module.__dict__)
    found = Registry([*installed(), Source(plugin="my-bitwise", distribution="", version="", load=lambda: module)])
    monkeypatch.setattr("stackc.recipe.load.installed_parts", lambda: found)
    (tmp_path / "some.txt").write_text("some text\n")
    (tmp_path / "recipe.toml").write_text(BITWISE)
    plan = ["build", str(tmp_path / "recipe.toml"), "--dry-run", "--set", "run.memory=50"]
    assert CliRunner().invoke(main, plan).exit_code == 0
    done = CliRunner().invoke(main, [*plan, "--set", "top.model.slots=24"])
    assert done.exit_code == 2
    assert "run.memory: 50 MB, and a working copy of M2's model takes 101 MB; raise it" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "variant"), [*((kind, None) for kind in HOOKS), *((kind, one) for one, kind in VARIANTS.items())]
)
def test_what_is_written_keeps_its_format_with_a_name_of_any_length(kind: str, variant: str | None) -> None:
    assert name_problem(LONGEST, kind, Registry([])) is None
    for path, content in files(LONGEST, kind, variant).items():
        assert "${" not in content
        assert content.endswith("\n")
        if path.endswith(".py"):
            compile(content, path, "exec")
            assert max(map(len, content.splitlines())) <= 120, path


def test_the_part_is_called_without_stackc_in_front(tmp_path: Path) -> None:
    folder = write("stackc-wide", "coder", tmp_path)
    assert part_name("stackc-wide") == "wide"
    assert 'register("wide", make' in (folder / "stackc_wide.py").read_text()
    assert 'stackc-wide = "stackc_wide"' in (folder / "pyproject.toml").read_text()


def new(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["plugins", "new", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_the_command_says_what_it_wrote_and_what_comes_next(tmp_path: Path) -> None:
    code, out, err = new("my-coder", "--kind", "coder", "--out", str(tmp_path / "some" / "where"))
    assert (code, err) == (0, "")
    *written, last = out.splitlines()
    folder = tmp_path / "some" / "where" / "my-coder"
    assert written == [str(path) for path in sorted(folder.rglob("*")) if path.is_file()]
    assert [path.name for path in folder.parent.iterdir()] == ["my-coder"], "and nothing half-written beside it"
    assert last.startswith(f"Next: cd {folder} && pip install ")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("My-Coder", "use up to 30 lower-case letters"),
        ("my_coder", "use up to 30 lower-case letters"),
        ("../coder", "use up to 30 lower-case letters"),
        ("stackc-3d", "use up to 30 lower-case letters"),
        ("", "use up to 30 lower-case letters"),
        ("x" * 31, "use up to 30 lower-case letters"),
        ("arithmetic", "plugin 'coders' has a coder of that name"),
        ("stackc-gzip", "plugin 'coders' has a coder of that name"),
        ("coders", "a plugin of that name is installed"),
        ("stackc", "a plugin of that name is installed"),
        ("json", "Python, or a package that is installed, has a module of that name"),
        ("numpy", "Python, or a package that is installed, has a module of that name"),
        ("lambda", "Python, or a package that is installed, has a module of that name"),
        ("tests", "Python, or a package that is installed, has a module of that name"),
    ],
)
def test_names_that_cannot_be_had(tmp_path: Path, name: str, problem: str) -> None:
    code, out, err = new(name, "--kind", "coder", "--out", str(tmp_path))
    assert (code, out) == (2, "")
    assert err.startswith(f"error: a coder plugin named {name!r}: {problem}")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_name_of_another_kind_can_be_had() -> None:
    found = Registry([Source(plugin="words", distribution="", version="", load=lambda: None)])
    assert name_problem("arithmetic", "reader", found) is None
    assert name_problem("words", "reader", found) == "a plugin of that name is installed"


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "my-coder").mkdir()
    (tmp_path / "my-coder" / "mine.txt").write_text("mine")
    code, _, err = new("my-coder", "--kind", "coder", "--out", str(tmp_path))
    assert code == 2
    assert err == f"error: {tmp_path / 'my-coder'} exists already; choose another name, or another folder with --out\n"
    assert [path.name for path in tmp_path.rglob("*")] == ["my-coder", "mine.txt"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    code, _, err = new("my-coder", "--kind", "coder", "--out", str(tmp_path / "file"))
    assert code == 2
    assert err == f"error: {tmp_path / 'file' / 'my-coder'}: cannot write (Not a directory); choose another --out\n"


def test_variants(tmp_path: Path) -> None:
    code, _, err = new("my-coder", "--kind", "coder", "--variant", "whole-windows", "--out", str(tmp_path))
    assert (code, err) == (0, "")
    assert "whole: ClassVar[bool] = True" in (tmp_path / "my-coder" / "my_coder.py").read_text()
    code, _, err = new("my-model", "--kind", "model", "--variant", "whole-windows", "--out", str(tmp_path))
    assert code == 2
    assert err == "error: whole-windows is a variant of coder plugins, and this is a model plugin\n"
    code, _, err = new("my-model", "--kind", "model", "--variant", "whole", "--out", str(tmp_path))
    assert code == 2
    assert all(f"'{variant}'" in err for variant in VARIANTS)


def test_an_unknown_kind(tmp_path: Path) -> None:
    code, _, err = new("my-coder", "--kind", "codec", "--out", str(tmp_path))
    assert code == 2
    assert "'codec' is not one of 'model', 'coder', 'windowing', 'reader'" in err
    assert err.count("\n") == 1
