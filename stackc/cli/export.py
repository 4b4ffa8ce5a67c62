"""`stackc export`: tokens and tokenizers for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.cli import Command, say


@click.command("export", cls=Command)
@click.argument("stack", type=click.Path(path_type=Path))
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]")
@click.option("--to", type=click.Choice(["hf-tokenizer", "parquet", "bin"]), required=True, help="What to write.")
@click.option("-o", "--output", "target", metavar="PATH", required=True, help="A file; a tokenizer's folder.")
@click.option("--level", help="Whose tokens, e.g. M1.  [default: the last]")
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    help="Of the stack's own text, where no files are named.  [default: train]",
)
@click.option("--eos", is_flag=True, help="After each document, an id of its own: one past the tokens (bin).")
@click.option("--force", is_flag=True, help="Overwrite.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(
    stack: Path,
    files: tuple[Path, ...],
    to: str,
    target: str,
    level: str | None,
    split: str | None,
    eos: bool,
    force: bool,
    quiet: bool,
) -> None:
    """Write the tokens of STACK, or STACK as a tokenizer, for other programs.

    Tokens are those of a split of the text that the stack was built from, or of each FILE, a document.
    """
    from stackc.api.errors import StackcError
    from stackc.api.messages import amount
    from stackc.cli.progress import bar
    from stackc.interop.export import Tokens, export_bin, export_parquet, meta_name
    from stackc.stack.outputs import check_output, check_output_folder, output_path
    from stackc.stack.stack import Stack

    if eos and to != "bin":
        raise StackcError(f"--eos: only for --to bin; {to} keeps documents apart")
    if files and split is not None:
        raise StackcError("--split: not with files; name the one or the other")
    if target == "-":
        other = "a folder" if to == "hf-tokenizer" else "a file (/dev/stdout is standard output)"
        raise StackcError(f"-: --to {to} needs a name; name {other} with -o")
    if to == "hf-tokenizer":
        if files or split is not None:
            raise StackcError("--to hf-tokenizer: a tokenizer holds no text; leave out --split and files")
        from stackc.interop.hf import StackTokenizer

        output = Path(target)
        check_output_folder(output, stack, force=force)
        tokenizer = StackTokenizer.from_stack(stack, level)
        tokenizer.save_pretrained(str(output))
        if not quiet:
            say(f"{output}: a tokenizer of {len(tokenizer):,} ids")
        return
    output = output_path(target)
    check_output(output, *files, stack, force=force)
    if to == "bin" and (meta := meta_name(output)) is not None:
        check_output(meta, *files, stack, force=force)
    tokens = Tokens(stack=Stack(stack), level=level, split=split or "train", files=files)
    with bar(str(output), tokens.source_bytes, quiet) as report:
        if to == "bin":
            made = export_bin(tokens, output, eos=eos, report=report)
        else:
            made = export_parquet(tokens, output, report=report)
    if not quiet:
        sizes = f"{amount(made.source_bytes, 'byte')} as {amount(made.tokens, 'token')}"
        text = f"{amount(made.documents, 'document')}, {sizes}, {made.dtype}"
        say(f"{output}: {text} ({made.ids:,} ids{' with the end of a document' if eos else ''})")
