"""Packs: a stack as one file, opened wherever a folder is, and refused if anything in it is not as it was written."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import pickle
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import stackc
from fuzz.mutations import reseal_pack
from recipes_of_tests import TEXT, corpus, counting_twice
from stackc import ArtifactError, Stack
from stackc.api.errors import StackcError
from stackc.api.lasting import remove_lasting
from stackc.cli import main
from stackc.stack import packed as packs
from stackc.stack.finding import GENERAL, builtin
from stackc.stack.manifest import handed_on
from stackc.stack.packed import HEAD_SIZE, MAX_PARTS, Unpacked, check_pack, manifest_of, packed, read_head, write_pack

DATA = TEXT.encode()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder = tmp_path_factory.mktemp("packs")
    corpus(folder)
    described = '[stack]\ntext = "a novel"\nlicence = "CC0-1.0"\n'
    (folder / "twice.toml").write_text(counting_twice().replace("[stack]\n", described))
    return stackc.build(folder / "twice.toml", folder / "twice")


@pytest.fixture(scope="module")
def file(stack: Stack) -> Path:
    path = stack.folder.with_suffix(".stack")
    with path.open("wb") as out:
        assert write_pack(stack.folder, out) == out.tell()
    return path


@pytest.fixture(autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, which is empty again when all stacks are gone."""
    folder = tmp_path_factory.mktemp("tmp")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []


def test_a_pack_is_the_stack(stack: Stack, file: Path) -> None:
    opened = stackc.load(file)
    assert opened.sha256 == stack.sha256 == read_head(file).sha256
    assert opened.encode(DATA).tobytes() == stack.encode(DATA).tobytes()
    assert opened.decode(opened.encode(DATA)) == DATA
    assert opened.place == file
    made, again = io.BytesIO(), io.BytesIO()
    stack.compress(io.BytesIO(DATA), made)
    opened.compress(io.BytesIO(DATA), again)
    assert made.getvalue() == again.getvalue()
    assert manifest_of(file)["recipe"]["stack"] == {"name": "twice", "seed": 3, "text": "a novel", "licence": "CC0-1.0"}


