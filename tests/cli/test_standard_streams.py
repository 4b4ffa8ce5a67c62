"""Standard input and output: nothing is lost in them, nothing but data is on them, and any of them may be closed."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

import stackc
from recipes_of_tests import corpus, counting
from stackc.cli import COMMANDS, main
from stackc.cli.command import Command
from stream_toys import DATA, PIPE, Sparing
from warm_processes import Runs, warm_processes

STACKC = [sys.executable, "-m", "stackc"]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the stack S, a text, its tokens and its `.stk`; the current one."""
    folder = tmp_path_factory.mktemp("streams")
    corpus(folder)
    (folder / "recipe.toml").write_text(counting())
    stack = stackc.build(folder / "recipe.toml", folder / "S")
    (folder / "t.txt").write_bytes(DATA)
    shutil.copytree(folder / "S", folder / "copy")
    (folder / "sweep.toml").write_text('base = "recipe.toml"\nseeds = 2\n')
    stackc.compress(folder / "t.txt", stack=stack)
    np.save(folder / "t.npy", stack.encode(DATA))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def test_a_stack_codes_between_raw_files(here: Path) -> None:
    stack = stackc.load("S")
    packed, back = Sparing(), Sparing()
    made = stack.compress(Sparing(DATA), packed, block_size=999)
    assert made.written == len(packed.data)
    stack.decompress(Sparing(bytes(packed.data)), back)
    assert bytes(back.data) == DATA


# --------------------------------------------------------------------------------------------------
# Commands whose standard output is slow, stopped, closed or full


def _full(read: int) -> bool:
    return struct.unpack("i", fcntl.ioctl(read, termios.FIONREAD, b"\0" * 4))[0] == PIPE


