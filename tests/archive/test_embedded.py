"""Files that carry their stack: they need no other file, and damage anywhere in them is one line or no harm."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import stackc
from archive.test_mixing_files import mutated
from fuzz.mutations import mutate_pack, reseal
from processes_of_tests import heard
from recipes_of_tests import TEXT
from stackc import ContainerError, Stack
from stackc.api.errors import StackcError
from stackc.archive.decoder import check_blocks, decompress_blocks, decompress_range
from stackc.archive.format import EMBEDDED_HEAD_SIZE, HEADER_SIZE, MAX_EMBEDDED, pack_embedded
from stackc.archive.reader import Index, read_header
from stackc.archive.salvage import salvage
from stackc.cli import main
from stackc.stack.finding import GENERAL, builtin, carried, open_codec

Get = Callable[[str], Stack]

BLOCK = 200
DATA = (TEXT * 2).encode()[: 3 * BLOCK + 50]
PACK = HEADER_SIZE + EMBEDDED_HEAD_SIZE
"""Where the packed stack begins."""


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a stack, and no STACKC_PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STACKC_PATH", raising=False)
    return tmp_path


@pytest.fixture(scope="module")
def file(stack: Get) -> bytes:
    return compressed(stack("counting"))


def compressed(stack: Stack, data: bytes = DATA) -> bytes:
    out = io.BytesIO()
    embedded = stack.embeddable()
    written = stack.compress(
        io.BytesIO(data), out, block_size=BLOCK, modified=1_600_000_000_000_000_000, embedded=embedded
    )
    assert written.written == len(out.getvalue())
    return out.getvalue()


def run(*arguments: object, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=stdin)


def test_it_decodes_with_no_stack_at_hand(file: bytes, alone: Path) -> None:
    (alone / "text.stk").write_bytes(file)
    assert run("decompress", "text.stk").exit_code == 0
    assert (alone / "text").read_bytes() == DATA
    assert run("decompress", "-", "-o", "-", stdin=file).stdout_bytes == DATA
    assert run("decompress", "text.stk", "--range", "210:420", "-o", "-").stdout_bytes == DATA[210:420]
    assert run("decompress", "text.stk", "--salvage", "-o", "saved").exit_code == 0
    assert (alone / "saved").read_bytes() == DATA
    assert run("verify", "text.stk").exit_code == run("verify", "text.stk", "--quick").exit_code == 0
    assert stackc.decompress("text.stk", "again").read_bytes() == DATA
    assert {path.name for path in alone.iterdir()} == {"text.stk", "text", "saved", "again"}, "nothing is left here"


def test_the_command_and_python_write_the_same_file(stack: Get, alone: Path) -> None:
    (alone / "text").write_bytes(DATA)
    folder = stack("counting").folder
    done = run("compress", "text", "--stack", folder, "--embed-stack")
    assert done.exit_code == 0
    assert "bytes of it are the stack" in done.stderr
    made = stackc.compress("text", "again.stk", stack=folder, embed_stack=True)
    assert made.read_bytes() == (alone / "text.stk").read_bytes()
    header = read_header(io.BytesIO(made.read_bytes()))
    assert (header.format, header.embedded) == (3, stack("counting").embeddable())


def test_it_differs_from_a_file_without_it_in_the_header_and_in_the_stack_alone(stack: Get, file: bytes) -> None:
    plain = io.BytesIO()
    stack("counting").compress(io.BytesIO(DATA), plain, block_size=BLOCK, modified=1_600_000_000_000_000_000)
    assert plain.getvalue()[8] == 1
    with_it, without = Index(io.BytesIO(file)), Index(io.BytesIO(plain.getvalue()))
    assert [block.payload for block in with_it.blocks(0, 4)] == [block.payload for block in without.blocks(0, 4)]
    assert len(file) == len(plain.getvalue()) + EMBEDDED_HEAD_SIZE + len(stack("counting").embeddable())


def test_a_stack_of_the_same_hash_is_equal_and_another_is_refused(
    stack: Get, file: bytes, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "text.stk").write_bytes(file)
    assert run("decompress", "text.stk", "--stack", stack("counting").folder, "-o", "one").exit_code == 0
    monkeypatch.setenv("STACKC_PATH", str(stack("counting").folder.parent))
    assert run("decompress", "text.stk", "-o", "other").exit_code == 0
    assert (alone / "one").read_bytes() == (alone / "other").read_bytes() == DATA
    shown = run("inspect", "text.stk").stdout
    assert "in the file, " in shown
    assert str(stack("counting").folder) in shown
    done = run("decompress", "text.stk", "--stack", stack("twice").folder, "-o", "third")
    assert (done.exit_code, "give the stack that wrote it" in done.stderr) == (2, True)


def test_a_stack_that_is_too_large_is_refused_with_both_sizes(
    stack: Get, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "text").write_bytes(DATA)
    monkeypatch.setattr("stackc.stack.stack.MAX_EMBEDDED", 1000)
    done = run("compress", "text", "--stack", stack("counting").folder, "--embed-stack")
    size = len(stack("counting").folder.joinpath("manifest.json").read_bytes())
    assert done.exit_code == 2
    assert "at most 1,000 are put into a .stk file" in done.stderr
    assert done.stderr.count("\n") == 1
    assert size > 1000
    assert [path.name for path in alone.iterdir()] == ["text"]


def test_the_built_in_stack_and_a_model_that_codes_bit_by_bit(alone: Path, stack: Get) -> None:
    (alone / "text").write_bytes(DATA)
    for chosen in (GENERAL, stack("mixing").folder):
        made = stackc.compress("text", "one.stk", stack=chosen, embed_stack=True, force=True)
        assert stackc.decompress(made, "back", force=True).read_bytes() == DATA


# -- damage


def decode(data: bytes, given: Stack | None = None) -> bytes:
    out = io.BytesIO()
    decompress_blocks(io.BytesIO(data), out, lambda header: open_codec(header, given))
    return out.getvalue()


def must_fail(data: bytes, given: Stack | None = None) -> str:
    with pytest.raises(StackcError) as caught:
        decode(data, given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def small() -> bytes:
    """A file of 2 KB: the built-in stack, and a block that is stored as it is."""
    folder = builtin(GENERAL)
    assert folder is not None
    return compressed(Stack(folder), b"hello, world")


def test_every_byte_flipped(small: bytes, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without another copy of its stack no byte may differ; with one, those of the stack in it may, with a warning."""
    folder = builtin(GENERAL)
    assert folder is not None
    given, end = Stack(folder), PACK + len(read_header(io.BytesIO(small)).embedded or b"")
    monkeypatch.setattr("stackc.stack.finding._SHIPPED", alone)  # else it would be found there
    for place in range(len(small)):
        damaged = small[:place] + bytes([small[place] ^ 1 << place % 8]) + small[place + 1 :]
        said = must_fail(damaged)
        if PACK <= place < end:
            assert said.startswith("the stack in it is damaged, and it was written with the stack ")
            assert "name its folder with --stack" in said
            with pytest.warns(UserWarning, match="^the stack in it is damaged; the one that is given is used$"):
                assert decode(damaged, given) == b"hello, world"
        else:
            must_fail(damaged, given)


