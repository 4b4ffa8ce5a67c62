"""Compiled loops: an edit of any source of a kernel counts, an edit of anything else recompiles nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stackc
from processes_of_tests import Warm
from stackc.api import kernels as kernel

KERNELS = """
from stackc.api import kernel, kernel_of
from toys.near import NEAR, double
from . import away
import toys.deep.constants as C

@kernel
def late(x):
    return double(x) + NEAR + away.FAR + C.DEEP

@kernel_of("int64(int64)")
def early(x):
    return x + NEAR
"""

FILES = {
    "toys/__init__.py": "from toys import unrelated\n",
    "toys/kernels.py": KERNELS,
    "toys/near.py": (
        "from stackc.api import kernel\nNEAR = 1\n@kernel\ndef double(x):\n    return 2 * x\n"
        "def later():\n    from toys import unrelated\n"
    ),
    "toys/away.py": (
        "try:\n    from .farther import (  # (a comment)\n        FAR,\n    )\nexcept ImportError:\n    raise\n"
    ),
    "toys/farther.py": "FAR = 10\n",
    "toys/deep/__init__.py": "",
    "toys/deep/constants.py": "from beside import DEEP\n",
    "beside.py": "DEEP = 100\n",
    "toys/unrelated.py": "X = 1\n",
}

ASK = """
import json
from toys.kernels import early, late
answers = late(3), early(3)
stats = [kernel.stats for kernel in (late, early)]
print(json.dumps([*answers, sum(map(lambda one: sum(one.cache_hits.values()), stats))]))
"""


@pytest.fixture
def toys(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


PROCESS = """
import os, sys
folder, code = sys.argv[1:]
sys.dont_write_bytecode = True  # an edit within a second that leaves the size would not count
sys.path.insert(0, folder)
sys.stdout = open(os.path.join(folder, "said"), "w")
os.dup2(sys.stdout.fileno(), 2)
os.environ["NUMBA_CACHE_DIR"] = os.path.join(folder, "cache")
numba.core.config.reload_config()
exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
"""


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    """Processes that have imported numba, which takes most of their time, and nothing of stackc."""
    made = Warm("numba")
    yield made
    made.close()


Run = Callable[[str], tuple[int, str]]
Ask = Callable[..., list[int]]


@pytest.fixture
def run(warm: Warm, toys: Path) -> Run:
    """The exit code of code in a process of its own, and what it wrote."""

    def call(code: str) -> tuple[int, str]:
        ended = warm.start("import numba\n" + PROCESS, str(toys), code).wait()
        return ended, (toys / "said").read_text()

    return call


@pytest.fixture
def ask(run: Run) -> Ask:
    """The answers of both kernels, and how many were read from the cache."""

    def call(code: str = ASK) -> list[int]:
        ended, said = run(code)
        assert ended == 0, said
        answers: list[int] = json.loads(said)
        return answers

    return call


def ask_alone(folder: Path, code: str = ASK) -> list[int]:
    """The same in a process that shares nothing with others: neither hashes of strings nor numbers that numba draws."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # as in `PROCESS`
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[int] = json.loads(done.stdout)
    return answers


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_inlined_function_can_be_called_from_python_and_from_a_kernel() -> None:
    """numba compiles it without what Python needs to call it, and would crash."""

    @kernel.inlined
    def double(x: int) -> int:
        return 2 * x

    @kernel.kernel
    def twice(x: int) -> int:
        return double(double(x))

    assert (double(3), twice(3), double(4)) == (6, 12, 8)


def test_an_edit_of_what_a_kernel_uses_counts_and_no_other(toys: Path, ask: Ask) -> None:
    assert ask_alone(toys) == [117, 4, 0]
    assert ask_alone(toys) == [117, 4, 2]
    for name in ("toys/unrelated.py", "toys/__init__.py"):
        edit(toys / name, "\n", "\nY = 2\n")
    assert ask() == [117, 4, 2]
    edit(toys / "toys/near.py", "NEAR = 1", "NEAR = 2")  # a constant of a neighbour, and what is compiled at once
    assert ask() == [118, 5, 0]
    edit(toys / "toys/near.py", "2 * x", "3 * x")  # a kernel of a neighbour
    assert ask() == [121, 5, 0]
    edit(toys / "toys/farther.py", "10", "20")  # two imports away
    assert ask() == [131, 5, 0]
    edit(toys / "beside.py", "100", "300")  # a module of its own in the same folder
    assert ask() == [331, 5, 0]


