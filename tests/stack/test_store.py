"""Symbol stores: what goes in comes out, resumable by chunk, and damage is named."""

from pathlib import Path

import numpy as np
import pytest

import stackc.stack.store
from stackc.api import ArtifactError
from stackc.api.arrays import release
from stackc.parts.symbols import symbol_dtype
from stackc.stack.store import BytesWriter, Chunk, Store, StoreWriter, bytes_chunk


def write(folder: Path, chunks: list[Chunk], alphabet: int) -> Store:
    writer = StoreWriter(folder, alphabet)
    for number, chunk in enumerate(chunks):
        writer.add(number, chunk)
    writer.finish(len(chunks))
    return Store(folder)


@pytest.mark.parametrize(("alphabet", "width"), [(256, 1), (257, 2), (65_536, 2), (65_537, 4)])
def test_symbols_take_the_fewest_bytes(alphabet: int, width: int) -> None:
    assert symbol_dtype(alphabet).itemsize == width


def test_documents_come_back_with_their_bytes(tmp_path: Path) -> None:
    documents = [b"one", b"", b"two words", b"\xff\x00"]
    store = write(tmp_path / "s", [bytes_chunk(documents[:2]), bytes_chunk(documents[2:])], 256)
    assert [d.tobytes() for d in store.text().documents()] == documents
    assert store.source_bytes.tolist() == [3, 0, 9, 2]
    assert store.text().source_bytes == 14
    assert store.counts()[ord("o")] == 3
    assert not (tmp_path / "s" / "chunks").exists()


def test_an_empty_store_is_a_store(tmp_path: Path) -> None:
    store = write(tmp_path / "s", [], 256)
    assert len(store.symbols) == 0
    assert list(store.chunks()) == []


def test_chunks_hold_whole_documents_and_do_not_depend_on_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stackc.stack.store, "CHUNK_SYMBOLS", 10)
    documents = [bytes(range(n)) for n in (3, 30, 4, 4, 4, 0, 9, 1)]
    store = write(tmp_path / "s", [bytes_chunk(documents)], 256)
    seen = [
        chunk.symbols[a:b].tobytes()
        for chunk in store.chunks()
        for a, b in zip(chunk.offsets[:-1], chunk.offsets[1:], strict=True)
    ]
    assert seen == documents
    assert [len(chunk.source_bytes) for chunk in store.chunks()] == [2, 3, 3]


def test_finished_chunks_survive_and_give_the_same_files(tmp_path: Path) -> None:
    chunks = [bytes_chunk([b"abc"]), bytes_chunk([b"de", b"f"])]
    whole = write(tmp_path / "whole", chunks, 256)
    StoreWriter(tmp_path / "killed", 256).add(0, chunks[0])
    again = StoreWriter(tmp_path / "killed", 256)
    assert again.has(0)
    assert not again.has(1)
    again.add(1, chunks[1])
    again.finish(2)
    assert Store(tmp_path / "killed").sha256 == whole.sha256


def test_bytes_written_as_they_come_make_the_files_of_chunks(tmp_path: Path) -> None:
    documents = [b"one", b"", b"two words", b"\xff\x00"]
    whole = write(tmp_path / "whole", [bytes_chunk(documents)], 256)
    (tmp_path / "s").mkdir()
    with BytesWriter(tmp_path / "s") as writer:
        writer.add(documents[:3])
        writer.add([])
        writer.add(documents[3:])
    assert {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()} == {
        path.name: path.read_bytes() for path in whole.folder.iterdir()
    }


def test_bytes_that_end_in_an_error_leave_nothing(tmp_path: Path) -> None:
    def tear() -> None:
        with BytesWriter(tmp_path) as writer:
            writer.add([b"one"])
            raise ValueError("torn")

    with pytest.raises(ValueError, match="torn"):
        tear()
    assert list(tmp_path.iterdir()) == []


def test_memory_that_is_given_back_is_read_again(tmp_path: Path) -> None:
    store = write(tmp_path / "s", [bytes_chunk([bytes(range(256)) * 4000])], 256)
    before = store.symbols.sum()
    store.text().release()
    release(store.symbols[5:10])
    assert store.symbols.sum() == before
    changed = np.memmap(store.folder / "symbols.bin", np.uint8, mode="c")
    changed[:] = 7
    release(changed)
    release(changed[:5])
    release(np.zeros(3))
    assert (changed == 7).all(), "what was written to a private map is nowhere else"


def test_damage_is_named(tmp_path: Path) -> None:
    write(tmp_path / "s", [bytes_chunk([b"abcdef"])], 256)
    (tmp_path / "s" / "symbols.bin").write_bytes(b"abc")
    with pytest.raises(ArtifactError, match=r"symbols.bin: does not hold 6 symbols"):
        Store(tmp_path / "s")
    (tmp_path / "s" / "store.json").write_text("[]")
    with pytest.raises(ArtifactError, match="not a readable symbol store"):
        Store(tmp_path / "s")
    with pytest.raises(ArtifactError, match="not a readable symbol store"):
        Store(tmp_path / "nowhere")


def test_wide_symbols(tmp_path: Path) -> None:
    values = np.array([0, 70_000, 5], np.int64)
    chunk = Chunk(symbols=values, offsets=np.array([0, 3]), source_bytes=np.array([12]))
    assert write(tmp_path / "s", [chunk], 1 << 17).symbols.tolist() == values.tolist()
