"""What a file is, by its suffixes, and its bytes in pieces, whatever it is compressed with."""

from __future__ import annotations

import enum
import gzip
import lzma
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import attrs

from stackc.api import CorpusError

COMPRESSED = (".gz", ".xz", ".zst")
TEXT = (".txt", ".md")
JSON_LINES = (".jsonl", ".json")  # C4 ships JSON lines as .json.gz
ARCHIVES = (".tar", ".zip", ".7z")

_ZSTD_PIECES = (1 << 6, 1 << 12)
_ZSTD_UNPACKED = 1 << 19


class Kind(enum.Enum):
    TEXT = "text"
    JSON_LINES = "JSON lines"


@attrs.frozen
class FileKind:
    """What is in a file (`kind`) and how it is compressed ("" for not at all)."""

    kind: Kind
    compression: str


def kind_of(path: Path) -> FileKind:
    """Read off the suffixes: ``.txt .md`` text, ``.jsonl .json`` JSON lines, either with ``.gz .xz .zst`` after.

    A compressed file with any other suffix inside (``dump.gz``, ``notes.en.xz``) is text.

    Raises:
        CorpusError: some other suffix, or an archive of several files.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    compression = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSED else ""
    inner = suffixes[-1] if suffixes else ""
    if inner in JSON_LINES:
        return FileKind(Kind.JSON_LINES, compression)
    if inner in TEXT or (compression and inner not in ARCHIVES):
        return FileKind(Kind.TEXT, compression)
    raise CorpusError(
        f"{path}: the text reader does not know {inner or 'a file without a suffix'}; it reads .txt, .md and .jsonl, "
        "each plain or followed by .gz, .xz or .zst"
    )


def open_pieces(path: Path, size: int) -> Iterator[bytes]:
    """The content of a file, unpacked, in pieces of about `size` bytes.

    Raises:
        CorpusError: it is missing, unreadable or damaged, or needs a package that is not installed.
    """
    compression = kind_of(path).compression
    try:
        with path.open("rb") as raw:
            yield from _UNPACK[compression](raw, size)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise CorpusError(f"{path}: damaged {compression} file ({error})") from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot read ({error.strerror or error})") from error


def _plain(raw: IO[bytes], size: int) -> Iterator[bytes]:
    while piece := raw.read(size):
        yield piece


def _gz(raw: IO[bytes], size: int) -> Iterator[bytes]:
    with gzip.open(raw, "rb") as file:
        yield from _plain(file, size)  # type: ignore[arg-type]


def _xz(raw: IO[bytes], size: int) -> Iterator[bytes]:
    with lzma.open(raw, "rb") as file:
        yield from _plain(file, size)


def _zst(raw: IO[bytes], size: int) -> Iterator[bytes]:
    if sys.version_info >= (3, 14):
        from compression import zstd

        try:
            with zstd.open(raw, "rb") as file:
                yield from _plain(file, size)
        except zstd.ZstdError as error:
            raise EOFError(str(error)) from error
        return
    try:
        import zstandard
    except ImportError:
        raise CorpusError(f"{raw.name}: reading .zst needs a package: pip install 'stackc[zstd]'") from None
    try:
        yield from _zstandard_frames(raw, zstandard)
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from error


def _zstandard_frames(raw: IO[bytes], zstandard: Any) -> Iterator[bytes]:
    """Frames end to end. zstandard's own stream reader takes a truncated file for a short one; this does not.

    A piece unpacks at once, and may unpack to much: pieces shrink where the text is dense and grow where not.
    """
    frame = None
    least, most = _ZSTD_PIECES
    size = least
    while packed := raw.read(size):
        size = min(most, 2 * size)
        while packed:
            frame = frame or zstandard.ZstdDecompressor().decompressobj()
            unpacked = frame.decompress(packed)
            if len(unpacked) > _ZSTD_UNPACKED:
                size = max(least, size // 4)
            yield unpacked
            packed = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = None
    if frame is not None:
        raise EOFError("it ends in the middle of a frame")


_UNPACK = {"": _plain, ".gz": _gz, ".xz": _xz, ".zst": _zst}
