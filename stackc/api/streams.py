"""Byte streams that lose nothing, and the standard ones, which are kept for data.

Whatever a command or the API writes that is not a file of its own goes through `write_all`, by itself or in a `Whole`.
Light on purpose: ``stackc --help`` imports this and no numpy.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, TextIO

from stackc.api.errors import StackcError
from stackc.api.messages import one_line

OUTPUT = "standard output"

# --------------------------------------------------------------------------------------------------
# Writing and reading


def write_all(file: Any, data: Any) -> int:
    """Write all of `data`, or raise; how many bytes that were.

    The count that a raw file's own `write` returns may be less than it was given: of a pipe when the process is stopped
    and continued, of a socket, of anything that is non-blocking. The rest is written then, after waiting if need be.

    Args:
        file: any binary file: buffered, raw, or an object of the caller's with a `write`.

    Raises:
        OSError: as the file raises, or where it takes nothing.
    """
    size = memoryview(data).nbytes
    done = 0
    while done < size:
        blocked = False
        try:
            count = file.write(memoryview(data).cast("B")[done:] if done else data)
        except BlockingIOError as error:
            count, blocked = getattr(error, "characters_written", 0), True
        if count is None:
            if not _may_block(file):  # many a writer that is not of `io` returns nothing and has written all
                return size
            count, blocked = 0, True
        if not blocked and not 0 < count <= size - done:
            raise OSError(errno.EIO, f"took {count} of {size - done} bytes")
        done += count
        if blocked:
            _wait(file, "POLLOUT")
    return size


def flush_all(file: Any) -> None:
    """Flush a file, waiting if it is non-blocking."""
    while True:
        try:
            file.flush()
            return
        except BlockingIOError:
            _wait(file, "POLLOUT")


def read_some(file: Any, count: int) -> bytes:
    """At most `count` bytes; none only at the end, where a non-blocking file's own `read` gives None for "not yet"."""
    while True:
        data: bytes | None = None
        with contextlib.suppress(BlockingIOError):
            data = file.read(count)
        if data is not None:
            return data
        _wait(file, "POLLIN")


def read_up_to(file: Any, count: int) -> bytes:
    """`count` bytes, fewer only at the end: pipes give less than asked for."""
    pieces = []
    while count > 0:
        piece = read_some(file, count)
        if not piece:
            break
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)


def _may_block(file: Any) -> bool:
    """Whether None from `write` means that nothing was taken."""
    if isinstance(file, io.RawIOBase):
        return True
    try:
        return not os.get_blocking(file.fileno())
    except (AttributeError, OSError):
        return False


def _wait(file: Any, event: str) -> None:
    try:
        number = file.fileno()
    except (AttributeError, OSError):
        raise BlockingIOError(errno.EAGAIN, "is non-blocking, and there is nothing to wait for") from None
    poll = select.poll()
    poll.register(number, getattr(select, event))
    poll.poll()


class Whole(io.RawIOBase):
    """A binary file as `write_all` writes it; reading waits too. The file stays its owner's: it is never closed.

    Args:
        file: any binary file.
        name: for errors that have none.
        droppable: what cannot be written is dropped: there is no place left to say it.
    """

    def __init__(self, file: Any, name: str = "", droppable: bool = False) -> None:
        self._file, self.name, self._droppable = file, name, droppable

    def write(self, data: Any) -> int:
        try:
            return write_all(self._file, data)
        except OSError as error:
            if self._droppable:
                return memoryview(data).nbytes
            if error.filename is None and self.name:
                error.filename = self.name
            raise

    def readinto(self, buffer: Any) -> int:
        while True:
            count: int | None = None
            with contextlib.suppress(BlockingIOError):
                count = self._file.readinto(buffer)
            if count is not None:
                return count
            _wait(self._file, "POLLIN")

    def flush(self) -> None:
        if not getattr(self._file, "closed", False) and hasattr(self._file, "flush"):
            flush_all(self._file)

    def readable(self) -> bool:
        return bool(self._file.readable())

    def writable(self) -> bool:
        return bool(self._file.writable())

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def truncate(self, size: int | None = None, /) -> int:
        return int(self._file.truncate(size))

    def fileno(self) -> int:
        return int(self._file.fileno())

    def isatty(self) -> bool:
        return bool(self._file.isatty())


# --------------------------------------------------------------------------------------------------
# Standard input, output and error

_closed: set[int] = set()
"""Of 0, 1 and 2, those that this process was started without."""

_taken: int | None = None
"""Where standard output is since `take`; number 1 is standard error then."""

_stream: TextIO | None = None
"""The text stream on it."""

_results: list[TextIO | None] = []
"""Standard output, in `kept`."""


