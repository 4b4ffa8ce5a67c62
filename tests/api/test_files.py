"""Files are whole or absent, whatever goes wrong while they are written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from stackc.api import ArtifactError, read_tensors, write_atomically, write_tensors


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail_half_way(failure: type[BaseException]) -> None:
        with write_atomically(path) as file:
            file.write(b"half")
            raise failure

    for failure in (ValueError, KeyboardInterrupt):
        with pytest.raises(failure):
            fail_half_way(failure)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["f"]
    with write_atomically(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "no space left on the disk"), (errno.EROFS, "check the folder and its permissions")],
)
def test_a_disk_that_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    def refuse(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ArtifactError, match=said), write_atomically(tmp_path / "f") as file:
        file.write(b"data")
    assert os.listdir(tmp_path) == []


def test_tensors_come_back_and_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    arrays = {"b": np.arange(6).reshape(2, 3).T, "a": np.array([], np.int8)}
    write_tensors(tmp_path / "1", arrays, note="x")
    write_tensors(tmp_path / "2", dict(reversed(arrays.items())), note="x")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert all(np.array_equal(array, arrays[name]) for name, array in read_tensors(tmp_path / "1").items())


@pytest.mark.parametrize("content", [b"", b"{}", b"\x08\x00\x00\x00\x00\x00\x00\x00{}garbage", b"\xff" * 40])
def test_what_is_no_tensor_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(ArtifactError, match="not a readable safetensors file"):
        read_tensors(tmp_path / "f")
    with pytest.raises(ArtifactError, match="not a readable safetensors file"):
        read_tensors(tmp_path / "missing")
