"""The reader `text`: every kind of file, and every way in which one can be wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import pathlib
import sys
import tracemalloc
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from packed_files import packed_files
from stackc.api import CorpusError
from stackc.api.fields import hashed
from stackc.testing.readers import ReaderContract
from stackc_datasets.config import DatasetsConfig
from stackc_text import TextConfig
from stackc_text.lines import json_texts
from stackc_text.reader import TextReader, _regroup


def zst(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACK: dict[str, Any] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zst}


def reader(**fields: Any) -> TextReader:
    return TextReader(TextConfig(**fields))


def read(path: pathlib.Path | str, **fields: Any) -> list[bytes]:
    return list(reader(train=str(path), **fields).documents("train"))


def complaint(path: pathlib.Path | str, **fields: Any) -> str:
    with pytest.raises(CorpusError) as caught:
        read(path, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestTextContract(ReaderContract):
    def make(self, folder: pathlib.Path) -> tuple[TextReader, dict[str, list[bytes]]]:
        (folder / "a.txt").write_bytes(b"one")
        (folder / "b.txt").write_bytes(b"")
        (folder / "c.jsonl").write_text('{"text": "two"}\n{"text": "three"}\n')
        (folder / "held.txt.gz").write_bytes(gzip.compress(b"four"))
        made = reader(train=(str(folder / "?.txt"), str(folder / "c.jsonl")), valid=str(folder / "held*"))
        return made, {"train": [b"one", b"", b"two", b"three"], "valid": [b"four"], "test": []}

    def make_missing(self, folder: pathlib.Path) -> TextReader:
        return reader(train=str(folder / "*.txt"))


# -- what is read


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.TXT"])
@pytest.mark.parametrize("packing", list(PACK))
def test_text_file_is_one_document(tmp_path: pathlib.Path, name: str, packing: str) -> None:
    content = b"line one\r\nline two\n\xff\x00 not UTF-8" * 100
    (tmp_path / (name + packing)).write_bytes(PACK[packing](content))
    assert read(tmp_path / (name + packing)) == [content]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("packing", list(PACK))
def test_each_json_line_is_one_document(tmp_path: pathlib.Path, name: str, packing: str) -> None:
    lines = '{"text": "caf\\u00e9", "url": "x"}\n\n  \n{"text": ""}\r\n{"text": "no\\nend"}'
    (tmp_path / (name + packing)).write_bytes(PACK[packing](lines.encode()))
    assert read(tmp_path / (name + packing)) == ["café".encode(), b"", b"no\nend"]


@pytest.mark.parametrize("name", ["dump.gz", "wiki.en.xz", "a.zst"])
def test_compressed_file_without_a_known_suffix_inside_is_text(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / name).write_bytes(PACK[pathlib.Path(name).suffix](b"text"))
    assert read(tmp_path / name) == [b"text"]


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_members_end_to_end(tmp_path: pathlib.Path, packing: str) -> None:
    (tmp_path / ("a.txt" + packing)).write_bytes(PACK[packing](b"one ") + PACK[packing](b"") + PACK[packing](b"two"))
    assert read(tmp_path / ("a.txt" + packing)) == [b"one two"]


def test_patterns_in_their_order_files_sorted_and_each_once(tmp_path: pathlib.Path) -> None:
    for name in ("b.txt", "a.txt", "sub/c.txt", "sub/deep/d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "z.txt").symlink_to(tmp_path / "a.txt")
    patterns = (str(tmp_path / "sub" / "**" / "*"), str(tmp_path / "*.txt"), str(tmp_path / "sub" / ".." / "a.txt"))
    found = list(reader(train=patterns).documents("train"))
    assert found == [b"sub/c.txt", b"sub/deep/d.md", b"a.txt", b"b.txt"]


def test_split_without_patterns_has_no_documents(tmp_path: pathlib.Path) -> None:
    assert list(reader(train="x").documents("valid")) == []
    assert reader(train="x").fingerprint("valid") == hashlib.sha256().hexdigest()


def test_lines_whose_text_is_null_are_left_out(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": null, "id": 2}\n{"text": "null"}\n')
    assert read(tmp_path / "a.jsonl") == [b"one", b"null"]


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_packed_files_whole_or_refused(tmp_path: pathlib.Path, packing: str) -> None:
    for name, (data, content) in packed_files(packing).items():
        path = tmp_path / (name + ".txt" + packing)
        path.write_bytes(data)
        if content is None:
            assert complaint(path).startswith(f"{path}: damaged {packing} file (")
        elif content:
            assert read(path) == [content]


def test_the_window_of_zst_decides_no_bits(tmp_path: pathlib.Path) -> None:
    assert hashed(TextConfig(train="x", zst_window=31)) == hashed(TextConfig(train="x"))
    assert "zst_window" not in hashed(DatasetsConfig(saved="x"))
    parameters = zstandard.ZstdCompressionParameters(window_log=28, write_content_size=False)
    maker = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "a.txt.zst").write_bytes(maker.compress(b"text") + maker.flush())
    assert read(tmp_path / "a.txt.zst") == [b"text"]
    assert "set corpus.zst_window to 28 or more" in complaint(tmp_path / "a.txt.zst", zst_window=27)


@pytest.mark.parametrize(("length", "lengths"), [(1024, [1024]), (1025, [1024, 1]), (3000, [1024, 1024, 952])])
def test_long_document_is_cut(tmp_path: pathlib.Path, length: int, lengths: list[int]) -> None:
    content = os.urandom(length)
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(content))
    for name in ("a.txt", "a.txt.gz"):
        documents = read(tmp_path / name, document_bytes=1024)
        assert [len(document) for document in documents] == lengths
        assert b"".join(documents) == content


def test_long_json_text_is_cut(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x" * 1500}) + "\n" + json.dumps({"text": "y"}))
    assert read(tmp_path / "a.jsonl", document_bytes=1024) == [b"x" * 1024, b"x" * 476, b"y"]


def test_half_a_surrogate_pair_is_kept(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud83d"}')
    assert read(tmp_path / "a.jsonl") == ["\ud83d".encode("utf-8", "surrogatepass")]


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=9), max_size=6), st.integers(1, 5))
def test_regrouping_keeps_every_byte(pieces: list[bytes], size: int) -> None:
    made = list(_regroup(pieces, size))
    assert b"".join(made) == b"".join(pieces)
    assert all(len(piece) == size for piece in made[:-1])
    assert len(made) == max(1, -(-len(b"".join(pieces)) // size))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=4), min_size=1, max_size=6), st.integers(1, 9))
def test_json_lines_whatever_the_pieces(texts: list[str], size: int) -> None:
    data = b"\n".join(json.dumps({"text": text}).encode() for text in texts)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = list(json_texts(pathlib.Path("x"), pieces))
    assert found == [text.encode("utf-8", "surrogatepass") for text in texts]


@pytest.mark.parametrize("packing", list(PACK))
def test_memory_stays_flat(tmp_path: pathlib.Path, packing: str) -> None:
    path = tmp_path / ("a.txt" + packing)
    path.write_bytes(PACK[packing](b"all work and no play " * 1_600_000))
    made = reader(train=str(path), document_bytes=1 << 16)
    tracemalloc.start()
    try:
        assert sum(len(document) for document in made.documents("train")) == 33_600_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


# -- fingerprints


def test_fingerprint_is_sha256_over_lengths_and_content(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "ab"}\n{"text": "c"}')
    expected = hashlib.sha256(b"\x02" + bytes(7) + b"ab" + b"\x01" + bytes(7) + b"c").hexdigest()
    assert reader(train=str(tmp_path / "a.jsonl")).fingerprint("train") == expected


def test_fingerprint_sees_the_borders_of_documents_and_nothing_of_names(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "ab"}\n{"text": "c"}')
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\n{"text": "bc"}')
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b'{"text": "a"}\n{"text": "bc"}'))
    one, two, three = (reader(train=str(tmp_path / name)).fingerprint("train") for name in sorted(os.listdir(tmp_path)))
    assert one != two
    assert two == three


# -- what is wrong


def test_no_match(tmp_path: pathlib.Path) -> None:
    assert complaint(tmp_path / "*.txt") == f"corpus.train: no file matches {tmp_path / '*.txt'}"
    assert complaint(tmp_path / "a.txt") == f"corpus.train: no such file: {tmp_path / 'a.txt'}"
    assert complaint(tmp_path) == f"corpus.train: {tmp_path} is a folder; name its files, such as {tmp_path}/*.txt"


def test_one_pattern_of_several_without_a_match(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    made = reader(train=(str(tmp_path / "a.txt"), str(tmp_path / "b.txt")))
    with pytest.raises(CorpusError, match=r"no such file: .*b\.txt"):
        next(made.documents("train"))


def test_empty_corpus(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.txt").write_text("")
    assert complaint(tmp_path / "*.txt") == f"corpus.train: one file without any text in it ({tmp_path / 'a.txt'})"
    (tmp_path / "b.jsonl").write_text("\n\n")
    assert complaint(tmp_path / "*").startswith("corpus.train: 2 files without any text")


@pytest.mark.parametrize("name", ["a.pdf", "a", "a.tar.gz", "a.zip", "a.bz2"])
def test_unknown_suffix(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / name).write_text("text")
    text = complaint(tmp_path / name)
    assert text.startswith(f"{tmp_path / name}: the text reader does not know ")
    assert text.endswith("it reads .txt, .md and .jsonl, each plain or followed by .gz, .xz or .zst")


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize("damage", ["cut", "other", "flipped"])
def test_damaged_archive(tmp_path: pathlib.Path, packing: str, damage: str) -> None:
    content = PACK[packing](os.urandom(5000))
    middle = len(content) // 2
    flipped = content[:4] + bytes(16) + content[20:]
    path = tmp_path / ("a.txt" + packing)
    path.write_bytes({"cut": content[:middle], "other": b"not an archive at all", "flipped": flipped}[damage])
    assert complaint(path).startswith(f"{path}: damaged {packing} file (")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("{", "not JSON ("),
        ('["text"]', "not a JSON object; each line must be an object with a text field"),
        ('{"txt": "a"}', "no text field"),
        ('{"text": 3}', "a text field that is not a string (3)"),
        ("[" * 100_000, "not JSON ("),
    ],
)
def test_bad_json_line_is_named(tmp_path: pathlib.Path, line: str, text: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "fine"}\n\n' + line + "\n")
    assert complaint(tmp_path / "a.jsonl").startswith(f"{tmp_path / 'a.jsonl'}:3: {text}")


def test_json_line_that_is_no_utf_8(tmp_path: pathlib.Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "\xff\xfe"}')
    assert complaint(tmp_path / "a.jsonl").startswith(f"{tmp_path / 'a.jsonl'}:1: not JSON (")


def test_json_line_without_end(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackc_text.lines.MAX_LINE", 1 << 20)
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n{"text": "' + b"x" * (2 << 20))
    assert complaint(tmp_path / "a.jsonl") == f"{tmp_path / 'a.jsonl'}:2: a line of more than 1 MiB"


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python itself reads .zst")
def test_missing_zstandard_says_what_to_install(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt.zst").write_bytes(zst(b"text"))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    assert complaint(tmp_path / "a.txt.zst").endswith("reading .zst needs a package: pip install 'stackc[zstd]'")


def test_file_that_goes_away(tmp_path: pathlib.Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("text")
    stream = reader(train=str(tmp_path / "*.txt")).documents("train")
    next(stream)
    (tmp_path / "b.txt").unlink()
    with pytest.raises(CorpusError, match=r"b\.txt: cannot read \(No such file or directory\)"):
        list(stream)


@pytest.mark.parametrize("size", [1023, (1 << 30) + 1])
def test_document_bytes_out_of_range(size: int) -> None:
    with pytest.raises(ValueError, match="document_bytes"):
        reader(train="x", document_bytes=size)
