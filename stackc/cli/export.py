"""`stackc export`: tokens and tokenizers for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, say
from stackc.cli.progress import bar
from stackc.stack.outputs import check_output, check_output_folder, output_path

TOKENIZER = "hf-tokenizer"


@click.command(cls=Command)
@options.stack
@click.argument("files", nargs=-1, type=options.PATH, metavar="[FILE...]")
@click.option("--to", type=click.Choice([TOKENIZER, "parquet", "bin"]), required=True, help="What to write.")
@click.option("-o", "--output", "target", metavar="PATH", required=True, help="A file, or a tokenizer's folder.")
@options.level("The level to export, e.g. M1.  [default: the last]")
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    help="Part of the stack's own text, if no files are named.  [default: train]",
)
@options.flag("--eos", help="Write a separate id, one past the tokens, after each document (bin only).")
@options.force
@options.quiet
def command(
    stack: Path, files: tuple[Path, ...], to: str, target: str, level: str | None, split: str | None, eos: bool,
    force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Write the tokens of STACK, or STACK as a tokenizer, for other programs.

    The tokens are those of a part of the text that the stack was built from, or of each FILE, one document each.
    """
    if eos and to != "bin":
        raise StackcError(f"--eos: only for --to bin; {to} keeps documents apart")
    if files and split is not None:
        raise StackcError("--split: cannot be combined with files; name one or the other")
    if target == "-":
        other = "a folder" if to == TOKENIZER else "a file (/dev/stdout is standard output)"
        raise StackcError(f"-: --to {to} needs a name; name {other} with -o")
    if to == TOKENIZER and (files or split is not None):
        raise StackcError(f"--to {TOKENIZER}: a tokenizer holds no text; omit --split and files")
    if to == TOKENIZER:
        done = _save_tokenizer(stack, level, Path(target), force)
    else:
        from stackc.interop.export import Tokens, export_bin, export_parquet, meta_name
        from stackc.stack.stack import Stack

        output = output_path(target)
        for written in [output, meta_name(output) if to == "bin" else None]:
            if written is not None:
                check_output(written, *files, stack, force=force)
        tokens = Tokens(stack=Stack(stack), level=level, split=split or "train", files=files)
        with bar(str(output), tokens.source_bytes, quiet) as report:
            if to == "bin":
                made = export_bin(tokens, output, eos=eos, report=report)
            else:
                made = export_parquet(tokens, output, report=report)
        ids = f"{made.ids:,} ids{', one of them for the end of a document' if eos else ''}"
        sizes = f"{amount(made.source_bytes, 'byte')} as {amount(made.tokens, 'token')}"
        done = f"{amount(made.documents, 'document')}, {sizes}, {made.dtype} ({ids})"
    if not quiet:
        say(f"{Path(target)}: {done}")


def _save_tokenizer(stack: Path, level: str | None, folder: Path, force: bool) -> str:
    from stackc.interop.hf import StackTokenizer

    check_output_folder(folder, stack, force=force)
    tokenizer = StackTokenizer.from_stack(stack, level)
    tokenizer.save_pretrained(str(folder))
    return f"a tokenizer of {len(tokenizer):,} ids"
