"""What `stackc inspect` shows of compressed files: the header of one, or which stacks a folder of them needs."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click

from stackc.api.messages import amount
from stackc.cli.command import USER_ERROR, WARNING, compressed_size, say, show, show_json
from stackc.cli.many_files import warning
from stackc.stack.needed import Below


def show_file(path: Path, as_json: bool) -> None:
    """The header of a `.stk` file. Exits with 2 if the stack in it is damaged and was not found elsewhere."""
    from stackc.stack.stk_files import describe_file

    header = describe_file(path)
    if as_json:
        show_json(header)
    else:
        _show_header(path, header)
    if header["embedded_damage"] and _say_damaged(f"{path}: {header['embedded_damage']}", header["stack"]):
        raise click.exceptions.Exit(USER_ERROR)


def _say_damaged(text: str, place: object) -> bool:
    """A warning where a copy of the damaged stack is at hand; else an error, and True."""
    if place is not None:
        warning(f"{text}; the copy in {place} is used")
    else:
        say(f"error: {text}, and no copy of it was found: name one with --stack, or its folder in STACKC_PATH")
    return place is None


def _show_header(path: Path, header: dict[str, Any]) -> None:
    time = "unknown"
    if header["modified_ns"] is not None:
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        try:
            time = str(epoch + datetime.timedelta(microseconds=header["modified_ns"] // 1000))
        except OverflowError:
            time = f"{header['modified_ns']} ns after 1970"
    sizes = compressed_size(header["size"], header["written"])
    blocks = f"{header['blocks']:,} of {amount(header['block_size'], 'byte')}"
    show(f"{click.format_filename(path)}: {sizes}; .stk format {header['format']}")
    show(f"original:    sha256 {header['sha256']}, modified {time}")
    show(f"blocks:      {blocks}, {header['raw_blocks']:,} of them stored uncompressed")
    show(f"stack:       {header['stack_sha256']} ({_where(header)})")
    show(f"decodes on:  {header['host'] or 'any machine'} ({header['portability']})")


def _where(header: dict[str, Any]) -> str:
    places = []
    if header["embedded_bytes"] is not None:
        damaged = ", DAMAGED" * bool(header["embedded_damage"])
        places.append(f"in the file, {amount(header['embedded_bytes'], 'byte')}{damaged}")
    if header["stack"]:
        places.append(click.format_filename(header["stack"]))
    if not header["stack"] and (not places or header["embedded_damage"]):
        places.append("not found in STACKC_PATH or ./runs")
    return "; ".join(places)


def show_folder(path: Path, below: Below, as_json: bool) -> None:
    """Which stacks the `.stk` files below a folder need, and where these are.

    Exits with 1 if a stack was not found, with 2 if a file or a folder is not readable, or a file carries a damaged
    stack that was not found elsewhere.
    """
    from stackc.stack.needed import needed_stacks

    needed, unreadable = needed_stacks(below.files)
    unreadable = sorted([*unreadable, *((one.place, one.text) for one in below.unread)])
    damaged = [(file, text, one.place) for one in needed for file, text in one.damaged]
    found = all(one.place or one.embedded == len(one.files) for one in needed)
    if as_json:
        stacks = [
            {
                "stack_sha256": one.sha256,
                "stack": None if one.place is None else str(one.place),
                "files": list(map(str, one.files)),
                "embedded_in": one.embedded,
                "bytes": one.bytes,
            }
            for one in needed
        ]
        show_json(
            {
                "folder": str(path),
                "stacks": stacks,
                "unreadable": {str(file): text for file, text in unreadable},
                "damaged_stacks": {str(file): text for file, text, _ in damaged},
            }
        )
    else:
        count = len(below.files) + sum(not one.folder for one in below.unread)
        show(f"{path}: {amount(count, 'file')}, {amount(len(needed), 'stack')}")
        for one in needed:
            places = [f"in {one.embedded:,} of the files"] if one.embedded else []
            if one.damaged:
                places.append(f"DAMAGED in {len(one.damaged):,} of them")
            if one.place is not None or one.embedded < len(one.files):
                places.append(str(one.place) if one.place is not None else "NOT FOUND in STACKC_PATH or ./runs")
            held = f"{amount(len(one.files), 'file')}, {amount(one.bytes, 'byte')}"
            show(f"{one.sha256}: {held}; {'; '.join(places)}")
    for _, text in unreadable:
        say(f"error: {text}")
    lost = False
    for _, text, place in damaged:
        lost = _say_damaged(text, place) or lost
    if unreadable or lost or not found:
        raise click.exceptions.Exit(USER_ERROR if unreadable or lost else WARNING)