@pytest.mark.parametrize(
    ("arguments", "blocking"),
    [
        (["decompress", "t.txt.stk", "--stack", "S", "-o", "-"], True),
        (["decompress", "t.txt.stk", "--stack", "S", "-o", "-", "--range", "5:"], False),
        (["plugins", "list", "--json"], True),
        (["plugins", "list", "--json"], False),
    ],
)
def test_an_unbuffered_output_that_is_stopped_or_non_blocking(here: Path, arguments: list[str], blocking: bool) -> None:
    expected = DATA[5:] if "--range" in arguments else DATA
    if arguments[0] == "plugins":
        expected = subprocess.run([*STACKC, *arguments], check=True, capture_output=True).stdout
    assert len(expected) > PIPE
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, PIPE)
    os.set_blocking(write, blocking)
    child = subprocess.Popen([*STACKC, *arguments], stdout=write, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    os.close(write)
    while not _full(read):
        assert child.poll() is None
        time.sleep(0.01)
    got = b""
    for turn in range(10**6):
        if turn < 3 and blocking:
            child.send_signal(signal.SIGSTOP)
            time.sleep(0.05)
            child.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        piece = os.read(read, 1000)
        if not piece:
            break
        got += piece
    os.close(read)
    assert (child.wait(timeout=60), got == expected) == (0, True)


def test_an_input_that_is_non_blocking(here: Path) -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    command = [*STACKC, "compress", "-", "--stack", "S", "-o", "slow.stk", "--quiet"]
    child = subprocess.Popen(command, stdin=read)
    os.close(read)
    for at in range(0, len(DATA), 7000):
        os.write(write, DATA[at : at + 7000])
        time.sleep(0.3)
    os.close(write)
    assert child.wait(timeout=60) == 0
    stackc.decompress("slow.stk", "slow", stack="S")
    assert Path("slow").read_bytes() == DATA


@pytest.fixture(scope="module")
def runs(here: Path) -> Iterator[Runs]:
    """The exit codes of commands, each in its own process (`warm_processes`)."""
    with warm_processes() as call:
        yield call


EVERY = {
    "build": ["build", "recipe.toml", "--out", "S", "--quiet"],
    "dry run": ["build", "recipe.toml", "--out", "S", "--dry-run"],
    "encode": ["encode", "S", "t.txt", "-o", "out.bin", "--force"],
    "encode -": ["encode", "S", "-", "-o", "-"],
    "decode": ["decode", "S", "t.npy", "-o", "out", "--force"],
    "decode -": ["decode", "S", "-", "-o", "-"],
    "eval": ["eval", "S", "t.txt"],
    "eval -": ["eval", "S", "-", "--json"],
    "compress": ["compress", "t.txt", "--stack", "S", "-o", "out.stk", "--force"],
    "compress -": ["compress", "-", "--stack", "S", "-o", "-"],
    "decompress": ["decompress", "t.txt.stk", "--stack", "S", "-o", "out", "--force"],
    "decompress -": ["decompress", "-", "--stack", "S", "-o", "-"],
    "salvage": ["decompress", "t.txt.stk", "--salvage", "--stack", "S", "-o", "out", "--force"],
    "export": ["export", "S", "t.txt", "--to", "bin", "-o", "out.bin", "--force"],
    "verify": ["verify", "t.txt.stk", "--stack", "S"],
    "inspect": ["inspect", "S"],
    "inspect file": ["inspect", "t.txt.stk", "--json"],
    "report": ["report", "S", "--sample", "100", "-o", "out.html", "--force"],
    "bench -": ["bench", "S", "-", "--against", "gzip", "--repeats", "1"],
    "bench": ["bench", "S", "t.txt", "--against", "nothing"],
    "generate": ["generate", "S", "--tokens", "4"],
    "pack": ["pack", "S", "-o", "S.pack", "--force"],
    "sweep": ["sweep", "sweep.toml", "--dry-run"],
    "compare": ["compare", "S", "copy"],
    "plugins list": ["plugins", "list"],
    "plugins check": ["plugins", "check", "fixed-token"],
    "plugins new": ["plugins", "new", "made", "--kind", "reader", "--out", "made"],
    "doctor": ["doctor", "--device", "cpu"],
}


NEEDS_NO_OUTPUT = {
    "build", "encode", "decode", "compress", "decompress", "salvage", "export", "verify", "report", "pack",
    "plugins new",
}  # fmt: skip


def test_every_command_with_closed_streams(here: Path, runs: Runs) -> None:
    assert set(COMMANDS) == {arguments[0] for arguments in EVERY.values()}
    names = list(EVERY)
    codes = runs([(EVERY[name], (None, None, f"said{number}")) for number, name in enumerate(names)])
    for number, name in enumerate(names):
        said = Path(f"said{number}").read_text()
        if name in NEEDS_NO_OUTPUT:
            assert codes[number] == 0, (name, said)
            assert "error" not in said
        else:
            assert codes[number] == 2, (name, said)
            assert said.count("\n") == 1, (name, said)
            assert said.startswith("error: "), (name, said)
            assert "closed" in said or name == "bench", (name, said)


def test_without_standard_error_work_is_done(here: Path, runs: Runs) -> None:
    names = ["compress", "decompress", "encode", "plugins list", "decode"]
    codes = runs([(EVERY[name], ("t.txt", f"got{name}", None)) for name in names])
    assert codes == [0] * len(names)
    assert Path("out").read_bytes() == DATA
    assert "fixed-token" in Path("gotplugins list").read_text()


def test_opened_files_do_not_take_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(
        "import contextlib\nfrom stackc.api import streams\nstreams.take()\nfile = open('own', 'w')\n"
        "with contextlib.suppress(OSError):\n    print('lost', flush=True)\nfile.write('kept')\n"
    )
    command = f"exec {sys.executable} code.py <&- >&- 2>&-"
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False)
    assert (tmp_path / "own").read_text() == "kept"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_an_output_that_is_full(here: Path, runs: Runs) -> None:
    jobs = [
        ["--help"], ["--version"], ["compress", "--help"], ["plugins", "list"], ["inspect", "S", "--json"],
        ["compress", "t.txt", "--stack", "S", "-o", "-"], ["generate", "S", "--tokens", "4"],
        ["compress", "t.txt", "t.txt", "--stack", "S", "-o", "-"],
    ]  # fmt: skip
    codes = runs([(job, ("/dev/null", "/dev/full", f"said{number}")) for number, job in enumerate(jobs)])
    assert codes == [2] * len(jobs)
    for number, job in enumerate(jobs):
        lines = Path(f"said{number}").read_text().splitlines(keepends=True)
        wanted = 2 if job.count("t.txt") == 2 else 1
        assert lines == ["error: standard output: No space left on device\n"] * wanted, job
    said = [(["compress", "t.txt", "--stack", "S", "-o", "full.stk"], ("/dev/null", "got", "/dev/full"))]
    assert runs(said) == [0], "what cannot be said is no reason to lose the work"


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_a_reader_that_has_enough(here: Path, output: str) -> None:
    command = [*STACKC, "decompress", "t.txt.stk", "--stack", "S", "-o", output]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    said = child.communicate(timeout=60)[1]
    assert (child.returncode, said) == (1, b"")


