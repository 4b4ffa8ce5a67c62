"""Compressed files are read to their last byte or refused; the tools of their formats are the measure."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import random
import shutil
import subprocess

import pytest
import zstandard

from packed_files import BOTH, PACK, TOOLS, packed_files
from stackc.api.errors import CorpusError
from stackc.api.unpacking import PACKED, UNPACKED, unpacked

CASES = [(packing, name) for packing in PACK for name in packed_files(packing)]


def read(data: bytes, packing: str, **more: int) -> bytes | str:
    """The content, or the error."""
    try:
        return b"".join(unpacked(io.BytesIO(data), packing, "FILE", **more))
    except CorpusError as error:
        return str(error)


@pytest.mark.parametrize(("packing", "name"), CASES)
def test_all_of_a_file_or_an_error(packing: str, name: str) -> None:
    data, content = packed_files(packing)[name]
    found = read(data, packing)
    if content is None:
        assert isinstance(found, str), found
        assert found.startswith(f"FILE: damaged {packing} file (")
        assert found.endswith("); copy or compress it again")
        assert "\n" not in found
    else:
        assert found == content


@pytest.mark.parametrize(("packing", "name"), CASES)
def test_the_tool_says_the_same(packing: str, name: str) -> None:
    """One that ignores what follows a stream warns of it: a damaged stream is no end."""
    tool = shutil.which(TOOLS[packing])
    if tool is None:
        pytest.skip(f"{TOOLS[packing]} is not installed")
    data, content = packed_files(packing)[name]
    done = subprocess.run([tool, "-dc"], input=data, capture_output=True, check=False)
    sound = done.returncode == 0 and not done.stderr
    assert (done.stdout if sound else None) == content


@pytest.mark.parametrize("packing", PACK)
def test_where_the_damage_is(packing: str) -> None:
    files = packed_files(packing)
    first = len(files["one"][0])
    assert f"in stream 2, which begins at byte {first})" in str(read(files["second-flipped"][0], packing))
    assert "it has no bytes" in str(read(b"", packing))
    assert "it ends in the middle of a stream)" in str(read(files["cut-in-the-first"][0], packing))


@pytest.mark.parametrize("packing", PACK)
def test_streams_at_every_border_of_what_is_read_at_once(packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed_files(packing)["two"][0]
    for size in (1, 2, 3, 7, len(data) - 1, len(data)):
        monkeypatch.setattr("stackc.api.unpacking.PACKED", size)
        assert read(data, packing) == BOTH
        assert isinstance(read(data + b"x", packing), str)


@pytest.mark.parametrize("packing", PACK)
def test_no_cut_and_no_flip_of_a_file_goes_unseen(packing: str) -> None:
    draw = random.Random(5)
    a, b = (PACK[packing](bytes(draw.choices(b"abcd ", k=300))) for _ in range(2))
    for end in range(1, len(a + b)):
        if end != len(a):
            assert isinstance(read((a + b)[:end], packing), str), end
    whole = read(a + b, packing)
    for place in range(len(a + b)):
        damaged = bytearray(a + b)
        damaged[place] ^= 1 << draw.randrange(8)
        found = read(bytes(damaged), packing)
        # Some bits say nothing of the content: times and names in .gz, unused bits.
        assert isinstance(found, str) or found == whole, place


@pytest.mark.parametrize("packing", PACK)
def test_pieces_stay_small(packing: str) -> None:
    data = PACK[packing](b"all work and no play " * 300_000)
    longest = max(len(piece) for piece in unpacked(io.BytesIO(data), packing, "FILE"))
    assert longest <= (UNPACKED if packing != ".zst" else 8 << 20)
    assert len(data) < PACKED


def long_window(bits: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=bits, write_content_size=False)
    maker = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return maker.compress(os.urandom(10)) + maker.flush()


def test_windows_of_zst_up_to_a_limit() -> None:
    assert len(read(long_window(20), ".zst", zst_window=27)) == 10
    text = read(long_window(28), ".zst", zst_window=27)
    assert text == (
        "FILE: its window is longer than 2^27 bytes; set corpus.zst_window to 28 or more, or compress it again with "
        "`zstd --long=27`"
    )
    assert len(read(long_window(28), ".zst", zst_window=28)) == 10


def test_errors_of_the_file_itself_pass() -> None:
    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError(5, "Input/output error")

    for packing in PACK:
        with pytest.raises(OSError, match="Input/output"):
            list(unpacked(Broken(), packing, "FILE"))  # type: ignore[arg-type]


def test_more_memory_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    class Greedy:
        eof, needs_input = False, True

        def decompress(self, data: bytes, most: int) -> bytes:
            raise MemoryError

    monkeypatch.setattr(lzma, "LZMADecompressor", lambda *form: Greedy())
    assert read(b"x", ".xz") == "FILE: unpacking it takes more memory than there is; compress it with less"


def test_many_members() -> None:
    """As bgzip and pigz write them."""
    assert read(gzip.compress(b"x" * 100) * 2000, ".gz") == b"x" * 200_000
    assert read(lzma.compress(b"x" * 100) * 300, ".xz") == b"x" * 30_000
