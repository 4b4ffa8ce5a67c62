"""The commands on files, as a user meets them: names, times, refusals, exit codes."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import TEXT
from stackc.archive.reader import Index
from stackc.cli import main

Get = Callable[[str], stackc.Stack]

DATA = (TEXT * 5).encode()
TIME = 1_234_567_890_123_456_789


def run(*arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


@pytest.fixture
def here(stack: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the file ``text`` in it, where stacks are found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STACKC_PATH", f"/nowhere{os.pathsep}{stack('counting').folder.parent}")
    (tmp_path / "text").write_bytes(DATA)
    (tmp_path / "text").chmod(0o640)
    os.utime(tmp_path / "text", ns=(TIME, TIME))
    return tmp_path


def pack(stack: Get, *more: object) -> None:
    done = run("compress", "text", "--stack", stack("counting").folder, "--block-size", 300, *more)
    assert done.exit_code == 0, done.output


def test_there_and_back_with_time_and_permissions(stack: Get, here: Path) -> None:
    pack(stack)
    assert (here / "text").read_bytes() == DATA, "the source is kept"
    (here / "text").unlink()
    assert run("decompress", "text.stk").exit_code == 0
    assert (here / "text").read_bytes() == DATA
    assert (here / "text.stk").exists()
    for name in ("text", "text.stk"):
        status = (here / name).stat()
        assert (status.st_mtime_ns, stat.S_IMODE(status.st_mode)) == (TIME, 0o640)
    assert {path.name for path in here.iterdir()} == {"text", "text.stk"}


def test_several_files_and_a_folder(stack: Get, here: Path) -> None:
    (here / "other").write_bytes(b"")
    (here / "out").mkdir()
    folder = stack("counting").folder
    assert run("compress", "text", "other", "--stack", folder, "-o", "out").exit_code == 0
    assert run("decompress", "out/text.stk", "out/other.stk").exit_code == 0
    assert (here / "out" / "text").read_bytes() == DATA
    assert (here / "out" / "other").read_bytes() == b""
    done = run("compress", "text", "other", "--stack", folder, "-o", "one")
    assert (done.exit_code, done.stderr) == (2, "error: -o one: for 2 files, name an existing folder\n")


def test_one_bad_file_does_not_stop_the_others(stack: Get, here: Path) -> None:
    done = run("compress", "missing", "text", "--stack", stack("counting").folder)
    assert done.exit_code == 2
    assert "error: missing: cannot read (No such file or directory)" in done.stderr
    assert (here / "text.stk").exists()


def test_names_that_are_no_text(stack: Get, here: Path) -> None:
    name = os.fsdecode(b"caf\xe9 \xff\n")
    (here / name).write_bytes(DATA)
    folder = str(stack("counting").folder)
    stackc_ = [sys.executable, "-m", "stackc"]
    for arguments in (
        ["compress", name, "--stack", folder], ["verify", f"{name}.stk"], ["inspect", f"{name}.stk"],
        ["decompress", f"{name}.stk", "--force"],
    ):  # fmt: skip
        done = subprocess.run([*stackc_, *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
    assert (here / name).read_bytes() == DATA


def test_pipes(stack: Get, here: Path) -> None:
    made = run("compress", "-", "--stack", stack("counting").folder, stdin=DATA)
    assert made.exit_code == 0
    back = run("decompress", "-", stdin=made.stdout_bytes)
    assert (back.exit_code, back.stdout_bytes) == (0, DATA)
    assert Index(io.BytesIO(made.stdout_bytes)).header.modified is None
    assert run("verify", "-", stdin=made.stdout_bytes).exit_code == 0
    assert run("decompress", "-", "-o", "out", stdin=made.stdout_bytes).exit_code == 0
    assert (here / "out").read_bytes() == DATA


def test_ranges(stack: Get, here: Path) -> None:
    pack(stack)
    for text, span in (
        ("100:450", slice(100, 450)),
        (":7", slice(7)),
        ("1500:", slice(1500, None)),
        (":", slice(None)),
    ):
        done = run("decompress", "text.stk", "--range", text, "-o", "-")
        assert (done.exit_code, done.stdout_bytes) == (0, DATA[span])
    for text in ("5", "a:b", "-1:4", "1:2:3", "", "٣:٤"):
        done = run("decompress", "text.stk", "--range", text, "-o", "-")
        assert done.exit_code == 2
        assert "is not A:B" in done.stderr
    assert "no bytes 0:999999 in a file of" in run("decompress", "text.stk", "--range", "0:999999", "-o", "-").stderr


def test_refusals_leave_everything_as_it_was(stack: Get, here: Path) -> None:
    folder = stack("counting").folder
    pack(stack)
    (here / "folder.stk").mkdir()
    before = {path.name: path.stat().st_mtime_ns for path in here.iterdir()}
    for arguments, said in (
        (["compress", "text", "--stack", folder], "text.stk: exists already; --force overwrites it"),
        (["compress", "text", "--stack", folder, "-o", "text"], "text: the output would replace its own source"),
        (["compress", "text", "--stack", folder, "--force", "-o", "./text"], "would replace its own source"),
        (["compress", "folder.stk", "--stack", folder], "folder.stk: is a folder; stackc compresses files"),
        (["compress", "/", "--stack", folder], "/: is a folder; stackc compresses files"),
        (["compress", "", "--stack", folder], "Invalid value for 'FILE...': an empty name"),
        (["decompress", "folder.stk", "-o", "new"], "folder.stk: cannot read (Is a directory)"),
        (["compress", "text", "--stack", here], "not a stack (no manifest.json)"),
        (["compress", "text", "--stack", folder, "-o", "no/such/folder"], "cannot write"),
        (["decompress", "text.stk"], "text: exists already; --force overwrites it"),
        (["decompress", "text"], "its name does not end in .stk; name the output with -o"),
        (["decompress", "text", "-o", "new"], "text: not a .stk file"),
        (["decompress", "text.stk", "-o", "new", "--stack", stack("twice").folder], "give the stack that wrote it"),
        (["decompress", "text.stk", "--salvage", "--range", "0:1", "-o", "new"], "omit --range"),
        (["decompress", "text.stk", "--salvage", "-o", "-"], "name a file with -o"),
        (["verify", "text"], "text: not a .stk file"),
        (["inspect", "text"], "text: not a .stk file"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2, arguments
        assert done.stderr.startswith("error: ")
        assert said in done.stderr, arguments
    assert {path.name: path.stat().st_mtime_ns for path in here.iterdir()} == before


def test_force_overwrites(stack: Get, here: Path) -> None:
    (here / "text.stk").write_bytes(b"something else")
    pack(stack, "--force")
    (here / "text").write_bytes(b"something else")
    assert run("decompress", "text.stk", "--force", "--quiet").exit_code == 0
    assert (here / "text").read_bytes() == DATA


def test_damage_leaves_no_output_and_salvage_says_what_is_missing(stack: Get, here: Path) -> None:
    pack(stack)
    damaged = bytearray((here / "text.stk").read_bytes())
    damaged[int(Index(io.BytesIO(damaged)).positions[2]) + 60] ^= 1
    (here / "bad.stk").write_bytes(damaged)
    for command in ("decompress", "verify", "verify --quick"):
        done = run(*command.split(), "bad.stk")
        assert (done.exit_code, done.stderr) == (2, "error: bad.stk: block 2: its payload is damaged\n")
    assert not (here / "bad").exists()
    done = run("decompress", "bad.stk", "--salvage")
    assert done.exit_code == 1
    assert "bad.stk: missing: bytes 600 to 899\n" in done.stderr
    got = (here / "bad").read_bytes()
    assert got == DATA[:600] + bytes(300) + DATA[900:]
    assert run("decompress", "text.stk", "--salvage", "-o", "whole").exit_code == 0
    assert (here / "whole").read_bytes() == DATA


def test_verify_and_inspect(stack: Get, here: Path) -> None:
    pack(stack)
    assert run("verify", "text.stk").stdout == "text.stk: decodes to its original\n"
    assert run("verify", "--quick", "text.stk").stdout == "text.stk: all checksums match\n"
    said = json.loads(run("inspect", "text.stk", "--json").stdout)
    assert said["size"] == len(DATA)
    assert said["written"] == (here / "text.stk").stat().st_size
    assert said["blocks"] == -(-len(DATA) // 300)
    assert said["raw_blocks"] == 0
    assert said["modified_ns"] == TIME
    assert said["stack_sha256"] == stack("counting").sha256
    assert said["stack"] == str(stack("counting").folder)
    shown = run("inspect", "text.stk").stdout
    assert f"{stack('counting').sha256} ({stack('counting').folder})" in shown
    assert "any machine (portable)" in shown
    assert stack("counting").sha256 in run("inspect", stack("counting").folder).stdout


def test_the_stack_is_found_by_its_hash(stack: Get, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(stack)
    monkeypatch.setenv("STACKC_PATH", str(stack("counting").folder))
    assert run("decompress", "text.stk", "-o", "a").exit_code == 0
    monkeypatch.delenv("STACKC_PATH")
    done = run("decompress", "text.stk", "-o", "b")
    assert done.exit_code == 2
    assert "not found among the 0 in STACKC_PATH and ./runs: name its folder with --stack" in done.stderr
    (here / "runs").mkdir()
    (here / "runs" / "mine").symlink_to(stack("counting").folder)
    (here / "runs" / "broken").mkdir()
    (here / "runs" / "broken" / "manifest.json").write_text("{")
    (here / "runs" / "empty").mkdir()
    assert run("decompress", "text.stk", "-o", "c").exit_code == 0


def test_the_right_stack_that_cannot_be_opened_says_why(
    stack: Get, copy_of: Callable[[str, Path], Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(stack)
    monkeypatch.setenv("STACKC_PATH", str(here))
    (copy_of("counting", here) / "M2" / "frozen" / "frequencies.safetensors").write_bytes(b"x" * 4176)
    done = run("decompress", "text.stk", "-o", "out")
    assert done.exit_code == 2
    assert "frequencies.safetensors: SHA-256 does not match the manifest" in done.stderr


def test_a_damaged_copy_of_the_right_stack_is_passed_over(
    stack: Get, copy_of: Callable[[str, Path], Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever of it is damaged: the next copy is taken, and the damaged one named."""
    pack(stack)
    good = stack("counting").folder
    folders = []
    for name, path, data in (
        ("bits", "M2/frozen/frequencies.safetensors", b"x" * 4176),
        ("cut", "M2/frozen/frequencies.safetensors", b"x"),
    ):
        (here / name).mkdir()
        folders.append(copy_of("counting", here / name))
        (folders[-1] / path).write_bytes(data)
    monkeypatch.setenv("STACKC_PATH", os.pathsep.join(map(str, [*folders, good])))
    for command in ("decompress text.stk -o a", "decompress --salvage text.stk -o b", "verify text.stk"):
        done = run(*command.split())
        assert done.exit_code == 0, done.output
        said = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
        assert len(said) == 2
        for line, folder in zip(said, folders, strict=True):
            assert line.startswith(f"warning: {folder}/M2/frozen/frequencies.safetensors: ")
            assert line.endswith(f"; the copy in {good} is used")
    assert (here / "a").read_bytes() == (here / "b").read_bytes() == DATA
    with pytest.warns(UserWarning, match="is used"):
        stackc.decompress("text.stk", "c")


