"""Finds the stack that a `.stk` file was written with, by the hash in its header."""

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


def places() -> list[Path]:
    """Folders that are stacks or hold stacks: those of STACKC_PATH, then ``runs`` here."""
    named = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    return [*(expanded(name) for name in named if name), Path("runs")]


def stacks(folders: list[Path], problems: list[str]) -> Iterator[Path]:
    """The stacks among `folders` and directly inside them.

    Args:
        problems: told of folders that cannot be read.
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
    """The stacks of this hash in STACKC_PATH and ./runs, in their order.

    Raises:
        ContainerError: there is none, at the end. Names what could not be looked into.
    """
    wanted = header.stack.hex()
    looked, found = 0, False
    problems: list[str] = []
    for folder in stacks(places(), problems):
        looked += 1
        try:
            right = stack_sha256(manifest_alone(folder)) == wanted
        except (ArtifactError, OSError) as error:  # a broken stack beside the one that is looked for
            problems.append(str(error))
            continue
        if right:
            found = True
            yield folder
    if not found:
        seen = f" ({'; '.join(problems)})" if problems else ""
        raise ContainerError(
            f"written with the stack {wanted[:16]}…, which is none of the {looked} in {PATH_VARIABLE} and ./runs: "
            f"name its folder with --stack{seen}"
        )


Warn = Callable[[str], None]
"""Told of a damaged copy of the right stack that was passed over."""


def warned(text: str) -> None:
    """A `Warn` for programs."""
    warnings.warn(text, stacklevel=2)


def find_stack(header: Header, given: Stack | None = None, warn: Warn = warned, whole: bool = False) -> Stack:
    """The stack whose hash the header names: the first copy that can be opened.

    Args:
        given: look at this one only.
        whole: open all parts that decoding needs, too.

    Raises:
        ContainerError: there is none.
        StackcError: it is there, and no copy can be opened: why the first cannot.
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
            warn(f"{why}; the copy in {folder} is taken")
        return stack
    raise failed[0]


def open_codec(header: Header, given: Stack | None = None, warn: Warn = warned) -> BlockCodec:
    """The codec for a file. Arguments and errors: see `find_stack` and `Stack.codec_for`."""
    return find_stack(header, given, warn, whole=True).codec_for(header)
