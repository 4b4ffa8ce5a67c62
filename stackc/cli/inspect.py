"""`stackc inspect`: what a stack is made of."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the manifest.")
@click.option("--verify", is_flag=True, help="Check the SHA-256 of every part.")
def command(path: Path, as_json: bool, verify: bool) -> None:
    """Show the levels, models, plugins and figures of the stack in folder PATH."""
    import json

    from stackc.cli.show import print_report
    from stackc.errors import ArtifactError
    from stackc.files import sha256_file
    from stackc.manifest import read_manifest

    manifest = read_manifest(path)
    if verify:
        for name, part in manifest["parts"].items():
            if sha256_file(path / name) != part["sha256"]:
                raise ArtifactError(f"{path / name}: not what the manifest says (SHA-256); build the stack again")
    if as_json:
        click.echo(json.dumps(manifest, indent=1, sort_keys=True))
        return
    recipe = manifest["recipe"]
    count = len(manifest["levels"])
    click.echo(f"{manifest['name']}: {count} level{'s' * (count != 1)}, built by stackc {manifest['stackc']}")
    for made, section in zip(manifest["levels"], recipe["level"], strict=True):
        click.echo(f"\n{made['name']}: alphabet {made['alphabet']:,} -> {made['token_alphabet']:,}")
        for table in ("model", "windowing", "coder"):
            if table in section:
                click.echo(f"  {table:10} {_setting(section[table])}")
        route = "stepping its model" if "model" in section else "its coder alone"
        click.echo(f"  {'codes by':10} {'a compiled dictionary' if made['compiled'] else route}; {made['portability']}")
        click.echo(f"  {'on disk':10} {_size(manifest, made['name'])}")
    top = recipe["top"]
    click.echo(f"\n{top['name']} (top): {_setting(top['model'])}\n  {'on disk':10} {_size(manifest, top['name'])}")
    trained = {name: f"{one['device']}, {one['threads']} threads" for name, one in manifest["trained"].items()}
    click.echo("\ntrained: " + "; ".join(f"{name} on {where}" for name, where in trained.items()))
    click.echo(
        "parts: "
        + ", ".join(f"{name} ({one['distribution']} {one['version']})" for name, one in manifest["plugins"].items())
    )
    if verify:
        click.echo(f"verified: {len(manifest['parts'])} parts are what the manifest says")
    click.echo()
    print_report(path)


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
    return f"{total[False]:,} bytes of model and tables, {total[True]:,} of tokens"
