"""Temporary files and folders: nobody can guess them, nothing planted is followed, and what was left is cleared."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from stackc.api.errors import ArtifactError
from stackc.api.files import Inherited, make_folder_atomically, no_wider, write_atomically
from stackc.api.partial import PARTIAL, clear_partials

LEFT = f".stackc-{'0' * 32}.partial"


def partials(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if PARTIAL.fullmatch(path.name)]


def test_writers_of_one_path_each_write_a_whole_file(tmp_path: Path) -> None:
    """Piece by piece in turns; the last to end has the name, and at no moment is a torn file there."""
    path, writers, seen = tmp_path / "f", 4, set()
    turns = threading.Barrier(writers)
    failures: list[BaseException] = []

    def write(number: int) -> None:
        try:
            with write_atomically(path) as file:
                for _ in range(50):
                    file.write(bytes([number]) * 1000)
                    file.flush()
                    turns.wait()
                    if path.exists():
                        seen.add(path.read_bytes())
        except BaseException as error:
            failures.append(error)

    for _ in range(2):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seen.add(path.read_bytes())
    assert not failures
    assert seen <= {bytes([number]) * 50_000 for number in range(writers)}
    assert os.listdir(tmp_path) == ["f"]


def test_processes_that_write_one_path_all_end_well(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stackc.api.files import write_atomically\n"
        "for _ in range(200):\n"
        "    with write_atomically(Path(sys.argv[1])) as file:\n"
        "        [file.write(sys.argv[2].encode() * 9000) for _ in range(3)]\n"
    )
    path = tmp_path / "f"
    processes = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "ab"]
    while any(process.poll() is None for process in processes):
        assert not path.exists() or path.read_bytes() in (b"a" * 27_000, b"b" * 27_000)
    assert [process.returncode for process in processes] == [0, 0]
    assert os.listdir(tmp_path) == ["f"]


@pytest.mark.parametrize("size", [1, 200, 243, 251, 255])
def test_every_name_that_the_file_system_takes(tmp_path: Path, size: int) -> None:
    path = tmp_path / ("n" * size)
    with write_atomically(path) as file:
        file.write(b"data")
    assert path.read_bytes() == b"data"
    with pytest.raises(ArtifactError, match="File name too long"), write_atomically(tmp_path / ("n" * 256)):
        pass
    assert os.listdir(tmp_path) == ["n" * size]


def test_what_stands_at_a_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the name had been guessed: a link's target stays as it is, a pipe is not waited for."""
    monkeypatch.setattr(os, "urandom", bytes)
    mine = tmp_path / "mine"
    mine.write_bytes(b"precious")
    for plant in (lambda at: at.symlink_to(mine), os.mkfifo, lambda at: at.write_bytes(b"")):
        plant(tmp_path / LEFT)
        with pytest.raises(ArtifactError, match=r"f: cannot write \(File exists"), write_atomically(tmp_path / "f"):
            pass
        (tmp_path / LEFT).unlink(missing_ok=True)
        assert not (tmp_path / "f").exists()
        assert mine.read_bytes() == b"precious"


def test_the_old_name_is_nothing_special(tmp_path: Path) -> None:
    """Names that follow from the output's were a way to have it written elsewhere."""
    (tmp_path / "mine").write_bytes(b"precious")
    (tmp_path / ".f.partial").symlink_to("mine")
    os.mkfifo(tmp_path / ".g.partial")
    for name in "fg":
        with write_atomically(tmp_path / name) as file:
            file.write(b"data")
    assert (tmp_path / "mine").read_bytes() == b"precious"


def test_what_a_killed_process_left_is_cleared_and_what_is_written_is_not(tmp_path: Path) -> None:
    (tmp_path / LEFT).write_bytes(b"half")
    (tmp_path / LEFT.replace("0", "1")).mkdir()
    (tmp_path / LEFT.replace("0", "1") / "file").write_bytes(b"half")
    (tmp_path / LEFT.replace("0", "2")).symlink_to("mine")
    for name in ("mine", ".mine.partial", ".stackc-00.partial"):
        (tmp_path / name).write_bytes(b"precious")
    with write_atomically(tmp_path / "f") as file, make_folder_atomically(tmp_path / "g") as folder:
        clear_partials(tmp_path)
        file.write(b"data")
        (folder / "inside").write_bytes(b"data")
    left = {LEFT.replace("0", "2"), "mine", ".mine.partial", ".stackc-00.partial", "f", "g"}
    assert set(os.listdir(tmp_path)) == left, "a link is nothing that was written"
    assert (tmp_path / "g" / "inside").read_bytes() == b"data"


