"""Finds the stack that a `.stk` file was written with, by the hash in its header."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from stackc.container.codec import BlockCodec
from stackc.container.format import MAX_HOST, Header
from stackc.errors import ArtifactError, ContainerError
from stackc.host import host
from stackc.manifest import MANIFEST, read_manifest, stack_sha256
from stackc.names import expanded
from stackc.stack import Stack

PATH_VARIABLE = "STACKC_PATH"


def places() -> list[Path]:
    """Folders that are stacks or hold stacks: those of STACKC_PATH, then ``runs`` here."""
    named = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    return [*(expanded(name) for name in named if name), Path("runs")]


def stacks(folders: list[Path]) -> Iterator[Path]:
    """The stacks among `folders` and directly inside them."""
    for folder in folders:
        if (folder / MANIFEST).is_file():
            yield folder
        else:
            yield from sorted(path.parent for path in folder.glob(f"*/{MANIFEST}"))


def find_stack(header: Header, given: Stack | None = None) -> Stack:
    """The stack whose hash the header names.

    Args:
        given: look at this one only.

    Raises:
        ContainerError: it is another, or there is none.
        StackcError: it is there, and cannot be opened.
    """
    wanted = header.stack.hex()
    if given is not None:
        if given.sha256 != wanted:
            raise ContainerError(
                f"written with the stack {wanted[:16]}…; {given.folder} is {given.sha256[:16]}…: give the one that "
                f"wrote it, or leave --stack out to look in {PATH_VARIABLE} and ./runs"
            )
        return given
    looked = 0
    for folder in stacks(places()):
        looked += 1
        try:
            found = stack_sha256(read_manifest(folder))
        except ArtifactError:  # a broken stack beside the one that is looked for
            continue
        if found == wanted:
            return Stack(folder)
    raise ContainerError(
        f"written with the stack {wanted[:16]}…, which is none of the {looked} in {PATH_VARIABLE} and ./runs: "
        "name its folder with --stack"
    )


def open_codec(header: Header, given: Stack | None = None) -> BlockCodec:
    """The codec for a file, after making sure that it can give here what it gave where the file was written.

    Raises:
        ContainerError: no such stack; another version of the coder; a model that answers otherwise here.
        StackcError: a stack that cannot be opened.
    """
    stack = find_stack(header, given)
    version = stack.coder_version
    if header.coder != version:
        raise ContainerError(
            f"coded with version {header.coder} of the coder 'arithmetic'; installed is version {version}, which reads "
            "others: install the stackc that wrote it"
        )
    codec = stack.codec
    here = host(header.portability).encode()[:MAX_HOST].decode(errors="replace")
    if codec.portability != header.portability or here != header.host:
        raise ContainerError(
            f"its models' answers are {header.portability}, and it was written on {header.host or 'any machine'}; here "
            f"they are {codec.portability}, on {here or host('same-machine')}: decode it there"
        )
    return codec
