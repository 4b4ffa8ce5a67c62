"""What commands write over: nothing that was read, and what was there only with --force. One rule for all."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import stackc
from recipes_of_tests import TEXT, corpus, counting
from stackc.api.files import is_special, write_atomically
from stackc.cli import main
from stackc.stack.outputs import check_folder

DATA = TEXT.encode()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outputs")
    corpus(folder)
    (folder / "recipe.toml").write_text(counting())
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


@pytest.fixture
def here(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a text, its tokens, its `.stk`, and the stack S."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, "S")
    Path("t.txt").write_bytes(DATA)
    stack = stackc.load("S")
    Path("tokens.txt").write_text("".join(f"{token}\n" for token in stack.encode(DATA).tolist()))
    assert run("compress", "t.txt", "--stack", "S", "--quiet").exit_code == 0
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


COMMANDS = {
    "encode": (["encode", "S", "t.txt", "-o"], "t.txt"),
    "decode": (["decode", "S", "tokens.txt", "-o"], "tokens.txt"),
    "export bin": (["export", "S", "t.txt", "--to", "bin", "-o"], "t.txt"),
    "export parquet": (["export", "S", "t.txt", "--to", "parquet", "-o"], "t.txt"),
    "compress": (["compress", "t.txt", "--stack", "S", "-o"], "t.txt"),
    "decompress": (["decompress", "t.txt.stk", "--stack", "S", "-o"], "t.txt.stk"),
    "salvage": (["decompress", "t.txt.stk", "--salvage", "--stack", "S", "-o"], "t.txt.stk"),
    "report": (["report", "S", "--sample", "100", "--text", "t.txt", "-o"], "t.txt"),
}
"""What comes before the output, and the file that it reads."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_keeps_what_it_reads_and_what_is_there(name: str, here: Path) -> None:
    if name == "export parquet":
        pytest.importorskip("pyarrow", reason="needs the extra parquet")
    start, source = COMMANDS[name]
    os.link(source, "link.txt")
    Path("there.txt").write_bytes(b"mine")
    Path("dangling.txt").symlink_to("nowhere")
    before = content(here)
    for out, said, force in (
        (source, "the output would replace its own source; name another with -o", ["--force"]),
        (f"./S/../{source}", "the output would replace its own source; name another with -o", ["--force"]),
        ("link.txt", "the output would replace its own source; name another with -o", ["--force"]),
        ("there.txt", "exists already; --force overwrites it", []),
        ("dangling.txt", "exists already; --force overwrites it", []),
    ):
        done = run(*start, out, *force)
        assert (done.exit_code, done.stderr) == (2, f"error: {Path(out)}: {said}\n"), done.output
        assert content(here) == before
    done = run(*start, "there.txt", "--force")
    assert done.exit_code == 0, done.output
    assert Path("there.txt").read_bytes() not in (b"mine", b"")


def test_parts_of_the_stack_are_what_a_command_reads(here: Path) -> None:
    frozen = next(str(path) for path in Path("S/M1").rglob("*.safetensors"))
    for out in ("S/manifest.json", frozen, "S/report/report.json"):
        assert Path(out).is_file()
        before = content(here)
        for start in (["decode", "S", "tokens.txt"], ["report", "S"], ["compress", "t.txt", "--stack", "S"]):
            done = run(*start, "-o", out, "--force")
            stack = Path("S").absolute() if start[0] == "compress" else "S"
            said = f"error: {out}: the output would replace a part of the stack {stack}; name another with -o\n"
            assert (done.exit_code, done.stderr) == (2, said)
        assert content(here) == before
    assert run("report", "S", "-o", "S/page.html", "--sample", "100").exit_code == 0, "a new file may stand there"
    assert run("report", "S", "-o", "S/page.html", "--sample", "100", "--force").exit_code == 0


def test_what_is_written_beside_the_output_is_kept_too(here: Path) -> None:
    """``OUT.json`` of a flat file; the images of a report."""
    Path("c.bin.json").write_text("mine")
    done = run("export", "S", "--to", "bin", "-o", "c.bin")
    assert (done.exit_code, done.stderr) == (2, "error: c.bin.json: exists already; --force overwrites it\n")
    assert not Path("c.bin").exists()
    Path("t.json").write_bytes(DATA)
    done = run("export", "S", "t.json", "--to", "bin", "-o", "t", "--force")
    assert "t.json: the output would replace its own source" in done.stderr
    assert Path("t.json").read_bytes() == DATA
    assert not Path("t").exists()
    pytest.importorskip("matplotlib", reason="needs the extra report")
    Path("plots").mkdir()
    Path("plots/bits-by-bytes.png").write_text("mine")
    done = run("report", "S", "--png", "plots", "--sample", "100")
    assert "plots/bits-by-bytes.png: exists already; --force overwrites it" in done.stderr
    assert not Path("report.html").exists()