def test_of_stackc_only_what_kernels_import_counts() -> None:
    folder = Path(stackc.__file__).parents[1]
    walk = kernel._sources("stackc.coding.dictionary.encoding", str(folder / "stackc/coding/dictionary/encoding.py"))
    assert set(walk) == {
        "stackc.coding.dictionary.encoding",
        "stackc.api.arrays",
        "stackc.api.intrinsics",
        "stackc.api.kernels",
        "stackc.api.errors",
        "stackc.api.late",
        "stackc.api.version",
    }


def test_of_a_plugin_what_kernels_import_counts() -> None:
    path = Path(stackc.__file__).parents[1] / "plugins" / "stackc_torch" / "transformer" / "few.py"
    few = set(kernel._sources("stackc_torch.transformer.few", str(path)))
    near = {"stackc_torch.frozen.rules", "stackc_torch.frozen.kernels", "stackc_torch.transformer.kernels"}
    assert {*near, "stackc.api.limits", "stackc.api.kernels"} <= few
    assert not few & {
        "stackc_torch",
        "stackc_torch.training",
        "stackc_torch.transformer.network",
        "stackc.coding.level",
        "stackc.stack.stack",
        "stackc.cli",
    }


def test_a_file_that_changed_since_the_process_began_is_not_kept(toys: Path, ask: Ask) -> None:
    code = (
        "import stackc, toys.near, pathlib, time\n"
        "path = pathlib.Path(toys.near.__file__)\n"
        "path.write_text(path.read_text().replace('NEAR = 1', 'NEAR = 5'))\n"
    )
    assert ask(code + ASK) == [117, 4, 0]  # this process runs what it imported
    assert ask()[:2] == [121, 8]


def test_two_processes_with_different_sources_leave_each_other_no_code(toys: Path, ask: Ask) -> None:
    """One wrote the index, the other the code."""
    ask()
    old = {path.name: path.read_bytes() for path in (toys / "cache").rglob("*.nbc")}
    edit(toys / "toys/near.py", "NEAR = 1", "NEAR = 2")
    assert ask()[:2] == [118, 5]
    for path in (toys / "cache").rglob("*.nbc"):
        path.write_bytes(old[path.name])
    assert ask()[:2] == [118, 5]


def test_kernels_in_an_archive_and_without_a_source_work(toys: Path, ask: Ask, run: Run) -> None:
    with zipfile.ZipFile(toys / "toys.zip", "w") as archive:
        for name in FILES:
            archive.write(toys / name, name)
    shutil.rmtree(toys / "toys")
    assert ask(f"import sys; sys.path.insert(0, {str(toys / 'toys.zip')!r})\n" + ASK)[:2] == [117, 4]
    code = (
        "from stackc.api import kernel\nspace = {'kernel': kernel}\n"
        "exec('@kernel\\ndef f(x):\\n    return x + 1\\n', space)\nprint(space['f'](1))\n"
    )
    assert run(code) == (0, "2\n")


def test_a_damaged_cache_is_compiled_again(toys: Path, ask: Ask) -> None:
    ask()
    for path in (toys / "cache").rglob("*.nb?"):
        path.write_bytes(path.read_bytes()[:40])
    assert ask()[:2] == [117, 4]
    assert ask() == [117, 4, 2]


def test_the_sources_of_all_kernels_are_read_within_the_start() -> None:
    """7 ms on one core of an AMD EPYC for all modules named after kernels; the bounds only catch a cascade."""
    folder = Path(stackc.__file__).parents[1]
    found = [folder / "stackc/coding/dictionary/encoding.py", *sorted((folder / "plugins").rglob("*kernels.py"))]
    kernel._read.clear()
    begun = time.process_time()
    for path in found:
        home = folder if "plugins" not in path.relative_to(folder).parts else folder / "plugins"
        kernel._digest(".".join(path.relative_to(home).with_suffix("").parts), str(path))
    assert time.process_time() - begun < 0.1
    assert len(kernel._read) < 5 * len(found)


