"""`stackc export`: tokens and tokenizers for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.cli.command import PATH, Command, flag, force_option, level_option, quiet_option, say, stack_argument
from stackc.cli.progress import bar
from stackc.stack.outputs import check_output, check_output_folder, output_path

TOKENIZER = "hf-tokenizer"


@click.command(cls=Command)
@stack_argument
@click.argument("files", nargs=-1, type=PATH, metavar="[FILE...]")
@click.option("--to", type=click.Choice([TOKENIZER, "parquet", "bin"]), required=True, help="What to write.")
@click.option("-o", "--output", "target", metavar="PATH", required=True, help="A file, or a tokenizer's folder.")
@level_option("The level to export, e.g. M1.  [default: the last]")
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    help="Part of the stack's own text, if no files are named.  [default: train]",
)
@flag("--eos", help="Write a separate id, one past the tokens, after each document (bin only).")
@force_option
@quiet_option
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
    if to != TOKENIZER:
        done = _export_tokens(to, output_path(target), stack, level, split or "train", files, eos, force, quiet)
    elif files or split is not None:
        raise StackcError(f"--to {TOKENIZER}: a tokenizer holds no text; omit --split and files")
    else:
        from stackc.interop.hf import StackTokenizer

        check_output_folder(Path(target), stack, force=force)
        tokenizer = StackTokenizer.from_stack(stack, level)
        tokenizer.save_pretrained(target)
        done = f"a tokenizer of {len(tokenizer):,} ids"
    if not quiet:
        say(f"{Path(target)}: {done}")


def _export_tokens(
    to: str, output: Path, stack: Path, level: str | None, split: str, files: tuple[Path, ...], eos: bool,
    force: bool, quiet: bool,
) -> str:  # fmt: skip
    """Write tokens; a sentence on what was written."""
    from stackc.interop.export import Tokens, export_bin, export_parquet, meta_name
    from stackc.stack.stack import Stack

    for written in [output, meta_name(output) if to == "bin" else None]:
        if written is not None:
            check_output(written, *files, stack, force=force)
    tokens = Tokens(stack=Stack(stack), level=level, split=split, files=files)
    with bar(str(output), tokens.source_bytes, quiet) as report:
        if to == "bin":
            made = export_bin(tokens, output, eos=eos, report=report)
        else:
            made = export_parquet(tokens, output, report=report)
    sizes = f"{amount(made.source_bytes, 'byte')} as {amount(made.tokens, 'token')}"
    ids = f"{made.ids:,} ids{', one of them for the end of a document' if eos else ''}"
    return f"{amount(made.documents, 'document')}, {sizes}, {made.dtype} ({ids})"
