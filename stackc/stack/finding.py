"""Finds the stack that a `.stk` file was written with, by the hash in its header.

By hash and not by a path or name: a file and its stack stay together wherever they are moved, and no option of
`compress` has to be repeated.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from stackc.api.errors import ArtifactError, ContainerError, StackcError
from stackc.api.names import expanded
from stackc.archive.codec import BlockCodec
from stackc.archive.format import Header
from stackc.stack.manifest import MANIFEST, manifest_alone, stack_sha256
from stackc.stack.stack import PATH_VARIABLE, Stack

_SHIPPED = Path(__file__).parent / "builtin"

GENERAL = "general-1"
"""The stack that ships with stackc, for compressing without one. It never changes: a better one gets a new name."""


def builtin(name: str) -> Path | None:
    """The folder of the built-in stack with this name, or None."""
    folder = _SHIPPED / name
    return folder if name and "/" not in name and os.sep not in name and (folder / MANIFEST).is_file() else None


def stack_folder(name: str | Path | None) -> Path:
    """The folder of a stack that is named by a user: a folder, or one that is built in; None: `GENERAL`."""
    wanted = GENERAL if name is None else name
    return (builtin(wanted) if isinstance(wanted, str) else None) or Path(wanted)


def places() -> list[Path]:
    """Folders that are stacks or hold stacks: the folders of STACKC_PATH, then ``runs`` in the current folder."""
    named = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    return [*(expanded(name) for name in named if name), Path("runs")]


def stacks(folders: list[Path], problems: list[str]) -> Iterator[Path]:
    """The stacks among `folders` and directly inside them.

    Args:
        problems: receives a line for each folder that cannot be read.
    """
    for folder in folders:
        try:
            if (folder / MANIFEST).is_file():
                yield folder
                continue
            inside = sorted(Path(entry.path) for entry in os.scandir(folder))
        except OSError as error:
            problems.append(f"{folder}: {error.strerror or error}")
            continue
        for one in inside:
            with contextlib.suppress(OSError):
                if (one / MANIFEST).is_file():
                    yield one


def copies(header: Header) -> Iterator[Path]:
    """The stacks of the header's hash in STACKC_PATH, in ./runs and among those that ship, in this order.

    Raises:
        ContainerError: at the end, if there was none. Names the folders that could not be read.
    """
    wanted = header.stack.hex()
    searched, found = 0, False
    problems: list[str] = []
    for folder in stacks(places(), problems):
        searched += 1
        try:
            right = stack_sha256(manifest_alone(folder)) == wanted
        except (ArtifactError, OSError) as error:  # a broken stack must not hide the right one
            problems.append(str(error))
            continue
        if right:
            found = True
            yield folder
    shipped = (folder for folder in stacks([_SHIPPED], []) if stack_sha256(manifest_alone(folder)) == wanted)
    for folder in shipped:
        found = True
        yield folder
    if not found:
        seen = f" ({'; '.join(problems)})" if problems else ""
        raise ContainerError(
            f"written with the stack {wanted[:16]}…, not found among the {searched} in {PATH_VARIABLE} and ./runs: "
            f"name its folder with --stack{seen}"
        )


Warn = Callable[[str], None]
"""Receives one line about a damaged copy of the right stack that was skipped."""


def warned(text: str) -> None:
    """A `Warn` for programs: a Python warning."""
    warnings.warn(text, stacklevel=2)


def find_stack(header: Header, given: Stack | None = None, warn: Warn = warned, whole: bool = False) -> Stack:
    """The stack whose hash the header names: the first copy that can be opened.

    Args:
        given: use this stack and search for none.
        whole: also open all parts that decoding needs.

    Raises:
        ContainerError: no such stack.
        StackcError: no copy of the stack can be opened: the error of the first.
    """
    if given is not None:
        return given
    failed: list[StackcError] = []
    for folder in copies(header):
        try:
            stack = Stack(folder)
            if whole:
                _ = stack.codec.portability  # opens every model that must run
        except StackcError as error:
            failed.append(error)
            continue
        except OSError as error:
            failed.append(StackcError(f"{error.filename or folder}: cannot read ({error.strerror or error})"))
            continue
        for why in failed:
            warn(f"{why}; the copy in {folder} is used")
        return stack
    raise failed[0]


def open_codec(header: Header, given: Stack | None = None, warn: Warn = warned) -> BlockCodec:
    """The codec for a file. Arguments and errors: see `find_stack` and `Stack.codec_for`."""
    return find_stack(header, given, warn, whole=True).codec_for(header)