def take() -> None:
    """For a process that is one command, before any plugin is imported: take standard output aside for `results`.

    From here on everything else that is written to number 1, by Python, a C library or a process that is started, goes
    to standard error. Streams that the process was started without become empty devices, or the next file that is
    opened would have their number and get what is meant for them.
    """
    global _taken, _stream
    for number, mode in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):  # 0 and 1: using them is an error
        try:
            os.fstat(number)
        except OSError:
            _closed.add(number)
            os.open(os.devnull, mode)  # the lowest number that is free
            os.set_inheritable(number, True)
    _taken = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = _stream = _text(sys.stdout, Whole(io.FileIO(_taken, "w", closefd=False), OUTPUT))
    sys.stderr = _text(sys.stderr, Whole(io.FileIO(2, "w", closefd=False), "standard error", droppable=True))
    if sys.stdin is not None:
        reader = io.BufferedReader(Whole(io.FileIO(0, "r", closefd=False), "standard input"))
        sys.stdin = io.TextIOWrapper(reader, sys.stdin.encoding, sys.stdin.errors)


def _text(stream: TextIO | None, raw: Whole) -> TextIO:
    """A text stream on `raw` that is as `stream` otherwise; flushed by lines if that was not buffered."""
    lines = not isinstance(stream, io.TextIOWrapper) or stream.line_buffering or stream.write_through
    errors = stream.errors if stream is not None else "backslashreplace"
    encoding = stream.encoding if stream is not None else None
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors, line_buffering=lines)


def _whole_text(stream: TextIO | None) -> TextIO | None:
    """`stream` so that nothing of it is lost, if it is Python's own on a file."""
    buffer = stream.buffer if isinstance(stream, io.TextIOWrapper) else None
    raw = getattr(buffer, "raw", buffer)
    if stream is None or not isinstance(raw, io.FileIO):
        return stream
    stream.flush()
    return _text(stream, Whole(io.FileIO(raw.fileno(), "w", closefd=False), OUTPUT))


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """While a command works: standard output is for `results` alone; what anyone else prints goes to standard error."""
    before = sys.stdout
    _results.append(_whole_text(before))
    sys.stdout = sys.stderr
    try:
        yield
        if (stream := _results[-1]) is not None:
            stream.flush()
    finally:
        if _taken is None:  # else a library may still print when Python ends
            sys.stdout = before
        _results.pop()


def drop() -> None:
    """At the end of a command: forget what could not be written, which was said, or Python would say it once more."""
    if _taken is None or _stream is None:
        return
    try:
        _stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, _taken, inheritable=False)
        os.close(null)


def results() -> TextIO:
    """Standard output, for what a command was asked for. Call it before long work.

    Raises:
        StackcError: it is closed.
    """
    stream = _results[-1] if _results else _whole_text(sys.stdout)
    if stream is None or (_taken is not None and 1 in _closed):
        raise StackcError(f"{OUTPUT} is closed; leave it open, or send it to a file")
    return stream


def remark(text: str) -> None:
    """A line on standard output that says what was done; dropped if that is closed."""
    with contextlib.suppress(StackcError):
        stream = results()
        stream.write(f"{one_line(text)}\n")
        stream.flush()


@contextlib.contextmanager
def binary_output(force: bool = True) -> Iterator[IO[bytes]]:
    """Standard output for bytes; flushed where the block ends well.

    Args:
        force: to a terminal too.

    Raises:
        StackcError: it is closed, a terminal, or a stream of text only.
    """
    stream = check_binary_output(force)
    file: IO[bytes] = stream.buffer
    yield file
    flush_all(file)


def check_binary_output(force: bool) -> TextIO:
    """Standard output, whose ``buffer`` takes bytes. Raises as `binary_output` does."""
    stream = results()
    if not hasattr(stream, "buffer"):
        raise StackcError(f"{OUTPUT} takes text only here; name a file with -o")
    if stream.isatty() and not force:
        raise StackcError("the output would go to the terminal; name a file with -o, or force it with --force")
    return stream


def binary_input() -> IO[bytes]:
    """Standard input. Raises `StackcError` if it is closed."""
    file: IO[bytes] | None = getattr(sys.stdin, "buffer", None)
    if file is None:
        raise StackcError("standard input is closed; name a file")
    return file


def is_output(path: Path) -> bool:
    """Whether `path` names the standard output that was taken: ``/dev/stdout``, ``/dev/fd/1`` or a link to them."""
    if _taken is None:
        return False
    place = os.fspath(path)
    for _ in range(40):  # links, as many as the system follows
        folder = os.path.realpath(os.path.dirname(place))
        ours = folder == "/dev/fd" or (folder.startswith(f"/proc/{os.getpid()}/") and folder.endswith("/fd"))
        if ours and os.path.basename(place) == "1":
            return True
        try:
            place = os.path.join(folder, os.readlink(place))
        except OSError:
            return False
    return False


def moved(path: Path) -> Path:
    """`path`, or, where it names standard output, its name since that was taken."""
    return Path(f"/dev/fd/{_taken}") if is_output(path) else path
