"""Which stacks a folder of `.stk` files needs. Only the headers are read."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import attrs

from stackc.api.errors import ContainerError
from stackc.archive.format import Header
from stackc.archive.reader import read_bare_header
from stackc.stack.finding import located

SUFFIX = ".stk"


def files_below(folder: Path) -> list[Path]:
    """Every `.stk` file in a folder and below it, in the order of their names; links to folders are not followed."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        found += [Path(place, name) for name in names if name.endswith(SUFFIX) and name != SUFFIX]
    return sorted(one for one in found if one.is_file())


@attrs.define(kw_only=True)
class Needed:
    """A stack that files were written with.

    Attributes:
        sha256: its name in the files.
        place: where it is, apart from the files themselves; None: nowhere that is searched.
        files: that need it; `embedded` of them carry it.
        bytes: of the files.
    """

    sha256: str
    place: Path | None
    files: list[Path] = attrs.field(factory=list)
    embedded: int = 0
    bytes: int = 0


def needed_stacks(files: Iterable[Path]) -> tuple[list[Needed], list[tuple[Path, str]]]:
    """The stacks of these files, ordered by hash, and (file, what is wrong) of each that is not readable."""
    stacks: dict[bytes, Needed] = {}
    unreadable: list[tuple[Path, str]] = []
    for path in files:
        try:
            with path.open("rb") as file:
                header = read_bare_header(file)
                size = os.fstat(file.fileno()).st_size
        except ContainerError as error:
            unreadable.append((path, f"{path}: {error}"))
            continue
        except OSError as error:
            unreadable.append((path, f"{path}: cannot read ({error.strerror or error})"))
            continue
        one = stacks.get(header.stack) or stacks.setdefault(header.stack, _located(header))
        one.files.append(path)
        one.embedded += header.embedded is not None
        one.bytes += size
    return sorted(stacks.values(), key=lambda one: one.sha256), unreadable


def _located(header: Header) -> Needed:
    return Needed(sha256=header.stack.hex(), place=located(header))
