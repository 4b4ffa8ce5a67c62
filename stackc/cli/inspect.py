"""`stackc inspect`: what a stack, or a compressed file, is made of."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.messages import amount
from stackc.cli import Command


@click.command(cls=Command)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest, the texts, or what the file says, as JSON.")
@click.option("--verify", is_flag=True, help="Check the SHA-256 of every part of a stack.")
@click.option("--texts", is_flag=True, help="List the texts of a compiled level, the most frequent first.")
@click.option("--level", help="The level whose texts are listed, e.g. M1.")
@click.option("--limit", type=click.IntRange(min=0), help="List so many texts; 0 lists all.  [default: 100]")
def command(path: Path, as_json: bool, verify: bool, texts: bool, level: str | None, limit: int | None) -> None:
    """Show the levels, models, plugins and figures of the stack in folder PATH, or what a PATH.stk says of itself."""
    import json

    from stackc.api.errors import ArtifactError, StackcError
    from stackc.api.files import sha256_file
    from stackc.cli.show import print_report, show
    from stackc.cli.texts import print_texts
    from stackc.stack.manifest import read_manifest, stack_sha256

    if path.is_file():
        _show_file(path, as_json)
        return
    manifest = read_manifest(path)
    if verify:
        for name, part in manifest["parts"].items():
            if sha256_file(path / name) != part["sha256"]:
                raise ArtifactError(f"{path / name}: not what the manifest says (SHA-256); build the stack again")
    if texts:
        if level is None:
            raise StackcError(
                f"--texts needs --level; the levels are {', '.join(one['name'] for one in manifest['levels'])}"
            )
        print_texts(path, level, limit, as_json)
        return
    if level is not None or limit is not None:
        raise StackcError("--level and --limit say which texts are listed: give --texts too")
    if as_json:
        show(json.dumps(manifest, indent=1, sort_keys=True))
        return
    recipe = manifest["recipe"]
    count = len(manifest["levels"])
    show(f"{manifest['name']}: {amount(count, 'level')}, built by stackc {manifest['stackc']}")
    show(f"sha256: {stack_sha256(manifest)}")
    for made, section in zip(manifest["levels"], recipe["level"], strict=True):
        show(f"\n{made['name']}: alphabet {made['alphabet']:,} -> {made['token_alphabet']:,}")
        for table in ("model", "windowing", "coder"):
            if table in section:
                show(f"  {table:10} {_setting(section[table])}")
        route = "stepping its model" if "model" in section else "its coder alone"
        show(f"  {'codes by':10} {'a compiled dictionary' if made['compiled'] else route}; {made['portability']}")
        show(f"  {'on disk':10} {_size(manifest, made['name'])}")
    top = recipe["top"]
    show(f"\n{top['name']} (top): {_setting(top['model'])}\n  {'on disk':10} {_size(manifest, top['name'])}")
    trained = {
        name: f"{one['device']}, {amount(one['threads'], 'thread')}" for name, one in manifest["trained"].items()
    }
    show("\ntrained: " + "; ".join(f"{name} on {where}" for name, where in trained.items()))
    show(
        "parts: "
        + ", ".join(f"{name} ({one['distribution']} {one['version']})" for name, one in manifest["plugins"].items())
    )
    if verify:
        show(f"verified: {amount(len(manifest['parts']), 'part')}, as the manifest says")
    show()
    print_report(path)


def _show_file(path: Path, as_json: bool) -> None:
    """What a `.stk` file says of itself."""
    import datetime
    import json

    from stackc.cli.show import show
    from stackc.stack.stk_files import describe_file

    said = describe_file(path)
    if as_json:
        show(json.dumps(said, indent=1))
        return
    rate = f", {8 * said['written'] / said['size']:.3f} bits a byte" if said["size"] else ""
    time = "not known"
    if said["modified_ns"] is not None:
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        try:
            time = str(epoch + datetime.timedelta(microseconds=said["modified_ns"] // 1000))
        except OverflowError:
            time = f"{said['modified_ns']} ns after 1970"
    where = click.format_filename(said["stack"]) if said["stack"] else "not found in STACKC_PATH and ./runs"
    raw = said["raw_blocks"]
    sizes = f"{amount(said['size'], 'byte')} as {said['written']:,}{rate}"
    show(f"{click.format_filename(path)}: {sizes}; .stk format {said['format']}")
    show(f"original:    sha256 {said['sha256']}, modified {time}")
    show(f"blocks:      {said['blocks']:,} of {amount(said['block_size'], 'byte')}, {raw:,} of them stored as is")
    show(f"stack:       {said['stack_sha256']} ({where})")
    show(f"decodes on:  {said['host'] or 'any machine'} ({said['portability']})")


def _setting(table: dict[str, object]) -> str:
    """A part's name and its fields."""
    name = next(table[selector] for selector in ("kind", "backend") if selector in table)
    return " ".join([str(name), *(f"{key}={value}" for key, value in table.items() if value != name)])


def _size(manifest: dict[str, object], name: str) -> str:
    parts: dict[str, dict[str, int]] = manifest["parts"]  # type: ignore[assignment]
    total = {True: 0, False: 0}
    for path, part in parts.items():
        if path.startswith(f"{name}/"):
            total["/tokens/" in path] += part["bytes"]
    return f"{amount(total[False], 'byte')} of model and tables, {total[True]:,} of tokens"
