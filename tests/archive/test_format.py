"""The bytes themselves: golden files, and layouts that hold what they were given."""

from __future__ import annotations

import io
import re
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_stacks import DATA, USUAL_ZLIB, compressed
from golden_stacks import FOLDER as GOLDEN
from recipes_of_tests import TEXT
from stackc import ContainerError, Stack
from stackc.archive.format import (
    BLOCK_HEADER_SIZE,
    HEADER_SIZE,
    MAX_BLOCK,
    PORTABILITIES,
    TRAILER_SIZE,
    BlockHeader,
    Header,
    Trailer,
    unpack_block_header,
    unpack_header,
    unpack_trailer,
)
from stackc.archive.reader import read_header
from stackc.archive.writer import compress

FORMAT_PAGE = Path(__file__).parents[2] / "docs" / "format.md"

ADVICE = (
    "the bits changed: raise stackc.archive.format.FORMAT (or the part's bits_version), keep the old files readable"
)


class Raw:
    """A codec that codes nothing."""

    portability = "portable"
    block_size, max_block, threads, verifies_beside = 1 << 16, 1 << 20, 1, False

    def encode(self, blocks: list[bytes], verify: bool = True) -> list[bytes | None]:
        return [None] * len(blocks)


def test_the_example_of_the_document_is_what_is_written() -> None:
    (dump,) = re.findall(r'fromhex\("""\n(.*?)\n"""\)', FORMAT_PAGE.read_text(), flags=re.DOTALL)
    out = io.BytesIO()
    compress(
        Raw(),  # type: ignore[arg-type]
        bytes(range(32)),
        1,
        io.BytesIO(b"hello, world"),
        out,
        block_size=8,
        modified=1_700_000_000_000_000_000,
    )
    assert out.getvalue() == bytes.fromhex(dump), ADVICE


@pytest.mark.parametrize("name", ["counting", "two", "recurrent", "zipped"])
def test_golden_files_decode_and_come_out_the_same_again(name: str) -> None:
    """counting: compiled counts; two: transformers, one level compiled, one stepped in contexts of a segment;
    recurrent: as two, of recurrent networks; zipped: two levels of gzip."""
    stack = Stack(GOLDEN / name)
    file = (GOLDEN / f"{name}.stk").read_bytes()
    assert read_header(io.BytesIO(file)).stack.hex() == stack.sha256, ADVICE
    out = io.BytesIO()
    stack.decompress(io.BytesIO(file), out)
    assert out.getvalue() == DATA, ADVICE
    if USUAL_ZLIB or name != "zipped":
        assert compressed(stack) == file, ADVICE


def checks(count: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=count, max_size=count)


HEADERS = st.builds(
    Header,
    block_size=st.integers(1, MAX_BLOCK),
    file_id=checks(8),
    stack=checks(32),
    modified=st.none() | st.integers(-(1 << 63) + 1, (1 << 63) - 1),
    portability=st.sampled_from(PORTABILITIES),
    coder=st.integers(0, 255),
    host=st.text(st.characters(codec="utf-8"), max_size=100),
)


@given(header=HEADERS)
def test_headers(header: Header) -> None:
    packed = header.pack()
    assert len(packed) == HEADER_SIZE + len(header.host.encode())
    assert unpack_header(packed) == header
    assert read_header(io.BytesIO(packed + b"more")) == header


@given(
    coded=st.booleans(), number=st.integers(0, (1 << 32) - 1), offset=st.integers(0, (1 << 62) - 1),
    sizes=st.tuples(st.integers(1, MAX_BLOCK), st.integers(1, MAX_BLOCK)).map(sorted),
    values=st.tuples(*[checks(8)] * 3),
)  # fmt: skip
def test_block_headers(coded: bool, number: int, offset: int, sizes: list[int], values: tuple[bytes, ...]) -> None:
    size, length = sizes if coded else (sizes[1], sizes[1])
    header = BlockHeader(
        coded=coded,
        file_id=values[0],
        number=number,
        offset=offset,
        length=length,
        size=size,
        payload_check=values[1],
        source_check=values[2],
    )
    assert len(header.pack()) == BLOCK_HEADER_SIZE == 56
    assert unpack_block_header(header.pack()) == header


