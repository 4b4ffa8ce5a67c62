"""Finds the stack that a `.stk` file was written with, by the hash in its header.

By hash and not by a path or name: a file and its stack stay together wherever they are moved, and no option of
`compress` has to be repeated. A stack in the file itself comes first, so that such a file needs nothing else; one of
the same hash that is found elsewhere decodes equally.
"""

from __future__ import annotations

import contextlib
import functools
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from stackc.api.errors import ArtifactError, ContainerError, StackcError
from stackc.api.names import expanded
from stackc.archive.codec import BlockCodec
from stackc.archive.format import Header
from stackc.stack.manifest import MANIFEST, manifest_alone, stack_sha256
from stackc.stack.packed import SUFFIX, Unpacked, is_pack, manifest_of
from stackc.stack.stack import PATH_VARIABLE, Stack

_SHIPPED = Path(__file__).parent / "builtin"

GENERAL = "general-3"
"""The stack that ships with stackc, for compressing without one. It never changes: a better one gets a new name."""


IN_FILE = "the stack in it"
"""What messages call the stack in a file. Those that begin so need the file's name before them."""


def builtin(name: str) -> Path | None:
    """The folder of the built-in stack with this name, or None."""
    folder = _SHIPPED / name
    return folder if name and "/" not in name and os.sep not in name and (folder / MANIFEST).is_file() else None


def stack_folder(name: str | Path | None) -> Path:
    """The folder of a stack that is named by a user: a folder, or one that is built in; None: `GENERAL`.

    Raises:
        StackcError: there is neither.
    """
    wanted = GENERAL if name is None else name
    found = (builtin(wanted) if isinstance(wanted, str) else None) or Path(wanted)
    if not found.exists():
        raise StackcError(no_such_stack(str(wanted)))
    return found


def no_such_stack(typed: str) -> str:
    """The message for a name, as a user typed it, that is neither a folder's nor that of a built-in stack."""
    shipped = ", ".join(sorted(folder.name for folder in _SHIPPED.iterdir() if builtin(folder.name)))
    meant = " (./NAME means a folder)" if builtin(str(Path(typed))) else ""
    return f"{typed}: no such stack{meant}; name a folder, or one that is built in: {shipped}"


def places() -> list[Path]:
    """Folders that are stacks or hold stacks: the folders of STACKC_PATH, then ``runs`` in the current folder."""
    named = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    return [*(expanded(name) for name in named if name), Path("runs")]


def stacks(places: list[Path], problems: list[str]) -> Iterator[Path]:
    """The stacks among `places` and directly inside them: folders, and packs whose names end in ``.stack``.

    Args:
        problems: receives a line for each folder that cannot be read.
    """
    for place in places:
        try:
            if (place / MANIFEST).is_file() or is_pack(place):
                yield place
                continue
            inside = sorted(Path(entry.path) for entry in os.scandir(place))
        except OSError as error:
            problems.append(f"{place}: {error.strerror or error}")
            continue
        for one in inside:
            with contextlib.suppress(OSError):
                if (one / MANIFEST).is_file() or (one.suffix == SUFFIX and is_pack(one)):
                    yield one


def copies(header: Header) -> Iterator[Path]:
    """The stacks of the header's hash in STACKC_PATH, in ./runs and among those that ship, in this order.

    Raises:
        ContainerError: at the end, if there was none, and none in the file that is whole. Names the folders that could
            not be read.
    """
    wanted = header.stack.hex()
    searched, found = 0, False
    problems: list[str] = []
    for folder in stacks(places(), problems):
        searched += 1
        try:
            right = stack_sha256(manifest_of(folder)) == wanted
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
    if not found and (header.embedded is None or header.damage):
        seen = f" ({'; '.join(problems)})" if problems else ""
        damage = f"{header.damage}, and it was " if header.damage else ""
        raise ContainerError(
            f"{damage}written with the stack {wanted[:16]}…, not found among the {searched} in {PATH_VARIABLE} and "
            f"./runs: name its folder with --stack{seen}"
        )


def carried(pack: bytes, wanted: str | None = None) -> Stack:
    """The stack in a file, unpacked into a temporary folder.

    Args:
        pack: any bytes, see `stackc.stack.packed`.
        wanted: its SHA-256 as the file's header states it; None: any.

    Raises:
        StackcError: damage, another stack than the header names, or one that cannot be opened here.
    """
    stack = Stack(Unpacked(pack, IN_FILE))
    if wanted is not None and stack.sha256 != wanted:
        raise ContainerError(f"the stack in it is {stack.sha256[:16]}…, but it was written with {wanted[:16]}…")
    return stack


def _from_file(header: Header, pack: bytes) -> Stack:
    if header.damage:
        raise ContainerError(header.damage)
    return carried(pack, header.stack.hex())


def _openers(header: Header) -> Iterator[tuple[str, Callable[[], Stack]]]:
    """What to try, and its name: the stack in the file, then the copies elsewhere."""
    if header.embedded is not None:
        yield IN_FILE, functools.partial(_from_file, header, header.embedded)
    for place in copies(header):
        yield str(place), functools.partial(Stack, place)


Warn = Callable[[str], None]
"""Receives one line about a damaged copy of the right stack that was skipped."""


def warned(text: str) -> None:
    """A `Warn` for programs: a Python warning."""
    warnings.warn(text, stacklevel=2)


Known = dict[bytes, Stack]
"""Stacks that were opened for other files, by their SHA-256."""


def find_stack(
    header: Header, given: Stack | None = None, warn: Warn = warned, whole: bool = False, known: Known | None = None
) -> Stack:
    """The stack whose hash the header names: the first copy that can be opened.

    Args:
        given: use this stack and search for none.
        whole: also open all parts that decoding needs.
        known: taken from, and added to.

    Raises:
        ContainerError: no such stack.
        StackcError: no copy of the stack can be opened: the error of the first.
    """
    at_hand = given if given is not None else (known or {}).get(header.stack)
    if at_hand is not None:
        if header.damage and at_hand.sha256 == header.stack.hex():  # any other is refused
            warn(f"{header.damage}; {'the one that is given' if given is not None else 'a whole copy of it'} is used")
        return at_hand
    failed: list[StackcError] = []
    for name, opener in _openers(header):
        try:
            stack = opener()
            stack.check_whole()
            if whole:
                _ = stack.codec.portability  # opens every model that must run
        except StackcError as error:
            failed.append(error)
            continue
        except OSError as error:
            failed.append(StackcError(f"{error.filename or name}: cannot read ({error.strerror or error})"))
            continue
        for why in failed:
            warn(f"{why}; the copy in {name} is used")
        if known is not None:
            known[header.stack] = stack
        return stack
    if header.damage:
        raise ContainerError(
            f"{header.damage}, and no copy elsewhere can be opened ({failed[1]}): name another with --stack"
        )
    raise failed[0]


def located(header: Header) -> Path | None:
    """Where a stack of the header's hash is, apart from the file itself; it is not opened. None: nowhere."""
    try:
        return next(copies(header), None)
    except ContainerError:
        return None


def open_codec(
    header: Header, given: Stack | None = None, warn: Warn = warned, known: Known | None = None
) -> BlockCodec:
    """The codec for a file. Arguments and errors: see `find_stack` and `Stack.codec_for`."""
    return find_stack(header, given, warn, whole=True, known=known).codec_for(header)
