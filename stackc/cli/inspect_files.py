"""What `stackc inspect` shows of compressed files: the header of one, or which stacks a folder of them needs."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import click

from stackc.api.messages import amount
from stackc.cli.command import USER_ERROR, WARNING, compressed_size, say, show, show_json


def show_file(path: Path, as_json: bool) -> None:
    """The header of a `.stk` file."""
    from stackc.stack.stk_files import describe_file

    header = describe_file(path)
    if as_json:
        show_json(header)
        return
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
    places = [] if header["embedded_bytes"] is None else [f"in the file, {amount(header['embedded_bytes'], 'byte')}"]
    if header["stack"]:
        places.append(click.format_filename(header["stack"]))
    return "; ".join(places) or "not found in STACKC_PATH or ./runs"


def show_folder(path: Path, files: list[Path], as_json: bool) -> None:
    """Which stacks the `.stk` files below a folder need, and where these are.

    Exits with 1 if a stack was not found, with 2 if a file is not readable.
    """
    from stackc.stack.needed import needed_stacks

    needed, unreadable = needed_stacks(files)
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
        show_json({"folder": str(path), "stacks": stacks, "unreadable": {str(file): text for file, text in unreadable}})
    else:
        show(f"{path}: {amount(len(files), 'file')}, {amount(len(needed), 'stack')}")
        for one in needed:
            places = [f"in {one.embedded:,} of the files"] if one.embedded else []
            if one.place is not None or not places or one.embedded < len(one.files):
                places.append(str(one.place) if one.place is not None else "NOT FOUND in STACKC_PATH or ./runs")
            held = f"{amount(len(one.files), 'file')}, {amount(one.bytes, 'byte')}"
            show(f"{one.sha256}: {held}; {'; '.join(places)}")
    for _, text in unreadable:
        say(f"error: {text}")
    if unreadable or not found:
        raise click.exceptions.Exit(USER_ERROR if unreadable else WARNING)