@given(blocks=st.integers(0, (1 << 32) - 1), share=st.floats(0, 1), values=st.tuples(checks(8), checks(32), checks(8)))
def test_trailers(blocks: int, share: float, values: tuple[bytes, ...]) -> None:
    trailer = Trailer(
        file_id=values[0],
        blocks=blocks,
        size=int(blocks * MAX_BLOCK * share),
        sha256=values[1],
        index_check=values[2],
    )
    assert len(trailer.pack()) == TRAILER_SIZE == 72
    assert unpack_trailer(trailer.pack()) == trailer
    with pytest.raises(ContainerError, match="the trailer is damaged"):
        unpack_trailer(attrs.evolve(trailer, size=blocks * MAX_BLOCK + 1).pack())


def test_a_newer_format_is_refused_with_what_to_do() -> None:
    file = bytearray((GOLDEN / "counting.stk").read_bytes())
    file[8] = 4
    with pytest.raises(
        ContainerError, match=r"a \.stk file of format 4; this stackc reads up to 3: pip install --upgrade"
    ):
        read_header(io.BytesIO(file))


def test_what_does_not_travel_is_refused_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model whose answers hold on this machine only: the file says so, and another machine is told why."""
    stack = Stack(GOLDEN / "counting")
    monkeypatch.setattr(stack.top, "portability", "same-machine")
    data, out, back = (TEXT * 2).encode(), io.BytesIO(), io.BytesIO()
    assert stack.compress(io.BytesIO(data), out, block_size=300).raw == 0
    header = read_header(io.BytesIO(out.getvalue()))
    assert header.portability == "same-machine"
    assert header.host
    stack.decompress(io.BytesIO(out.getvalue()), back)
    assert back.getvalue() == data
    monkeypatch.setattr("stackc.stack.stack.host", lambda portability: "elsewhere")
    with pytest.raises(ContainerError, match=r"it was written on .*: decode it there"):
        stack.decompress(io.BytesIO(out.getvalue()), io.BytesIO())


def test_another_version_of_the_coder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stack, "coder_version", 9)
    with pytest.raises(
        ContainerError, match="coded with version 1 of the coder 'arithmetic'; the installed version 9 cannot read it"
    ):
        Stack(GOLDEN / "counting").decompress(io.BytesIO((GOLDEN / "counting.stk").read_bytes()), io.BytesIO())


def test_a_part_that_changed_is_refused_when_it_is_read(tmp_path: Path) -> None:
    import shutil

    from stackc import ArtifactError

    for part in ("M1/dictionary/dictionary.safetensors", "M2/frozen/frequencies.safetensors"):
        copy = Path(shutil.copytree(GOLDEN / "counting", tmp_path / part.replace("/", "-")))
        data = bytearray((copy / part).read_bytes())
        data[-1] ^= 1
        (copy / part).write_bytes(data)
        stack = Stack(copy)
        with pytest.raises(ArtifactError, match="SHA-256 does not match the manifest"):
            stack.compress(io.BytesIO(b"text"), io.BytesIO())
        (copy / part).unlink()
        with pytest.raises(ArtifactError, match="a part of the stack is missing"):
            Stack(copy)


def test_lanes_are_bounded_by_the_memory_that_they_need() -> None:
    from stackc.stack.opening import LANE_COUNTS, lanes_for
    from stackc.stack.runtime import Runtime

    assert lanes_for(256, Runtime(lanes=64)) == 64
    assert lanes_for(1 << 20, Runtime(lanes=65_536)) == LANE_COUNTS >> 20
    assert np.iinfo(np.int32).max > LANE_COUNTS