# --------------------------------------------------------------------------------------------------
# Standard output is kept for data

NOISY = """
import atexit, ctypes, os, subprocess, sys
print("NOISE")
sys.stdout.write("NOISE"); sys.stdout.flush()
sys.stdout.buffer.write(b"NOISE")
os.write(1, b"NOISE")
ctypes.CDLL(None).puts(b"NOISE")
subprocess.run(["echo", "NOISE"])
atexit.register(print, "NOISE")
"""


@pytest.fixture(scope="module")
def noisy(here: Path) -> str:
    """A folder for PYTHONPATH with a plugin that prints in every way."""
    made = here / "noisy" / "noisy-1.dist-info"
    made.mkdir(parents=True)
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1\n")
    (made / "entry_points.txt").write_text("[stackc]\nnoisy = noisy_plugin\n")
    (here / "noisy" / "noisy_plugin.py").write_text(NOISY)
    return str(here / "noisy")


def test_what_plugins_print_is_not_among_data(here: Path, runs: Runs, noisy: str) -> None:
    jobs = [
        ["compress", "t.txt", "--stack", "S", "-o", "-"],
        ["decompress", "t.txt.stk", "--stack", "S", "-o", "-"],
        ["decompress", "t.txt.stk", "--stack", "S", "-o", "/dev/stdout"],
        ["decompress", "t.txt.stk", "--stack", "S", "-o", "/proc/self/fd/1", "--range", "7:99"],
        ["encode", "S", "t.txt", "-o", "-"],
        ["decode", "S", "t.npy", "-o", "-"],
        ["export", "S", "t.txt", "--to", "bin", "-o", "/dev/stdout"],
        ["export", "S", "t.txt", "--to", "parquet", "-o", "/dev/stdout"],
        ["report", "S", "--sample", "100", "-o", "/dev/stdout"],
        ["generate", "S", "--prompt", "It", "--tokens", "4"],
        ["eval", "S", "t.txt"],
        ["eval", "S", "t.txt", "--json"],
        ["plugins", "list", "--json"],
        ["verify", "t.txt.stk", "--stack", "S"],
    ]
    places = [("/dev/null", f"got{number}", f"said{number}") for number in range(len(jobs))]
    assert runs(list(zip(jobs, places, strict=True)), noisy) == [0] * len(jobs)
    got = [Path(f"got{number}").read_bytes() for number in range(len(jobs))]
    for number, job in enumerate(jobs):
        assert b"NOISE" not in got[number], job
        assert Path(f"said{number}").read_bytes().count(b"NOISE") == 7, job
    assert got[0] == Path("t.txt.stk").read_bytes() or len(got[0]) == Path("t.txt.stk").stat().st_size
    assert got[1:4] == [DATA, DATA, DATA[7:99]]
    assert got[5] == DATA
    assert got[7][:4] == got[7][-4:] == b"PAR1"
    assert got[8].lstrip().lower().startswith(b"<!doctype html")
    assert got[8].rstrip().endswith(b"</html>")
    assert got[9].startswith(b"It")
    for number in (11, 12):
        assert json.loads(got[number])


def test_what_follows_in_a_shell_follows_what_was_written(here: Path) -> None:
    command = f"{sys.executable} -m stackc decompress t.txt.stk --stack S -o /dev/stdout; echo end"
    with open("whole", "wb") as whole:
        subprocess.run(["sh", "-c", command], stdout=whole, check=True)
    assert Path("whole").read_bytes() == DATA + b"end\n"


def test_every_command_keeps_standard_output() -> None:
    def commands(one: click.Command | None, path: str) -> Iterator[tuple[str, click.Command]]:
        assert one is not None
        if isinstance(one, click.Group):
            context = click.Context(one)
            for name in one.list_commands(context):
                yield from commands(one.get_command(context, name), f"{path} {name}")
        else:
            yield path, one

    assert [path for path, one in commands(main, "stackc") if not isinstance(one, Command)] == []