def test_a_file_that_is_cleared_as_it_is_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between making it and holding it."""
    import fcntl

    real, begun = fcntl.flock, []

    def flock(descriptor: int, how: int) -> None:
        if not begun:
            begun.append(descriptor)
            clear_partials(tmp_path)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with write_atomically(tmp_path / "f") as file:
        file.write(b"data")
    assert begun
    assert (tmp_path / "f").read_bytes() == b"data"
    assert os.listdir(tmp_path) == ["f"]


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    def fail() -> None:
        with make_folder_atomically(tmp_path / "g") as folder:
            (folder / "half").write_bytes(b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == []
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / "mine").write_bytes(b"precious")
    with pytest.raises(ArtifactError, match="g: cannot write"), make_folder_atomically(tmp_path / "g"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["g", "mine"]


# --------------------------------------------------------------------------------------------------
# Whose fault


def test_only_errors_of_the_output_are_put_down_to_it(tmp_path: Path) -> None:
    def fail(error: OSError) -> None:
        with write_atomically(tmp_path / "f") as file:
            file.write(b"half")
            raise error

    for error in (FileNotFoundError(2, "No such file", "other"), PermissionError(13, "no"), OSError(28, "full")):
        with pytest.raises(type(error)) as caught:
            fail(error)
        assert caught.value is error
    assert os.listdir(tmp_path) == []


def test_errors_of_the_output_name_it(tmp_path: Path) -> None:
    def use(path: Path, call: str, what: object) -> None:
        with write_atomically(path) as file:
            getattr(file, call)(what)

    wrong = [(tmp_path / "f", "seek", -1), (tmp_path / "f", "truncate", -1), (tmp_path / "no" / "f", "write", b"")]
    if os.path.exists("/dev/full"):
        wrong += [(Path("/dev/full"), "write", b"x"), (Path("/dev/full"), "truncate", 5)]
    for path, call, what in wrong:
        with pytest.raises(ArtifactError, match=rf"^{path}: "):
            use(path, call, what)
    assert os.listdir(tmp_path) == []


def test_a_pipe_that_nobody_reads_on_is_no_ones_fault() -> None:
    """`stackc … -o /dev/stdout | head`: the command line ends quietly."""
    read, write = os.pipe()
    os.close(read)
    try:
        with pytest.raises(BrokenPipeError), write_atomically(Path(f"/dev/fd/{write}")) as file:
            file.write(b"data")
    finally:
        os.close(write)


# --------------------------------------------------------------------------------------------------
# Rights


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _usual_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("rights", [0o600, 0o640, 0o644, 0o444, 0o755, 0o4755, 0o2755, 0o1644, 0o000])
def test_no_moment_gives_more_rights_than_the_source_has(tmp_path: Path, rights: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    source.chmod(rights)
    for whole in (True, False):
        inherited = Inherited((source.stat(),), whole=True) if whole else no_wider(source, None)
        with write_atomically(tmp_path / "f", inherited) as file:
            file.write(b"secret")
            file.flush()
            (partial,) = partials(tmp_path)
            assert mode(partial) & ~rights == 0 or (whole and mode(partial) == 0o600)
        assert mode(tmp_path / "f") == (rights if whole else rights & 0o644)


def test_pipes_have_no_rights_to_hand_on(tmp_path: Path) -> None:
    """`encode S <(zcat a.gz)` makes a file like any other."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with write_atomically(tmp_path / "f", no_wider(tmp_path / "pipe", tmp_path / "nothing")):
        pass
    assert mode(tmp_path / "f") == 0o644


def test_a_new_file_gets_what_the_umask_leaves(tmp_path: Path) -> None:
    os.umask(0o027)
    with write_atomically(tmp_path / "f"), make_folder_atomically(tmp_path / "g"):
        pass
    assert (mode(tmp_path / "f"), mode(tmp_path / "g")) == (0o640, 0o750)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@needs_root
@pytest.mark.parametrize("rights", [0o4755, 0o2750, 0o600])
def test_root_keeps_owner_and_group(tmp_path: Path, rights: int) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    os.chown(source, 65534, 65533)
    source.chmod(rights)
    with write_atomically(tmp_path / "f", Inherited((source.stat(),), whole=True)):
        pass
    found = (tmp_path / "f").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65533, rights)


@needs_root
@pytest.mark.parametrize(
    ("rights", "whole", "left"),
    [(0o6755, True, 0o755), (0o4770, True, 0o700), (0o1664, True, 0o644), (0o604, True, 0o600), (0o640, False, 0o600)],
)
def test_rights_are_cut_where_the_owner_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rights: int, whole: bool, left: int
) -> None:
    """A set-user-ID file of somebody else's bytes was root's; a group that is another reads no more than all may."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    source = tmp_path / "source"
    source.write_bytes(b"")
    os.chown(source, 65534, 65533)
    source.chmod(rights)
    monkeypatch.setattr(os, "fchown", refuse)
    with write_atomically(tmp_path / "f", Inherited((source.stat(),), whole=whole)):
        pass
    assert mode(tmp_path / "f") == left