def test_a_folder_that_cannot_be_read_is_passed_over_and_named(
    stack: Get, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part of STACKC_PATH: no fault of the output's."""
    pack(stack)
    (here / "loop").symlink_to("loop")
    strange = ["x" * 300, "text", "loop"]
    monkeypatch.setenv("STACKC_PATH", os.pathsep.join([*strange, str(stack("counting").folder)]))
    assert run("decompress", "text.stk", "-o", "a").exit_code == 0
    monkeypatch.setenv("STACKC_PATH", os.pathsep.join(strange))
    done = run("decompress", "text.stk", "-o", "b")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: text.stk: written with the stack")
    for line in (
        f"{'x' * 300}: File name too long",
        "text: Not a directory",
        "loop: Too many levels of symbolic links",
    ):
        assert line in done.stderr


def test_temporary_files_that_have_no_room_are_named(stack: Get, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    pack(stack)

    def refuse() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(tempfile, "tempdir", "/small")
    done = run("decompress", "-", "--salvage", "-o", "new", stdin=(here / "text.stk").read_bytes())
    said = "error: /small: no space left on the disk; temporary files go there, or where TMPDIR says\n"
    assert (done.exit_code, done.stderr) == (2, said)
    assert not (here / "new").exists()


@pytest.mark.parametrize("seconds", [10_413_792_000, -10_000_000_000, 2**63 // 10**9, -(2**63) // 10**9])
def test_times_that_a_file_cannot_hold(stack: Get, here: Path, seconds: int) -> None:
    """Sources dated 2300 or 1653: not known is what the file says."""
    try:
        os.utime("text", ns=(seconds * 10**9, seconds * 10**9))
    except OSError:
        pytest.skip("this file system takes no such time")
    time = (here / "text").stat().st_mtime_ns
    pack(stack)
    said = json.loads(run("inspect", "text.stk", "--json").stdout)
    assert said["modified_ns"] == (time if -(2**63) < time < 2**63 else None)
    assert run("inspect", "text.stk").exit_code == 0
    assert run("decompress", "text.stk", "-o", "back").exit_code == 0
    assert (here / "back").read_bytes() == DATA


def test_files_that_do_not_tell_their_size(stack: Get, here: Path) -> None:
    """In /proc the size is 0, in /sys that of a page."""
    for name in ("/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"):
        if not os.path.exists(name):
            continue
        done = run("compress", name, "--stack", stack("counting").folder, "-o", "p.stk", "--force")
        assert done.exit_code == 0, done.output
        assert run("decompress", "p.stk", "-o", "-").stdout_bytes == Path(name).read_bytes()


def test_the_python_api_does_the_same(stack: Get, here: Path) -> None:
    made = stackc.compress("text", stack=stack("counting").folder, block_size=300)
    assert made == Path("text.stk")
    back = stackc.decompress(made, "back")
    assert back.read_bytes() == DATA
    assert stackc.decompress(made, "part", stack=stack("counting"), span=(10, 20)).read_bytes() == DATA[10:20]
    with pytest.raises(stackc.StackcError, match="exists already"):
        stackc.decompress(made, "back")
    pack(stack, "-o", "again.stk")
    assert (here / "again.stk").read_bytes() == made.read_bytes()


def test_a_file_that_changes_while_it_is_read(stack: Get, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = stack("counting").codec
    right = codec.encode

    def slow(blocks: list[bytes], verify: bool = True) -> list[bytes | None]:
        if (here / "text").stat().st_size == len(DATA):
            with (here / "text").open("ab") as file:
                file.write(b"more")
        return right(blocks, verify)

    monkeypatch.setattr(codec, "encode", slow)
    with pytest.raises(stackc.StackcError, match="text: changed while it was read"):
        stackc.compress("text", stack=stack("counting"))
    assert not (here / "text.stk").exists()


def test_a_terminal_gets_no_binary(stack: Get, here: Path) -> None:
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "stackc", "compress", "-", "--stack", str(stack("counting").folder)]
    done = subprocess.run(command, input=DATA, stdout=terminal, stderr=subprocess.PIPE, check=False)
    os.close(terminal)
    os.close(controller)
    assert done.returncode == 2
    assert b"would go to the terminal" in done.stderr


def test_doctor_finds_all_well_and_names_what_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from stackc_coders import doctor

    monkeypatch.setitem(doctor._GOLDEN, 8, [1, 2, 3])
    done = run("doctor", "--device", "cpu")
    lines = done.stdout.splitlines()
    assert done.exit_code == 2
    assert done.stderr == "error: failed: coder arithmetic\n"
    assert [line.split(":")[0] for line in lines] == [
        "ok      software", "ok      device", "ok      plugins", "ok      model gru",
        "ok      model mixing", "ok      model transformer", "FAILED  coder arithmetic", "ok      coder phrases",
        "ok      build", "ok      tokens", "ok      files",
    ]  # fmt: skip
    assert "int8 products are" in lines[3]
    assert "int8 products are" in lines[5]
    assert "windows of 8 bits gave [39, 32, 11, 219, 234, 192], not [1, 2, 3]" in lines[6]