def test_tables_have_the_width_of_the_terminal(here: Path) -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    command = [*STACKC, "plugins", "list"]
    with open("errors", "wb") as errors:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=terminal, stderr=errors, env={**environment, "TERM": "xterm"}
        )
    os.close(terminal)
    shown = b""
    while select.select([controller], [], [], 60)[0]:
        try:
            piece = os.read(controller, 1 << 16)
        except OSError:  # the other side has ended
            break
        if not piece:
            break
        shown += piece
    os.close(controller)
    assert child.wait(timeout=60) == 0
    assert b"\x1b[1mkind" in shown, "a table, with its heading in bold"
    assert max(len(line) for line in shown.decode().splitlines()) > 110


# --------------------------------------------------------------------------------------------------
# "-" is standard input, or output


def test_tokens_through_pipes(here: Path) -> None:
    tokens = subprocess.run([*STACKC, "encode", "S", "-", "-o", "-"], input=DATA, capture_output=True, check=True)
    assert tokens.stderr.startswith(f"standard output: {len(DATA):,} bytes as ".encode())
    again = subprocess.run(
        [*STACKC, "decode", "S", "-", "-o", "-"], input=tokens.stdout, capture_output=True, check=True
    )
    assert again.stdout == DATA
    assert not Path("-").exists()
    kinds = {1: np.uint8, 2: np.uint16, 4: np.uint32}
    values = np.load("t.npy")
    assert (np.frombuffer(tokens.stdout, kinds[len(tokens.stdout) // len(values)]) == values).all()


def test_measuring_standard_input(here: Path) -> None:
    from click.testing import CliRunner

    def output(*arguments: str, data: bytes | None = None) -> Any:
        done = CliRunner().invoke(main, list(arguments), input=data)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    assert output("eval", "S", "-", "--json", data=DATA) == output("eval", "S", "t.txt", "--json")
    figures = output("bench", "S", "-", "--against", "", "--repeats", "1", "--json", data=DATA)
    assert (figures["file"], figures["bytes"]) == ("-", len(DATA))
    twice = CliRunner().invoke(main, ["eval", "S", "-", "-"], input=DATA)
    assert (twice.exit_code, twice.stderr) == (2, "error: -: standard input can be read only once; name it once\n")


def test_a_terminal_gets_no_bytes(here: Path, runs: Runs) -> None:
    controller, terminal = pty.openpty()
    name = os.ttyname(terminal)
    jobs = [["encode", "S", "t.txt", "-o", "-"], ["decode", "S", "t.npy", "-o", "-"]]
    assert runs([(job, ("/dev/null", name, f"said{number}")) for number, job in enumerate(jobs)]) == [2, 2]
    for number in range(2):
        assert "would go to the terminal" in Path(f"said{number}").read_text()
    assert not select.select([controller], [], [], 0)[0]
    os.close(terminal)
    os.close(controller)


def test_what_cannot_be_streamed_says_why(here: Path) -> None:
    from click.testing import CliRunner

    os.mkfifo("pipe.npy")
    for arguments, said in (
        (["decompress", "t.txt.stk", "--salvage", "-o", "-"], "name a file with -o"),
        (["decompress", "t.txt.stk", "--salvage", "-o", "pipe.npy"], "name a file with -o"),
        (["decompress", "t.txt.stk", "--salvage", "-o", "/dev/stdout"], "name a file with -o"),
        (["encode", "S", "t.txt", "-o", "pipe.npy"], "name a .bin or .txt"),
        (["report", "S", "-o", "-"], "name a file with -o"),
    ):
        done = CliRunner().invoke(main, arguments)
        assert (done.exit_code, said in done.stderr, done.stderr.count("\n")) == (2, True, 1), done.stderr
    os.unlink("pipe.npy")
    shutil.rmtree("made", ignore_errors=True)


@pytest.mark.parametrize("missing", ["stdin", "stdout"])
def test_a_program_without_streams(here: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    """As under pythonw, where they are None."""
    from stackc.stack.stk_files import compress_file

    monkeypatch.setattr(sys, missing, None)
    with pytest.raises(stackc.StackcError, match="is closed"):
        compress_file(None if missing == "stdin" else Path("t.txt"), Path("o.stk") if missing == "stdin" else None,
                      stackc.load("S"))  # fmt: skip
    assert not Path("o.stk").exists()