def test_the_same_stack_gives_the_same_bytes(stack: Stack, file: Path, tmp_path: Path) -> None:
    elsewhere = Path(shutil.copytree(stack.folder, tmp_path / "elsewhere"))
    for name in ("corpus", "report", "logs", "M1/tokens", "M2/tokens", "M1/counts"):
        shutil.rmtree(elsewhere / name, ignore_errors=True)
    assert packed(elsewhere, 1 << 24) == file.read_bytes()
    assert packed(stackc.load(file).folder, 1 << 24) == file.read_bytes()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A stack of files that `--set` names from another folder: its manifest holds their absolute names."""
    folder = tmp_path_factory.mktemp("of-a-builder[1]")
    corpus(folder)
    recipe = tmp_path_factory.mktemp("recipe") / "twice.toml"
    recipe.write_text(counting_twice())
    names = [f"corpus.{split}={folder}/{split}.txt" for split in ("valid", "test")]
    train = [str(folder / "train-a.txt"), str(folder / "train-[bc].txt").replace("[1]", "[[]1]")]
    return stackc.build(stackc.load_recipe(recipe, [*names, f"corpus.train={json.dumps(train)}"]), folder / "twice")


def test_it_does_not_tell_where_the_stack_was_built(elsewhere: Stack, tmp_path: Path) -> None:
    folder = elsewhere.folder.parent
    assert elsewhere.manifest["recipe"]["corpus"]["valid"] == [str(folder / "valid.txt").replace("[1]", "[[]1]")]
    with (tmp_path / "one.stack").open("wb") as out:
        write_pack(elsewhere.folder, out)
    with (tmp_path / "with.stk").open("wb") as out:
        elsewhere.compress(io.BytesIO(DATA), out, embedded=elsewhere.embeddable())
    opened = stackc.load(tmp_path / "one.stack")
    kept = {"valid": ["valid.txt"], "test": ["test.txt"], "train": ["train-a.txt", "train-[bc].txt"]}
    assert {split: opened.manifest["recipe"]["corpus"][split] for split in kept} == kept
    assert opened.sha256 == elsewhere.sha256
    assert opened.decode(elsewhere.encode(DATA)) == DATA == elsewhere.decode(opened.encode(DATA))
    for name in ("one.stack", "with.stk"):
        written = (tmp_path / name).read_bytes()
        assert b"train-a.txt" in written
        assert not [part for part in folder.parts if part != "/" and part.encode() in written]
    assert packed(opened.folder, 1 << 24) == (tmp_path / "one.stack").read_bytes()
    shown = CliRunner().invoke(main, ["inspect", str(tmp_path / "one.stack"), "--verify"])
    assert (shown.exit_code, "train-a.txt" in shown.stdout) == (0, True)


def test_packs_of_before_with_folders_in_them_are_read(
    elsewhere: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(packs, "handed_on", lambda manifest: manifest)
        (tmp_path / "old.stack").write_bytes(packed(elsewhere.folder, 1 << 24))
    assert elsewhere.folder.parent.name.replace("[1]", "[[]1]").encode() in (tmp_path / "old.stack").read_bytes()
    opened = stackc.load(tmp_path / "old.stack")
    assert opened.sha256 == elsewhere.sha256
    assert packed(opened.folder, 1 << 24) == packed(elsewhere.folder, 1 << 24)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("data/train.txt", "data/train.txt"),
        ("allenai/c4", "allenai/c4"),
        ("/home/me/a.txt", "a.txt"),
        ("/", "."),
        ("~/a.txt", "a.txt"),
        ("~me/b/a*.txt", "a*.txt"),
        ("../me/a.txt", "a.txt"),
        ("data/../../me/**", "**"),
        ("C:\\Users\\me\\a.txt", "a.txt"),
        ("\\\\server\\share\\me\\a.txt", "a.txt"),
        (["/home/me/a.txt", "b.txt"], ["a.txt", "b.txt"]),
        (10240, 10240),
        (None, None),
    ],
)
def test_names_that_are_handed_on(written: Any, kept: Any) -> None:
    manifest = {"recipe": {"corpus": {"train": written}, "top": {"model": {"checkpoint": "/m"}}}, "name": "x"}
    assert handed_on(manifest) == {**manifest, "recipe": {**manifest["recipe"], "corpus": {"train": kept}}}
    assert manifest["recipe"]["corpus"]["train"] == written


def test_it_holds_what_coding_reads_and_nothing_else(stack: Stack, file: Path) -> None:
    opened = stackc.load(file)
    held = sorted(str(path.relative_to(opened.folder)) for path in opened.folder.rglob("*") if path.is_file())
    assert held == sorted(["manifest.json", *packs.coding_parts(stack.manifest)])
    assert (opened.folder.stat().st_mode & 0o777, opened.folder.parent) == (0o700, Path(tempfile.gettempdir()))
    with pytest.raises(StackcError, match="cannot be measured: name a folder"):
        opened.evaluate([DATA])  # needs the counts


def test_levels_and_models_outlast_the_stack_that_opened_them(file: Path) -> None:
    codec, level, top = stackc.load(file).codec, stackc.load(file).levels[0], stackc.load(file).top
    gc.collect()
    assert codec.decode([part for part in codec.encode([DATA]) if part], [len(DATA)]) == [DATA]
    assert len(level.encode(np.frombuffer(DATA, np.uint8)).tokens)
    assert top.alphabet


def test_its_temporary_folder_goes_with_it_and_not_before(
    file: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = stackc.load(file)
    (folder,) = temporary.iterdir()
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        remove_lasting()
    assert folder.exists(), "a forked process removes nothing of its parent's"
    del opened
    gc.collect()
    assert not folder.exists()


def test_it_is_pickled_by_its_place(file: Path) -> None:
    again = pickle.loads(pickle.dumps(stackc.load(file)))
    assert again.place == file
    assert again.encode(DATA).tobytes() == stackc.load(file).encode(DATA).tobytes()


def test_a_stack_whose_part_was_changed_is_not_packed(stack: Stack, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(stack.folder, tmp_path / "copy"))
    part = copy / next(packs.coding_parts(stack.manifest))
    data = part.read_bytes()
    part.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"differs from its SHA-256 in the manifest"):
        packed(copy, 1 << 24)


def test_what_is_too_large_says_both_sizes(stack: Stack, file: Path) -> None:
    size = file.stat().st_size
    with pytest.raises(StackcError, match=f"has {size:,} bytes; at most {size - 1:,} are put") as caught:
        packed(stack.folder, size - 1)
    assert "\n" not in str(caught.value)
    assert len(packed(stack.folder, size)) == size


# -- damage


@pytest.fixture(scope="module")
def small() -> bytes:
    """The pack of the built-in stack: 1.2 KB."""
    folder = builtin(GENERAL)
    assert folder is not None
    return packed(folder, 1 << 24)


def refused(data: bytes) -> str:
    """The one line that a damaged pack gets, whoever reads it."""
    with pytest.raises(ArtifactError) as caught:
        Unpacked(data, "the stack")
    with pytest.raises(ArtifactError) as again:
        check_pack(data, "the stack")
    assert str(again.value) == str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("the stack: ")
    return str(caught.value)


def test_every_byte_flipped(small: bytes) -> None:
    assert check_pack(small, "it").size == len(small)
    for place in range(len(small)):
        refused(small[:place] + bytes([small[place] ^ 1 << place % 8]) + small[place + 1 :])


def test_every_truncation_and_whatever_follows(small: bytes) -> None:
    for size in range(len(small)):
        refused(small[:size])
    for more in (b"\0", small):
        assert "followed by other bytes" in refused(small + more)


def changed(pack: bytes, change: Callable[[dict[str, Any]], object], spaces: bool = False) -> bytes:
    """The pack with another manifest, and every check and size right again."""
    (length,) = struct.unpack_from("<I", pack, 12)
    manifest = json.loads(pack[HEAD_SIZE : HEAD_SIZE + length])
    change(manifest)
    text = json.dumps(manifest, sort_keys=True, separators=(", ", ": ") if spaces else (",", ":")).encode()
    parts = pack[HEAD_SIZE + length + 8 :]
    size = HEAD_SIZE + len(text) + 8 + len(parts)
    return reseal_pack(pack[:12] + struct.pack("<IQ", len(text), size) + pack[24:HEAD_SIZE] + text + bytes(8) + parts)


PART = "M1/frozen/mixing.safetensors"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "M1/frozen/../../x", "../x/y", "M1/frozen/a\\b", "M1//frozen/x", "M1/"]
)
def test_names_that_lead_elsewhere(small: bytes, name: str, temporary: Path) -> None:
    assert "at 'parts'" in refused(changed(small, lambda made: made["parts"].update({name: made["parts"].pop(PART)})))
    assert not [one for one in temporary.rglob("*") if one.is_file()]


def test_a_name_that_occurs_twice(small: bytes) -> None:
    (length,) = struct.unpack_from("<I", small, 12)
    text = small[HEAD_SIZE : HEAD_SIZE + length]
    entry = text[text.index(b'"' + PART.encode()) :]
    entry = entry[: entry.index(b"}") + 1]
    doubled = text.replace(entry, entry + b"," + entry)
    rest = small[HEAD_SIZE + length + 8 :]
    size = HEAD_SIZE + len(doubled) + 8 + len(rest)
    head = small[:12] + struct.pack("<IQ", len(doubled), size) + small[24:HEAD_SIZE]
    assert "not in its canonical form" in refused(reseal_pack(head + doubled + bytes(8) + rest))


def test_a_manifest_that_is_written_in_another_form(small: bytes) -> None:
    assert "not in its canonical form" in refused(changed(small, lambda made: None, spaces=True))


def test_a_part_that_is_also_a_folder(small: bytes) -> None:
    """Both are names of parts that decoding reads; the file system cannot hold both."""
    empty = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    both = changed(small, lambda made: made["parts"].update({"M1/frozen/a": empty, "M1/frozen/a/b": empty}))
    with pytest.raises(ArtifactError, match=r"cannot write"):
        Unpacked(both, "the stack")


def test_parts_that_decoding_does_not_read(small: bytes) -> None:
    empty = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    assert "does not read" in refused(changed(small, lambda made: made["parts"].update({"M1/model/x": empty})))


@pytest.mark.parametrize("size", [0, 1, 1 << 31, 1 << 62, 10**30])
def test_sizes_that_are_not_there(small: bytes, size: int) -> None:
    assert "size does not match" in refused(changed(small, lambda made: made["parts"][PART].update(bytes=size)))


def test_a_manifest_that_claims_gigabytes_takes_no_memory(small: bytes) -> None:
    import tracemalloc

    tracemalloc.start()
    for length in (1 << 24, (1 << 32) - 1):
        refused(reseal_pack(small[:12] + struct.pack("<IQ", length, 1 << 60) + small[24:]))
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_too_many_parts_are_refused_before_they_are_compared(small: bytes) -> None:
    empty = {"bytes": 0, "sha256": hashlib.sha256().hexdigest()}
    many = {f"M1/frozen/{number}": empty for number in range(MAX_PARTS)}
    assert "more levels or parts" in refused(changed(small, lambda made: made["parts"].update(many)))


@pytest.mark.parametrize("table", ["text", None, [], 1.5])
def test_tables_of_the_recipe_that_are_none(small: bytes, table: object) -> None:
    """Found by random mutations: a level that is a text has no `items`."""
    for change in (
        lambda made: made["recipe"].update(top=table),
        lambda made: made["recipe"].update(level=[table]),
        lambda made: made["recipe"].update(corpus=table),
    ):
        refused(changed(small, change))


def test_a_recipe_that_lacks_a_table_is_one_line(small: bytes) -> None:
    """Its hash can be right: only opening the stack tells."""
    with pytest.raises(ArtifactError, match=r"^the stack: its recipe: top\.model") as caught:
        Stack(Unpacked(changed(small, lambda made: made["recipe"].update(top={"name": "M1"})), "the stack"))
    assert "\n" not in str(caught.value)


def test_another_stack_than_it_names(small: bytes) -> None:
    other = bytearray(changed(small, lambda made: made["recipe"]["top"]["model"].update(size=20)))
    other[24:56] = bytes(32)
    other[56:64] = hashlib.sha256(bytes(other[:56])).digest()[:8]
    assert "not the one that it names" in refused(bytes(other))


def test_a_newer_format_says_what_to_do(small: bytes) -> None:
    assert "pip install --upgrade" in refused(reseal_pack(small[:8] + b"\2\0" + small[10:]))


def test_a_link_in_its_place_and_a_pipe_are_no_packs(file: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not packs.is_pack(tmp_path / "pipe")
    assert not packs.is_pack(tmp_path)
    (tmp_path / "link").symlink_to(file)
    assert packs.is_pack(tmp_path / "link")


def test_no_place_for_its_files_is_one_line(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(ArtifactError, match=r"temporary files go there, or where TMPDIR says"):
        stackc.load(file)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["eval", "{pack}", "{text}"], "cannot be measured: name a folder"),
        (["export", "{pack}", "--to", "bin", "-o", "{out}"], "name files to encode"),
        (["inspect", "{pack}", "--level", "M1", "--texts"], "use the folder in which it was built"),
        (["report", "{pack}", "-o", "{out}"], "has no report: name a folder"),
        (["compare", "{pack}", "{pack}"], "is a file; name the folder"),
        (["bench", "{pack}"], "name a file"),
        (["encode", "{text}", "{text}", "-o", "{out}"], "neither the folder of a stack nor a packed stack"),
        (["pack", "{text}", "-o", "{out}"], "neither the folder of a stack nor a packed stack"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_a_pack_lacks_is_one_line_about_the_pack(
    file: Path, tmp_path: Path, temporary: Path, command: list[str], says: str
) -> None:
    """Three commands named a file in the temporary folder, or asked to build the stack again."""
    (tmp_path / "text.txt").write_bytes(DATA)
    names = {"pack": file, "text": tmp_path / "text.txt", "out": tmp_path / "out.bin"}
    done = CliRunner().invoke(main, [argument.format(**names) for argument in command])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert says in done.stderr
    about = names["pack" if "{pack}" in command else "text"]
    assert done.stderr.startswith(f"error: {about}: ")
    assert str(temporary) not in done.stderr
    assert not (tmp_path / "out.bin").exists()
