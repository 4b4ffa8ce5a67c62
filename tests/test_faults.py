"""Full disks, read-only folders, files that change, two builds at once, clocks that jump, Ctrl-C: one clear line,
finished work kept, and the next run ends in the same bytes.

Disks are small tmpfs mounts where the tests may mount; the same faults made by hand are tried everywhere.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import stackc
from processes_of_tests import heard
from recipes_of_tests import TEXT, corpus, counting, mixed
from stackc.api.errors import ArtifactError, CorpusError, StackcError
from stackc.api.files import sha256_file
from stackc.cli import main

Mount = Callable[..., None]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, a recipe, its stack, a text and what it is compressed and encoded to."""
    folder = tmp_path_factory.mktemp("whole")
    corpus(folder)
    (folder / "recipe.toml").write_text(counting())
    stack = stackc.build(folder / "recipe.toml", folder / "stack")
    (folder / "text").write_bytes((TEXT * 60).encode())
    stackc.compress(folder / "text", folder / "text.stk", stack=stack)
    np.save(folder / "text.npy", stack.encode((folder / "text").read_bytes()))
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[tuple[Path, Mount]]:
    """A folder, and what mounts a small disk there with options."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(*options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "stackc-test", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk needs root")

    yield folder, mount
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def parts(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock" and "logs" not in path.parts]
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def built(recipe: Path, out: Path) -> str | None:
    """What a build fails with; None where it does not."""
    try:
        stackc.build(recipe, out)
    except ArtifactError as error:
        return str(error)
    return None


def fails(*arguments: object) -> str:
    """The one line that a command ends in."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


# --------------------------------------------------------------------------------------------------
# Disks


@pytest.mark.parametrize(("option", "step"), [("nr_inodes=", 1), ("size={}k", 12)], ids=["files", "bytes"])
def test_a_disk_that_is_full_at_every_place_of_a_build(
    whole: Path, disk: tuple[Path, Mount], option: str, step: int
) -> None:
    """A little more room each time: every build gets further, and the last has the same bytes."""
    folder, mount = disk
    option = option if "{}" in option else option + "{}"
    room, failures = step, 0
    mount(option.format(room))
    while True:
        error = built(whole / "recipe.toml", folder / "stack")
        if error is None:
            break
        assert "no space left on the disk; free some" in error
        assert error.startswith(str(folder))
        assert not list(folder.rglob("*.partial"))
        failures += 1
        room += step
        mount("remount", option.format(room))
    assert failures > 10
    assert parts(folder / "stack") == parts(whole / "stack")


def test_a_full_disk_of_outputs(whole: Path, disk: tuple[Path, Mount]) -> None:
    folder, mount = disk
    mount("size=4k")
    stack = whole / "stack"
    for arguments in (
        ("compress", whole / "text", "--stack", stack, "-o", folder / "out"),
        ("decompress", whole / "text.stk", "--stack", stack, "-o", folder / "out"),
        ("encode", stack, whole / "text", "-o", folder / "out.npy"),
        ("encode", stack, whole / "text", "-o", folder / "out.txt"),
        ("decode", stack, whole / "text.npy", "-o", folder / "out"),
    ):
        assert "no space left on the disk; free some" in fails(*arguments)
        assert os.listdir(folder) == [], "nothing half-written"


