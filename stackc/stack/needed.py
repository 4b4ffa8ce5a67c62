"""Which `.stk` files a folder has, and which stacks they need. Of the files only the headers and the stacks in them are
read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import attrs

from stackc.api.errors import ContainerError
from stackc.archive.format import Header
from stackc.archive.reader import read_header
from stackc.stack.finding import located

SUFFIX = ".stk"


@attrs.frozen(kw_only=True)
class Unread:
    """What stands in a folder and is not read.

    Attributes:
        place: a file with the name of a `.stk` file, or a folder.
        text: what is wrong, with the name.
        folder: whether it is a folder: which files it has is not known then.
    """

    place: Path
    text: str
    folder: bool


@attrs.frozen(kw_only=True)
class Below:
    """The `.stk` files in a folder and below it, in the order of their names, and what of them is not read."""

    files: list[Path]
    unread: list[Unread]

    def __bool__(self) -> bool:
        return bool(self.files or self.unread)


def files_below(folder: Path) -> Below:
    """Every `.stk` file in a folder and below it; links to folders are not followed. None is opened.

    Folders that the system refuses, links that lead nowhere, pipes and devices are `unread`: nothing that may hold
    files is left out in silence.
    """
    found: list[Path] = []
    unread: list[Unread] = []

    def refused(error: OSError) -> None:
        text = f"{error.filename}: cannot read ({error.strerror or error})"
        unread.append(Unread(place=Path(error.filename), text=text, folder=True))

    for place, _, names in os.walk(folder, onerror=refused):
        found += [Path(place, name) for name in names if name.endswith(SUFFIX) and name != SUFFIX]
    problems = {one: _problem(one) for one in found}
    unread += [Unread(place=one, text=f"{one}: {text}", folder=False) for one, text in problems.items() if text]
    files = sorted(one for one, text in problems.items() if not text)
    return Below(files=files, unread=sorted(unread, key=lambda one: one.place))


def _problem(path: Path) -> str:
    """Why a file is not to be opened; "" if it is."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        if error.errno == errno.ENOENT and path.is_symlink():
            return f"a link to {os.readlink(path)}, which does not exist"
        return f"cannot read ({error.strerror or error})"
    return "" if stat.S_ISREG(mode) else "not a regular file; in a folder, pipes and devices are not read"


@attrs.define(kw_only=True)
class Needed:
    """A stack that files were written with.

    Attributes:
        sha256: its name in the files.
        place: where it is, apart from the files themselves; None: nowhere that is searched.
        files: that need it; `embedded` of them carry it.
        damaged: (file, what is wrong) of each that carries a damaged copy of it, which is not counted in `embedded`.
        bytes: of the files.
    """

    sha256: str
    place: Path | None
    files: list[Path] = attrs.field(factory=list)
    embedded: int = 0
    damaged: list[tuple[Path, str]] = attrs.field(factory=list)
    bytes: int = 0


def needed_stacks(files: Iterable[Path]) -> tuple[list[Needed], list[tuple[Path, str]]]:
    """The stacks of these files, ordered by hash, and (file, what is wrong) of each whose header is not readable."""
    stacks: dict[bytes, Needed] = {}
    unreadable: list[tuple[Path, str]] = []
    for path in files:
        try:
            with path.open("rb") as file:
                header = read_header(file)
                size = os.fstat(file.fileno()).st_size
        except ContainerError as error:
            unreadable.append((path, f"{path}: {error}"))
            continue
        except OSError as error:
            unreadable.append((path, f"{path}: cannot read ({error.strerror or error})"))
            continue
        one = stacks.get(header.stack) or stacks.setdefault(header.stack, _located(header))
        one.files.append(path)
        if header.damage:
            one.damaged.append((path, f"{path}: {header.damage}"))
        one.embedded += header.embedded is not None and not header.damage
        one.bytes += size
    return sorted(stacks.values(), key=lambda one: one.sha256), unreadable


def _located(header: Header) -> Needed:
    return Needed(sha256=header.stack.hex(), place=located(header))
