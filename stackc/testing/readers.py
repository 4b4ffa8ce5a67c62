"""The contract of corpus readers, as tests: subclass `ReaderContract` in a test module."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackc.api.errors import CorpusError
from stackc.api.readers import HashedReader, Reader
from stackc.testing.sharing import Job, check_shared


class ReaderContract:
    """What every reader promises.

    Subclass it in a test module, with a name that starts with Test::

        class TestLines(ReaderContract):
            def make(self, folder):
                (folder / "train.lines").write_bytes(b"one\\ntwo\\n")
                return LineReader(LineConfig(train=str(folder / "train.lines"))), {"train": [b"one", b"two"]}

            def make_missing(self, folder):
                return LineReader(LineConfig(train=str(folder / "nowhere")))
    """

    def make(self, folder: Path) -> tuple[Reader, dict[str, list[bytes]]]:
        """Write a small corpus into `folder`: (a reader of it, the documents of each of its splits)."""
        raise NotImplementedError

    def make_missing(self, folder: Path) -> Reader:
        """A reader whose split "train" names files that are not there."""
        raise NotImplementedError

    def test_documents_are_as_written(self, tmp_path: Path) -> None:
        reader, expected = self.make(tmp_path)
        assert expected, "make() names no split"
        for split, documents in expected.items():
            found = list(reader.documents(split))
            assert all(type(document) is bytes for document in found)
            assert found == documents

    def test_documents_are_streamed_and_read_anew_each_time(self, tmp_path: Path) -> None:
        reader, expected = self.make(tmp_path)
        for split, documents in expected.items():
            stream = reader.documents(split)
            assert isinstance(stream, Iterator)
            half_read = reader.documents(split)
            next(half_read, None)
            assert list(stream) == documents
            assert list(reader.documents(split)) == documents

    def test_files_one_after_another_are_the_documents(self, tmp_path: Path) -> None:
        reader, expected = self.make(tmp_path)
        files = getattr(reader, "files", lambda split: None)
        read_file = getattr(reader, "read_file", None)
        for split, documents in expected.items():
            found = files(split)
            assert found is None or all(isinstance(path, Path) and path.is_file() for path in found)
            assert found == files(split)
            own = type(reader).read_file is not HashedReader.read_file if isinstance(reader, HashedReader) else False
            if found and own and read_file is not None:
                assert [document for path in found for document in read_file(split, path)] == documents

    def test_it_may_be_shared_by_threads(self, tmp_path: Path) -> None:
        reader, expected = self.make(tmp_path)

        def jobs() -> list[Job]:
            return [job for split in expected for job in _readings(reader, split)]

        check_shared(jobs)

    def test_fingerprint_is_of_content(self, tmp_path: Path) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir()
        second.mkdir()
        reader, expected = self.make(first)
        again, _ = self.make(second)
        for split in expected:
            assert isinstance(reader.fingerprint(split), str)
            assert reader.fingerprint(split) == reader.fingerprint(split) == again.fingerprint(split)

    def test_fingerprint_tells_splits_apart(self, tmp_path: Path) -> None:
        reader, expected = self.make(tmp_path)
        contents = {tuple(documents) for documents in expected.values()}
        assert len({reader.fingerprint(split) for split in expected}) == len(contents)

    def test_missing_files_are_a_corpus_error(self, tmp_path: Path) -> None:
        reader = self.make_missing(tmp_path)
        with pytest.raises(CorpusError) as caught:
            list(reader.documents("train"))
        assert "\n" not in str(caught.value)
        with pytest.raises(CorpusError):
            reader.fingerprint("train")


def _readings(reader: Reader, split: str) -> list[Job]:
    def documents() -> list[bytes]:
        found = []
        for document in reader.documents(split):
            found.append(document)  # on a separate line, where another thread may read
        return found

    return [documents, functools.partial(reader.fingerprint, split)]