def test_a_read_only_disk(whole: Path, disk: tuple[Path, Mount]) -> None:
    """Nothing is written there, and a stack that lies there works."""
    import shutil

    folder, mount = disk
    mount("size=20m")
    shutil.copytree(whole / "stack", folder / "stack")
    mount("remount", "ro")
    stack, recipe = folder / "stack", whole / "recipe.toml"
    for arguments in (
        ("build", recipe, "--out", stack, "--set", "stack.seed=9"),
        ("build", recipe, "--out", folder / "new"),
        ("compress", whole / "text", "--stack", stack, "-o", folder / "out"),
        ("decompress", whole / "text.stk", "--stack", stack, "-o", folder / "out"),
        ("encode", stack, whole / "text", "-o", folder / "out.npy"),
    ):
        said = fails(*arguments)
        assert "Read-only file system" in said
        assert "check the folder and its permissions" in said
        assert str(folder) in said
    data = (whole / "text").read_bytes()
    assert stackc.load(stack).decode(stackc.load(stack).encode(data)) == data


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_refuses_at_every_write_of_a_build(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The same without a mount: the n-th write fails, for every n, each in the build that the last one left."""
    left, real = 0, os.fsync

    def refuse(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(code, os.strerror(code))
        real(file)

    monkeypatch.setattr(os, "fsync", refuse)
    failures = 0
    while True:
        left = failures % 10
        error = built(whole / "recipe.toml", tmp_path / "stack")
        if error is None:
            break
        assert ("no space left" if code == errno.ENOSPC else "check the folder and its permissions") in error
        failures += 1
        assert failures < 200
    assert failures > 10
    assert parts(tmp_path / "stack") == parts(whole / "stack")


def test_standard_output_that_is_full(whole: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    command = [sys.executable, "-m", "stackc", "decompress", str(whole / "text.stk"), "--stack", str(whole / "stack")]
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*command, "-o", "-"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "error: standard output: No space left on device\n")


def test_what_cannot_be_cached_is_compiled_all_the_same(disk: tuple[Path, Mount]) -> None:
    folder, mount = disk
    mount("size=16k")
    code = (
        "import numpy as np\nfrom stackc.coding.dictionary.preorder import index\nfrom stackc_coders import kernels\n"
        "assert index(np.array([-1, 0], np.int32), np.array([-1, 0], np.int32))[3].tolist() == [0, 1]\n"
        "kernels.start_window(np.zeros(4, np.int64), 16)\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache")}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


# --------------------------------------------------------------------------------------------------
# Files that change, two builds, clocks


def test_a_corpus_that_changes_while_it_is_read(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(counting())
    real = (tmp_path / "train-b.txt").read_text()
    opened: list[Path] = []
    import stackc_text.reader as reader

    pieces = reader.open_pieces

    def open_pieces(path: Path, *more: int) -> Iterator[bytes]:
        opened.append(path)
        if opened.count(tmp_path / "train-b.txt") == 1:  # it is read once
            (tmp_path / "train-b.txt").write_text("other text")
        yield from pieces(path, *more)

    monkeypatch.setattr(reader, "open_pieces", open_pieces)
    with pytest.raises(CorpusError, match=r"corpus\.train: its text changed while it was read; run the command"):
        stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    assert not (tmp_path / "stack" / "corpus" / "train" / "store.json").exists()
    monkeypatch.undo()
    (tmp_path / "train-b.txt").write_text(real)
    stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    assert parts(tmp_path / "stack") == parts(whole / "stack")


def test_a_source_that_changes_while_it_is_compressed(whole: Path, tmp_path: Path) -> None:
    from stackc.stack.stk_files import compress_file

    text, out = tmp_path / "text", tmp_path / "text.stk"
    text.write_bytes((whole / "text").read_bytes())

    def change(done: int) -> None:
        if text.stat().st_size == (whole / "text").stat().st_size:
            with text.open("ab") as file:
                file.write(b"more")

    with pytest.raises(StackcError, match="changed while it was read; nothing was kept, compress it again"):
        compress_file(text, out, stackc.load(whole / "stack"), report=change)
    assert os.listdir(tmp_path) == ["text"]


def test_two_builds_in_one_folder(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(mixed(steps=100_000))
    command = [sys.executable, "-m", "stackc", "build", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "stack")]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "stack" / "corpus" / "train" / "stage.json").exists():
            assert first.poll() is None
            time.sleep(0.05)
        said = fails(*command[3:])
        assert said == (
            f"error: {tmp_path / 'stack'}: another build (process {first.pid}) is running here; wait for it to end\n"
        )
    finally:
        first.kill()
        first.wait()


def test_clocks_that_jump(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of day jumps by years to and fro, the other clock stands still: nothing in a stack depends on them."""
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(mixed(steps=4))
    right = stackc.build(tmp_path / "recipe.toml", tmp_path / "right")
    rng, now = random.Random(1), time.time()
    still = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now + rng.choice([-1e9, -3600, 0, 3600, 1e9]))
    monkeypatch.setattr(time, "monotonic", lambda: still)
    stackc.build(tmp_path / "recipe.toml", tmp_path / "jumped", show="plain")
    monkeypatch.undo()
    assert parts(tmp_path / "jumped") == parts(right.folder)


# --------------------------------------------------------------------------------------------------
# Ctrl-C


LONG = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.mark.parametrize(
    ("name", "moments"),
    [
        ("compress", 1),
        ("decompress", 1),
        *(pytest.param(name, 25, marks=LONG) for name in ("build", "compress", "decompress", "encode", "bench")),
    ],
)
def test_ctrl_c(whole: Path, tmp_path: Path, name: str, moments: int) -> None:
    """To all processes of the command, as a terminal sends it, from when Python and the command line are loaded."""
    stack, text, rng = whole / "stack", tmp_path / "text", random.Random(moments)
    text.write_bytes((TEXT * (400 if moments == 1 else 4000)).encode())
    packed = tmp_path / "packed"
    if name == "decompress":
        stackc.compress(text, packed, stack=stack, verify=False)
    arguments = {
        "build": ["build", whole / "recipe.toml", "--out", tmp_path / "out"],
        "compress": ["compress", text, "--stack", stack, "-o", tmp_path / "out", "--force"],
        "decompress": ["decompress", packed, "--stack", stack, "-o", tmp_path / "out", "--force"],
        "encode": ["encode", stack, text, "-o", tmp_path / "out.npy", "--force"],
        "bench": ["bench", stack, text, "--against", "gzip", "--repeats", "3"],
    }[name]
    command = [sys.executable, "-m", "stackc", *map(str, arguments)]
    begun = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    seconds, interrupted = time.monotonic() - begun, 0
    before = parts(tmp_path)
    for _ in range(moments):
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=heard,
        )
        time.sleep(rng.uniform(0.3, 1.0 if moments > 1 else 0.6) * seconds)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (0, 130), said
        assert "Traceback" not in said
        if process.returncode == 130:
            interrupted += 1
            assert said.splitlines()[-1] == "interrupted"
        assert not list(tmp_path.rglob("*.partial"))
    assert interrupted or moments > 1 or process.returncode == 0
    subprocess.run(command, check=True, capture_output=True)
    assert parts(tmp_path) == before