def test_the_built_in_copy_takes_the_place_of_a_damaged_one(small: bytes) -> None:
    with pytest.warns(UserWarning, match=r"^the stack in it is damaged; the copy in .* is used$"):
        assert decode(flipped(small, PACK + 300)) == b"hello, world"


def test_every_byte_flipped_with_the_files_own_checks_right_again(
    small: bytes, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what the pack checks is reached: the stack's hash, its parts', its sizes."""
    monkeypatch.setattr("stackc.stack.finding._SHIPPED", alone)  # else it would be found there
    end = PACK + len(read_header(io.BytesIO(small)).embedded or b"")
    for place in range(PACK, end):
        pack = small[PACK:place] + bytes([small[place] ^ 1 << place % 8]) + small[place + 1 : end]
        section = pack_embedded(small[16:24], pack)
        must_fail(small[:HEADER_SIZE] + section + small[end:])


def test_every_truncation(small: bytes) -> None:
    for size in range(len(small)):
        must_fail(small[:size])


def any_damage(rng: np.random.Generator, file: bytes) -> bytes:
    """Of the bytes, or of the packed stack behind checks that are right."""
    if rng.random() < 0.7:
        return mutated(rng, file)
    chance = random.Random(int(rng.integers(0, 1 << 62)))
    size = int.from_bytes(file[HEADER_SIZE + 12 : HEADER_SIZE + 16], "little")
    pack = mutate_pack(file[PACK : PACK + size], chance)
    return reseal(file[:HEADER_SIZE] + pack_embedded(file[16:24], pack) + file[PACK + size :])


@pytest.mark.parametrize("rounds", [2000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(7200)])])
def test_no_mutation_gives_a_wrong_byte(file: bytes, rounds: int) -> None:
    rng, kept, said = np.random.default_rng(rounds), 0, set()
    for _ in range(rounds):
        out = io.BytesIO()
        try:
            decompress_blocks(io.BytesIO(any_damage(rng, file)), out, open_codec)
        except StackcError as error:
            said.add(str(error))
            assert DATA.startswith(out.getvalue())
        else:
            assert out.getvalue() == DATA
            kept += 1
    assert not [text for text in said if "\n" in text]
    assert kept < rounds / 4, "names and times in the manifest may change, and little else"


def test_the_stack_of_another_file_is_refused(stack: Get, file: bytes) -> None:
    other = compressed(stack("twice"))
    ours, theirs = (PACK + len(read_header(io.BytesIO(one)).embedded or b"") for one in (file, other))
    assert "belongs to another file" in must_fail(file[:HEADER_SIZE] + other[HEADER_SIZE:theirs] + file[ours:])
    section = pack_embedded(file[16:24], other[PACK:theirs])
    assert "but it was written with" in must_fail(file[:HEADER_SIZE] + section + file[ours:])
    path = Path("spliced.stk")
    path.write_bytes(file[:HEADER_SIZE] + section + file[ours:])
    assert run("verify", path).exit_code == 2
    right = ["--stack", str(stack("counting").folder)]
    assert run("decompress", path, "-o", "one", *right).exit_code == 0, "the stack in it is not used"
    for more in ([], ["--quick"]):
        done = run("verify", path, *right, *more)
        assert (done.exit_code, "but it was written with" in done.stderr) == (2, True), "verify checks it all the same"


def test_a_size_above_the_limit_is_refused_before_it_is_read(small: bytes) -> None:
    head = pack_embedded(small[16:24], b"x")[:EMBEDDED_HEAD_SIZE]
    for size in (0, MAX_EMBEDDED + 1, (1 << 32) - 1):
        claimed = head[:12] + size.to_bytes(4, "little") + head[16:24]
        sealed = claimed + stackc.archive.format.check(claimed)
        must_fail(small[:HEADER_SIZE] + sealed + small[PACK:])


def recover(data: bytes, given: Stack | None = None) -> tuple[bytes, list[str]]:
    Path("damaged").write_bytes(data)
    out = io.BytesIO()
    with Path("damaged").open("rb") as source:
        found = salvage(
            source, out, lambda header: open_codec(header, given), None, unpack=lambda pack: carried(pack).codec
        )
    return out.getvalue(), list(found.problems)


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 64]) + data[place + 1 :]


def test_salvage_finds_the_stack_wherever_it_is(stack: Get, file: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, problems = recover(flipped(file, 30))
    assert (whole, len(problems)) == (DATA, 1), "the header is damaged, the stack after it is not"
    damaged = flipped(file, PACK + 100)
    with pytest.raises(ContainerError, match=r"the stack in it is damaged, and it was written with .* not found"):
        recover(damaged)
    monkeypatch.setenv("STACKC_PATH", str(stack("counting").folder.parent))
    whole, problems = recover(damaged)
    assert (whole, problems) == (DATA, ["the stack in it is damaged"])
    assert recover(flipped(file, PACK - 20), stack("counting"))[0] == DATA


def test_salvage_of_raw_blocks_needs_no_stack(small: bytes) -> None:
    size = len(read_header(io.BytesIO(small)).embedded or b"")
    hostile = small[:30] + b"?" + small[31:HEADER_SIZE] + pack_embedded(small[16:24], b"no pack") + small[PACK + size :]
    assert recover(hostile)[0] == b"hello, world"


def test_ranges_and_checks_of_damaged_files(file: bytes) -> None:
    for place in range(0, len(file), 97):
        for work in (
            lambda data: check_blocks(io.BytesIO(data)),
            lambda data: decompress_range(io.BytesIO(data), io.BytesIO(), open_codec, 0, len(DATA)),
        ):
            with pytest.raises(ContainerError):
                work(flipped(file, place))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_unpacked_stack(file: bytes, alone: Path, number: int) -> None:
    (alone / "tmp").mkdir()
    command = [sys.executable, "-m", "stackc", "decompress", "-", "-o", "out"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "TMPDIR": str(alone / "tmp")},
        preexec_fn=heard,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(file[:-300])
        process.stdin.flush()
        for _ in range(600):
            if list((alone / "tmp").glob("stackc-*/manifest.json")):
                break
            time.sleep(0.05)
        else:
            pytest.fail("it was not unpacked")
        process.send_signal(number)
        process.stdin.close()  # a read that waits sees the signal when it ends
        assert process.wait(60) == (143 if number == signal.SIGTERM else 130)
    assert [path for path in (alone / "tmp").iterdir() if path.name.startswith("stackc-")] == []
    assert not (alone / "out").exists()


# -- folders of files


def test_inspect_and_verify_of_a_folder(stack: Get, file: bytes, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone / "a" / "b").mkdir(parents=True)
    (alone / "a" / "carries.stk").write_bytes(file)
    (alone / "text").write_bytes(DATA)
    stackc.compress("text", "a/b/two.stk", stack=stack("twice").folder)
    stackc.compress("text", "a/plain.stk")
    done = run("inspect", "a")
    lines = done.stdout.splitlines()
    assert (done.exit_code, lines[0], len(lines)) == (1, "a: 3 files, 3 stacks", 4)
    twice = next(line for line in lines if line.startswith(stack("twice").sha256))
    assert "1 file" in twice
    assert "NOT FOUND" in twice
    assert [line for line in lines if GENERAL in line]
    assert [line for line in lines if "in 1 of the files" in line]
    checked = run("verify", "a")
    assert checked.exit_code == 2
    assert checked.stdout.splitlines()[-1] == "3 files: 2 intact, 1 not"
    assert checked.stderr.count("\n") == 1
    assert checked.stderr.startswith("error: a/b/two.stk: written with the stack")
    monkeypatch.setenv("STACKC_PATH", str(stack("twice").folder))
    assert run("inspect", "a").exit_code == 0
    assert run("verify", "a").stdout.splitlines()[-1] == "3 files: 3 intact"
    (alone / "a" / "b" / "broken.stk").write_bytes(file[:40])
    found = json.loads((done := run("inspect", "a", "--json")).stdout)
    assert done.exit_code == 2
    assert list(found["unreadable"]) == ["a/b/broken.stk"]
    assert sum(len(one["files"]) for one in found["stacks"]) == 3


def test_a_pack_in_stackc_path(stack: Get, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (alone / "text").write_bytes(DATA)
    (alone / "kept").mkdir()
    assert run("pack", stack("counting").folder, "-o", "kept").exit_code == 0
    assert [path.name for path in (alone / "kept").iterdir()] == ["counting.stack"]
    assert run("compress", "text", "--stack", "kept/counting.stack").exit_code == 0
    assert run("decompress", "text.stk", "-o", "no").exit_code == 2
    for place in ("kept", "kept/counting.stack"):
        monkeypatch.setenv("STACKC_PATH", place)
        assert run("decompress", "text.stk", "-o", "back", "--force").exit_code == 0
        assert (alone / "back").read_bytes() == DATA
    damaged = bytearray((alone / "kept" / "counting.stack").read_bytes())
    damaged[-1] ^= 1
    (alone / "kept" / "counting.stack").write_bytes(damaged)
    monkeypatch.setenv("STACKC_PATH", os.pathsep.join(["kept", str(stack("counting").folder)]))
    done = run("decompress", "text.stk", "-o", "back", "--force")
    assert done.exit_code == 0
    assert "damaged or cut off in its part" in done.stderr
    assert "is used" in done.stderr
