"""`stackc inspect`: what a stack or a compressed file contains."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import sha256_file
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, compressed_size, console, show, show_json
from stackc.stack.manifest import read_manifest, stack_sha256

if TYPE_CHECKING:
    from stackc.interop.dictionary_texts import TextOfCode

DEFAULT_LIMIT = 100
SHOWN = 100
"""Symbols of a text that a line shows, at most."""


@click.command(cls=Command)
@click.argument("path", type=options.STACK)
@options.flag("--json", "as_json", help="Print JSON: the manifest, the texts, or the header of a compressed file.")
@options.flag("--verify", help="Check the SHA-256 of every file of a stack.")
@options.flag("--texts", help="List the texts of a compiled level, the most frequent first.")
@options.level("The level whose texts are listed, e.g. M1.")
@options.number("--limit", 0, help="Number of texts to list; 0 lists all.  [default: 100]")
def command(path: Path, as_json: bool, verify: bool, texts: bool, level: str | None, limit: int | None) -> None:
    """Show the levels, models, plugins and figures of the stack in folder PATH, or the header of PATH.stk."""
    if path.is_file():
        _show_file(path, as_json)
        return
    manifest = read_manifest(path)
    if verify:
        for name, part in manifest["parts"].items():
            if sha256_file(path / name) != part["sha256"]:
                raise ArtifactError(f"{path / name}: SHA-256 does not match the manifest; build the stack again")
    if texts and level is None:
        names = ", ".join(one["name"] for one in manifest["levels"])
        raise StackcError(f"--texts needs --level; the levels are {names}")
    if texts:
        _show_texts(path, str(level), DEFAULT_LIMIT if limit is None else limit, as_json)
    elif level is not None or limit is not None:
        raise StackcError("--level and --limit select the texts to list; add --texts")
    elif as_json:
        show_json(manifest, sort_keys=True)
    else:
        _show_stack(path, manifest, verify)


def _show_stack(path: Path, manifest: dict[str, Any], verified: bool) -> None:
    from stackc.report.table import print_report

    recipe = manifest["recipe"]
    show(f"{manifest['name']}: {amount(len(manifest['levels']), 'level')}, built by stackc {manifest['stackc']}")
    show(f"sha256: {stack_sha256(manifest)}")
    for made, section in zip(manifest["levels"], recipe["level"], strict=True):
        show(f"\n{made['name']}: alphabet {made['alphabet']:,} -> {made['token_alphabet']:,}")
        for table in ("model", "windowing", "coder"):
            if table in section:
                show(f"  {table:10} {_setting(section[table])}")
        route = "stepping its model" if "model" in section else "its coder alone"
        show(f"  {'codes by':10} {'a compiled dictionary' if made['compiled'] else route}; {made['portability']}")
        show(f"  {'on disk':10} {_disk_size(manifest, made['name'])}")
    top = recipe["top"]
    show(f"\n{top['name']} (top): {_setting(top['model'])}\n  {'on disk':10} {_disk_size(manifest, top['name'])}")
    trained = manifest["trained"].items()
    where = (f"{name} on {one['device']}, {amount(one['threads'], 'thread')}" for name, one in trained)
    show(f"\ntrained: {'; '.join(where)}")
    plugins = manifest["plugins"].items()
    show("parts: " + ", ".join(f"{name} ({one['distribution']} {one['version']})" for name, one in plugins))
    if verified:
        show(f"verified: {amount(len(manifest['parts']), 'file')}, all SHA-256 match the manifest")
    show()
    print_report(path, console())


def _setting(table: dict[str, object]) -> str:
    """A part's name and its fields."""
    name = next(table[selector] for selector in ("kind", "backend") if selector in table)
    return " ".join([str(name), *(f"{key}={value}" for key, value in table.items() if value != name)])


def _disk_size(manifest: dict[str, Any], name: str) -> str:
    total = {True: 0, False: 0}
    for path, part in manifest["parts"].items():
        if path.startswith(f"{name}/"):
            total["/tokens/" in path] += part["bytes"]
    return f"{amount(total[False], 'byte')} of model and tables, {total[True]:,} of tokens"


def _show_file(path: Path, as_json: bool) -> None:
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
    where = click.format_filename(header["stack"]) if header["stack"] else "not found in STACKC_PATH or ./runs"
    sizes = compressed_size(header["size"], header["written"])
    blocks = f"{header['blocks']:,} of {amount(header['block_size'], 'byte')}"
    show(f"{click.format_filename(path)}: {sizes}; .stk format {header['format']}")
    show(f"original:    sha256 {header['sha256']}, modified {time}")
    show(f"blocks:      {blocks}, {header['raw_blocks']:,} of them stored uncompressed")
    show(f"stack:       {header['stack_sha256']} ({where})")
    show(f"decodes on:  {header['host'] or 'any machine'} ({header['portability']})")


def _show_texts(path: Path, name: str, limit: int, as_json: bool) -> None:
    """List the texts of a compiled level."""
    from stackc.interop.dictionary_texts import code_counts, texts_of_level
    from stackc.stack.stack import Stack

    stack = Stack(path)
    counts = code_counts(stack, name)
    texts = texts_of_level(stack, name, counts, limit)
    if as_json:
        show_json([_plain(text) for text in texts])
        return
    used = f"{(counts > 0).sum():,} of them used by the training text, {counts.sum():,} times in total"
    show(f"{name}: {amount(len(counts), 'code')}, {used}")
    first = stack.level_index(name) == 1
    show(f"{'code':>8} {'count':>12}  text")
    for text in texts:
        show(f"{text.code:>8} {text.count:>12,}  {_text_line(text, first)}")


def _plain(text: TextOfCode) -> dict[str, object]:
    data = None if text.data is None else text.data.hex()
    return {"code": text.code, "count": text.count, "symbols": list(text.symbols), "bytes": data}


def _text_line(text: TextOfCode, first: bool) -> str:
    """Bytes, quoted and escaped as Python does; above the first level the tokens, too."""
    parts = []
    if not first:
        rest = " ..." if len(text.symbols) > SHOWN else ""
        parts.append(" ".join(map(str, text.symbols[:SHOWN])) + rest)
    if text.data is not None:
        rest = f" ... ({amount(len(text.data), 'byte')})" if len(text.data) > SHOWN else ""
        parts.append(repr(text.data[:SHOWN])[1:] + rest)
    return "  ".join(parts)