def test_without_its_compiler_stackc_says_so_in_a_line(tmp_path: Path) -> None:
    line = "NUMBA_DISABLE_JIT is set, and stackc codes by compiled loops only: unset NUMBA_DISABLE_JIT"
    build = "import sys; sys.argv[1:] = ['build', 'smoke', '--out', 'out', '--quiet']\n"
    for code, ends in ((build, 2), ("import sys; sys.argv[1:] = ['plugins', 'list']\n", 0)):
        ended = subprocess.run(
            [sys.executable, "-c", code + "from stackc.cli import run; run()"],
            env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == ends, ended.stderr
        assert "Traceback" not in ended.stderr
        assert not ends or ended.stderr == f"error: {line}\n"


COMPOSED = """
import json
from stackc.api.kernels import composed
import toys.loops as loops, toys.near as near, toys.other as other

def hits(made):
    return sum(made.stats.cache_hits.values())

first, second = composed(loops.twice, near.double), composed(loops.twice, other.triple)
print(json.dumps([first(5), second(5), hits(first) + hits(second)]))
"""


def test_a_loop_around_kernels_of_other_modules_is_kept(toys: Path) -> None:
    """Also where two are made of one function; and it is compiled anew where a kernel's source changes."""
    loop = "def twice(f):\n    def loop(x):\n        return f(f(x))\n    return loop\n"
    (toys / "toys/loops.py").write_text(loop)
    (toys / "toys/other.py").write_text("from stackc.api import kernel\n@kernel\ndef triple(x):\n    return 3 * x\n")
    assert ask_alone(toys, COMPOSED) == [20, 45, 0]
    assert ask_alone(toys, COMPOSED) == [20, 45, 2]
    edit(toys / "toys/other.py", "3 * x", "4 * x")
    assert ask_alone(toys, COMPOSED) == [20, 80, 1]
    edit(toys / "toys/loops.py", "f(f(x))", "f(x)")
    assert ask_alone(toys, COMPOSED) == [10, 20, 0]


def test_a_loop_around_what_is_nested_in_a_function_is_not_kept(toys: Path) -> None:
    """Two such functions have one name."""
    (toys / "toys/loops.py").write_text("def twice(f):\n    def loop(x):\n        return f(f(x))\n    return loop\n")
    code = """
import json
from stackc.api import kernel
from stackc.api.kernels import composed
import toys.loops as loops

def adding(n):
    def add(x):
        return x + n
    return kernel(add)

made = [composed(loops.twice, adding(n)) for n in (1, 2)]
print(json.dumps([*(one(5) for one in made), sum(sum(one.stats.cache_hits.values()) for one in made)]))
"""
    assert ask_alone(toys, code) == [7, 9, 0]
    assert ask_alone(toys, code) == [7, 9, 0]


MANY = """
import json, math, sys
import numpy as np
from stackc.api import kernel

@kernel
def called(text, x):
    if x > 1:
        raise ValueError("more than one")
    return hash(text), math.lgamma(x), np.arange(x + 2)

@kernel
def new(x):
    return np.full(3, x)

answers = called("abc", 1)
try:
    called("abc", 2)
except ValueError as error:
    assert str(error) == "more than one"
assert answers[:2] == (hash("abc"), 0) and answers[2].tolist() == [0, 1, 2]
found = ["extension" in sys.modules, sum(called.stats.cache_hits.values())]
if "new" in sys.argv:
    assert new(2).tolist() == [2, 2, 2]
print(json.dumps([*found, "extension" in sys.modules]))
"""


def test_kept_kernels_load_no_extensions_of_numba_and_whatever_they_call_is_there(toys: Path) -> None:
    """A process that compiles nothing does not import what only compiling needs, and may still compile later."""
    (toys / "many.py").write_text(MANY)
    (toys / "extension.py").write_text("def init():\n    pass\n")
    (toys / "extension-1.dist-info").mkdir()
    (toys / "extension-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: extension\nVersion: 1\n")
    (toys / "extension-1.dist-info/entry_points.txt").write_text("[numba_extensions]\ninit = extension:init\n")
    assert ask_alone(toys, "import many") == [True, 0, True]
    assert ask_alone(toys, "import many") == [False, 1, False]
    assert ask_alone(toys, "import sys; sys.argv.append('new'); import many") == [False, 1, True]
