"""A stack in one file, a *pack*: its manifest and the parts that decoding needs (docs/format.md, "Packs").

A pack is written by `stackc pack`, stands in `.stk` files that carry their stack, and is opened wherever a stack's
folder is. It holds no names of its own: which parts follow, in which order and how long, is what the manifest says, and
the manifest's names are checked like those of any stack. So there is no name twice, no absolute one, no link, and
nothing outside the folder that it is unpacked into.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import attrs

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import MAX_JSON, json_object, naming, reading
from stackc.api.lasting import lasting_folder
from stackc.api.messages import amount
from stackc.api.partial import NEW
from stackc.api.streams import read_up_to, write_all
from stackc.stack.manifest import (
    MANIFEST,
    checked_manifest,
    coding_parts,
    handed_on,
    manifest_alone,
    read_manifest,
    stack_sha256,
)

FORMAT = 1
MAGIC = b"\x89STP\r\n\x1a\n"
"""As that of `.stk` files, with another letter."""

SUFFIX = ".stack"

MAX_PARTS, MAX_LEVELS = 4096, 256
"""What a pack may hold, at most: far more than any stack, and little enough to compare all with all."""

_HEAD = struct.Struct("<8sHHIQ32s")
_CHECK = 8
HEAD_SIZE = _HEAD.size + _CHECK

_PIECE = 1 << 20

_PART = ("sha256", "bytes")
"""What the manifest says of a part."""


@attrs.frozen(kw_only=True)
class Head:
    """What stands before the parts.

    Attributes:
        manifest: of the stack, with only these parts, and as it is handed on.
        names: of the parts, in the order in which they follow.
        size: bytes of the whole pack.
        begin: bytes before the first part.
    """

    manifest: dict[str, Any]
    names: tuple[str, ...]
    size: int
    begin: int

    @property
    def sha256(self) -> str:
        return stack_sha256(self.manifest)


def is_pack(path: Path) -> bool:
    """Whether a file begins as a pack does."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


# -- written


def pack_head(folder: Path) -> bytes:
    """The bytes before the parts of the pack of the stack in `folder`: the same for the same stack.

    Raises:
        ArtifactError: no stack, or a damaged one.
    """
    manifest = handed_on(read_manifest(folder))
    names = sorted(coding_parts(manifest))
    if len(names) > MAX_PARTS or len(manifest["levels"]) > MAX_LEVELS:
        raise ArtifactError(f"{folder}: {len(names)} parts in {len(manifest['levels'])} levels are too many to pack")
    kept = {**manifest, "parts": {name: {key: manifest["parts"][name][key] for key in _PART} for name in names}}
    text = _canonical(kept)
    size = HEAD_SIZE + len(text) + _CHECK + sum(kept["parts"][name]["bytes"] for name in names)
    head = _HEAD.pack(MAGIC, FORMAT, 0, len(text), size, bytes.fromhex(stack_sha256(kept)))
    return head + _check(head) + text + _check(text)


def packed_size(head: bytes) -> int:
    """Bytes of the whole pack that begins with `head`."""
    return int(_HEAD.unpack_from(head)[4])


def write_pack(folder: Path, target: IO[bytes]) -> int:
    """Write the pack of the stack in `folder`, compared with its SHA-256 on the way; returns its bytes.

    Raises:
        ArtifactError: no stack, or a part that is damaged or changes while it is read.
    """
    head = pack_head(folder)
    written = write_all(target, head)
    manifest = _read_head(io.BytesIO(head), str(folder)).manifest
    for name in sorted(manifest["parts"]):
        part, path = manifest["parts"][name], folder / name
        with reading(path, ArtifactError):
            file = path.open("rb")
        with file:
            wrong = f"{path}: differs from its SHA-256 in the manifest; build the stack again"
            for piece in _checked(file, part, str(path), wrong):
                written += write_all(target, piece)
    return written


def packed(folder: Path, most: int) -> bytes:
    """The pack of the stack in `folder`, of at most `most` bytes. Raises `StackcError` if it is larger."""
    size = packed_size(pack_head(folder))
    if size > most:
        raise StackcError(
            f"{folder}: packed, the stack has {size:,} bytes; at most {most:,} are put into a .stk file: leave out "
            "--embed-stack, and hand on the stack by `stackc pack`"
        )
    out = io.BytesIO()
    write_pack(folder, out)
    return out.getvalue()


# -- read


def read_head(path: Path) -> Head:
    """The content of a pack; the parts are not read.

    Raises:
        ArtifactError: no pack, a damaged one, or a newer format.
    """
    with reading(path, ArtifactError), path.open("rb") as file:
        head = _read_head(file, str(path))
        _check_size(head, os.fstat(file.fileno()).st_size, str(path))
        return head


def manifest_of(place: Path) -> dict[str, Any]:
    """The manifest of a stack in a folder or in a pack, whether or not the parts exist or are right.

    Raises:
        ArtifactError: neither, or damaged.
    """
    return read_head(place).manifest if is_pack(place) else manifest_alone(place)


def check_pack(data: bytes, where: str) -> Head:
    """What a pack in memory holds, all of it checked. Raises `ArtifactError`."""
    file = io.BytesIO(data)
    head = _read_head(file, where)
    _check_size(head, len(data), where)
    for name in head.names:
        for _ in _checked(file, head.manifest["parts"][name], where, _damaged(where, name)):
            pass
    return head