@pytest.mark.parametrize("page", [["-o", "r.html"], ["-o", "r.html", "--force"]])
def test_images_without_a_place_leave_no_page(here: Path, page: list[str]) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra report")
    Path("dangling").symlink_to("nowhere")
    before = sorted(here.rglob("*"))
    for folder, said in (
        ("t.txt", "t.txt: is a file; name a folder"),
        ("t.txt/a/b", "t.txt: is a file; name a folder"),
        ("dangling", "dangling: is a file; name a folder"),
        ("./r.html", "r.html: is a file; name a folder"),
        ("r.html/plots", "r.html: is a file; name a folder"),
        ("n" * 300, f"{'n' * 300}: cannot write (File name too long); check the folder and its permissions"),
    ):
        done = run("report", "S", "--sample", "100", *page, "--png", folder)
        assert (done.exit_code, done.stderr) == (2, f"error: {said}\n"), done.output
        assert sorted(here.rglob("*")) == before


def test_a_folder_that_cannot_be_written_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked of the system: this test may run as root, who may write anywhere."""
    asked = []
    monkeypatch.setattr(os, "access", lambda place, mode: asked.append((place, mode)))
    for folder in (tmp_path, tmp_path / "a" / "b"):
        with pytest.raises(stackc.api.errors.ArtifactError, match=f"^{folder}: cannot write .Permission denied"):
            check_folder(folder)
    assert asked == [(tmp_path, os.W_OK | os.X_OK)] * 2
    assert not list(tmp_path.iterdir())


def test_the_same_export_twice_is_refused(here: Path) -> None:
    start = ["export", "S", "--to", "bin", "-o", "c.bin"]
    assert run(*start).exit_code == 0
    before = content(here)
    assert run(*start, "--split", "test").exit_code == 2
    assert content(here) == before
    assert run(*start, "--split", "test", "--force").exit_code == 0
    assert content(here)["c.bin"] != before["c.bin"]


def test_a_tokenizer_goes_into_an_empty_folder(here: Path) -> None:
    pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    Path("file").write_text("mine")
    Path("full").mkdir()
    Path("full/notes").write_text("mine")
    Path("empty").mkdir()
    before = content(here)
    start = ["export", "S", "--to", "hf-tokenizer", "-o"]
    for out, said in (
        ("file", "file: is a file; name a folder"),
        ("full", "full: exists already, with files in it; --force overwrites files of the same names"),
    ):
        done = run(*start, out)
        assert (done.exit_code, done.stderr) == (2, f"error: {said}\n")
    for out in ("S", "./S"):
        done = run(*start, out, "--force")
        assert (done.exit_code, "S: the output would replace its own source" in done.stderr) == (2, True)
    assert content(here) == before
    assert run(*start, "empty").exit_code == 0
    assert run(*start, "full", "--force").exit_code == 0
    assert Path("full/notes").read_text() == "mine"


def test_devices_and_pipes_are_written_to(here: Path) -> None:
    """As before, and not replaced by a file: this test may run as root."""
    mode = os.stat("/dev/null").st_mode
    for start in (
        ["decode", "S", "tokens.txt"], ["export", "S", "--to", "bin"], ["compress", "t.txt", "--stack", "S"],
        ["decompress", "t.txt.stk", "--stack", "S"], ["report", "S", "--sample", "100"],
    ):  # fmt: skip
        done = run(*start, "-o", "/dev/null")
        assert done.exit_code == 0, done.output
        assert os.stat("/dev/null").st_mode == mode
        assert not Path("/dev/null.json").exists()
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
    assert run("decode", "S", "tokens.txt", "-o", "pipe").exit_code == 0
    assert reader.communicate(timeout=30)[0] == DATA
    assert stat.S_ISFIFO(os.stat("pipe").st_mode)


def test_a_stream_goes_on_where_its_file_ends(here: Path) -> None:
    """``-o /dev/stdout >> log``: the log is not cut, nor is the link replaced."""
    Path("log").write_bytes(b"before ")
    code = "import sys; from stackc.cli import main; main(sys.argv[1:])"
    with Path("log").open("ab") as log:
        arguments = [sys.executable, "-c", code, "decode", "S", "tokens.txt", "-o", "/dev/stdout"]
        assert subprocess.run(arguments, stdout=log, stderr=subprocess.PIPE, check=False).returncode == 0
    assert Path("log").read_bytes() == b"before " + DATA
    before = Path("tokens.txt").read_bytes()
    with Path("tokens.txt").open("ab") as log:  # it would read what it writes
        done = subprocess.run(arguments, stdout=log, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, b"would replace its own source" in done.stderr) == (2, True)
    assert Path("tokens.txt").read_bytes() == before
    assert Path("/dev/stdout").is_symlink()


def test_links_of_ones_own_are_no_streams(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to("file")
    assert not any(map(is_special, (tmp_path, tmp_path / "file", tmp_path / "link", tmp_path / "missing")))
    with write_atomically(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize(("vocabulary", "dtype"), [(65535, "uint16"), (65536, "uint32")])
def test_a_flat_file_says_what_a_token_is(
    here: Path, monkeypatch: pytest.MonkeyPatch, vocabulary: int, dtype: str
) -> None:
    """With the end of a document, 65,536 tokens are one id too many for uint16: the message says what to do."""
    from stackc.interop.export import Tokens

    monkeypatch.setattr(Tokens, "alphabet", vocabulary)
    plain = run("export", "S", "--to", "bin", "-o", "plain.bin")
    assert plain.stderr.endswith(f" tokens, uint16 ({vocabulary:,} ids)\n")
    if dtype == "uint32":
        refused = run("export", "S", "--to", "bin", "--eos", "-o", "eos.bin")
        assert refused.exit_code == 2
        assert refused.stderr.startswith("error: --eos: the id 65,536 does not fit into uint16; use --eos-id zero")
        assert not Path("eos.bin").exists()
    done = run("export", "S", "--to", "bin", "--eos", "--dtype", dtype, "-o", "eos.bin")
    assert done.stderr.endswith(f" tokens, {dtype} ({vocabulary + 1:,} ids, {vocabulary:,} is the end of a text)\n")
    found = np.memmap("eos.bin", dtype=np.dtype(dtype), mode="r")
    tokens = int(re.search(r"as ([\d,]+) tokens", done.stderr)[1].replace(",", ""))  # type: ignore[index]
    assert (len(found), int(found[-1])) == (tokens + 3, vocabulary)


# --------------------------------------------------------------------------------------------------
# Outputs of one command


def test_outputs_that_would_replace_each_other_are_refused(here: Path) -> None:
    for folder in ("a", "b", "o"):
        Path(folder).mkdir()
    for folder in "ab":
        Path(folder, "x").write_bytes(DATA)
        shutil.copy("t.txt.stk", f"{folder}/y.stk")
    before = content(here)
    said = "outputs of one command would replace each other; run it for each"
    for start, out in ((["compress", "a/x", "b/x"], "o/x.stk"), (["decompress", "a/y.stk", "b/y.stk"], "o/y")):
        for force in ([], ["--force"]):
            done = run(*start, "--stack", "S", "-o", "o", *force)
            assert (done.exit_code, done.stderr) == (2, f"error: {out}, twice: {said}\n")
            assert content(here) == before
    done = run("compress", "a/x", "./b/../a/x", "--stack", "S", "--force")
    assert (done.exit_code, done.stderr) == (2, f"error: a/x.stk and b/../a/x.stk: {said}\n")
    os.symlink("o", "same")
    Path("o/x.stk").write_bytes(b"old")
    os.link("o/x.stk", "o/z.stk")
    Path("c").mkdir()
    Path("c/z").write_bytes(DATA)
    before = content(here)
    done = run("compress", "a/x", "c/z", "--stack", "S", "-o", "same", "--force")
    assert (done.exit_code, done.stderr) == (2, f"error: same/x.stk and same/z.stk: {said}\n")
    assert content(here) == before


def test_an_output_is_held_against_all_that_a_command_reads(here: Path) -> None:
    before = content(here)
    done = run("compress", "t.txt", "t.txt.stk", "--stack", "S", "--force")
    assert done.stderr == "error: t.txt.stk: the output would replace t.txt.stk, which is read; name another with -o\n"
    assert (done.exit_code, content(here)) == (2, before)


def test_a_page_is_none_of_its_images(here: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra report")
    done = run("report", "S", "--sample", "100", "--png", ".", "-o", "bits-by-bytes.png")
    assert (done.exit_code, "would replace each other" in done.stderr) == (2, True)
    assert not list(here.glob("*.png"))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_slash_at_the_end_means_a_folder_that_is_there(name: str, here: Path) -> None:
    before = content(here)
    done = run(*COMMANDS[name][0], "new/")
    assert (done.exit_code, content(here)) == (2, before)
    assert done.stderr == "error: new/: no such folder; create it first, or omit the slash to name a file\n"
    with pytest.raises(stackc.StackcError, match=r"^new/: no such folder"):
        stackc.compress("t.txt", "new/", stack="S")


@pytest.mark.parametrize("name", ["encode", "decode", "export bin", "report"])
def test_what_is_made_of_a_private_file_is_private(name: str, here: Path) -> None:
    start, source = COMMANDS[name]
    Path(source).chmod(0o600)
    assert run(*start, "out.txt").exit_code == 0
    assert stat.S_IMODE(os.stat("out.txt").st_mode) == 0o600