class Unpacked:
    """A stack from a pack, in a temporary folder that is there as long as this object.

    Args:
        source: the file; or the content of a pack, which `where` then names.

    Attributes:
        place: the file, absolute; None for a pack in memory.
        where: names it in messages.
        folder: the stack's folder.

    Raises:
        ArtifactError: no pack, a damaged one, a newer format, or no place for its files.
    """

    def __init__(self, source: Path | bytes, where: str = "") -> None:
        self.place = source.absolute() if isinstance(source, Path) else None
        self.where = where or str(source)
        if isinstance(source, bytes):
            self._unpack(io.BytesIO(source), len(source))
        else:
            with reading(source, ArtifactError):
                file = source.open("rb")
            with file:
                self._unpack(file, os.fstat(file.fileno()).st_size)

    def _unpack(self, file: IO[bytes], size: int) -> None:
        head = _read_head(file, self.where)
        _check_size(head, size, self.where)
        self.folder = lasting_folder(self)
        for name in head.names:
            path = self.folder / name
            with naming(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(os.open(path, NEW, 0o600), "wb", buffering=0) as out:
                    for piece in _checked(file, head.manifest["parts"][name], self.where, _damaged(self.where, name)):
                        write_all(out, piece)
        with naming(self.folder / MANIFEST):
            (self.folder / MANIFEST).write_bytes(_canonical(head.manifest))


def _canonical(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()


def _check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_CHECK]


def _damaged(where: str, name: str) -> str:
    return f"{where}: the packed stack is damaged or cut off in its part {name}"


def _read_head(file: IO[bytes], where: str) -> Head:
    """The head of a pack; every size is compared with its bound before it is read."""
    with reading(where, ArtifactError):
        start = read_up_to(file, HEAD_SIZE)
    if start[: len(MAGIC)] != MAGIC:
        raise ArtifactError(f"{where}: not a packed stack (its first bytes are wrong)")
    if len(start) < HEAD_SIZE or _check(start[:-_CHECK]) != start[-_CHECK:]:
        raise ArtifactError(f"{where}: the packed stack is damaged or cut off in its first {HEAD_SIZE} bytes")
    _, version, spare, length, size, sha256 = _HEAD.unpack_from(start)
    if version != FORMAT:
        raise ArtifactError(
            f"{where}: a packed stack of format {version}; this stackc reads {FORMAT}: pip install --upgrade stackc"
        )
    if spare or not 2 <= length <= MAX_JSON or size < HEAD_SIZE + length + _CHECK:
        raise ArtifactError(f"{where}: the packed stack states impossible sizes")
    with reading(where, ArtifactError):
        text, check = read_up_to(file, length), read_up_to(file, _CHECK)
    if _check(text) != check:
        raise ArtifactError(f"{where}: the packed stack is damaged or cut off in its manifest")
    manifest = _manifest(text, where)
    if len(manifest["levels"]) > MAX_LEVELS or len(manifest["parts"]) > MAX_PARTS:
        raise ArtifactError(f"{where}: the packed stack has more levels or parts than {MAX_LEVELS} and {MAX_PARTS}")
    names = tuple(sorted(manifest["parts"]))
    if names != tuple(sorted(coding_parts(manifest))):
        raise ArtifactError(f"{where}: the packed stack lists parts that decoding does not read")
    begin = HEAD_SIZE + length + _CHECK
    if size != begin + sum(manifest["parts"][name]["bytes"] for name in names):
        raise ArtifactError(f"{where}: the packed stack's size does not match its manifest")
    try:
        found = stack_sha256(manifest)
    except ArtifactError as error:
        raise ArtifactError(f"{where}: {error}") from error
    if found != sha256.hex():
        raise ArtifactError(f"{where}: the packed stack is not the one that it names")
    return Head(manifest=manifest, names=names, size=size, begin=begin)


def _manifest(text: bytes, where: str) -> dict[str, Any]:
    """The manifest in a pack, in the one form in which it may be written: that excludes names that occur twice."""
    try:
        found = json_object(text)
        canonical = _canonical(found) == text
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{where}: the packed stack has no readable manifest ({error})") from error
    manifest = checked_manifest(found, where, "pack the stack again")
    if not canonical:
        raise ArtifactError(f"{where}: the packed stack's manifest is not in its canonical form")
    return manifest


def _check_size(head: Head, size: int, where: str) -> None:
    if size != head.size:
        what = "cut off" if size < head.size else "followed by other bytes"
        raise ArtifactError(f"{where}: the packed stack is {what}: {amount(size, 'byte')} instead of {head.size:,}")


def _checked(file: IO[bytes], part: dict[str, Any], where: str, wrong: str) -> Iterator[bytes]:
    """The content of a part. Raises `ArtifactError(wrong)` at its end unless it is what its entry says."""
    left, whole = part["bytes"], hashlib.sha256()
    while left:
        with reading(where, ArtifactError):  # whoever takes the pieces writes them, and names its own errors
            piece = read_up_to(file, min(left, _PIECE))
        if not piece:
            break
        whole.update(piece)
        left -= len(piece)
        yield piece
    if left or whole.hexdigest() != part["sha256"]:
        raise ArtifactError(wrong)
