"""`stackc export`: tokens and tokenizers for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stackc.api.errors import StackcError
from stackc.api.files import write_atomically
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, say
from stackc.cli.progress import bar
from stackc.stack.outputs import check_output, check_output_folder, output_path

if TYPE_CHECKING:  # numpy and the levels are imported when they are used: --help stays quick
    from stackc.interop.end_of_text import EndId
    from stackc.interop.export import Exported, Report, Tokens


TOKENIZER, MODEL, PLAIN, DATASET = "hf-tokenizer", "hf-model", "tokenizer-json", "datasets"

KINDS = (TOKENIZER, MODEL, PLAIN, "parquet", DATASET, "bin", "llmc")

NO_TEXT = (TOKENIZER, MODEL, PLAIN)

FOLDERS = {TOKENIZER: "a folder", MODEL: "a folder", DATASET: "a folder"}

ROWS = ("parquet", DATASET)


@click.command(cls=Command)
@options.stack
@click.argument("files", nargs=-1, type=options.PATH, metavar="[FILE...]")
@click.option("--to", type=click.Choice(KINDS), required=True, help="What to write.")
@click.option(
    "-o",
    "--output",
    "target",
    type=options.NAME,
    metavar="PATH",
    required=True,
    help="A file, or a folder.",
)
@options.level("The level to export, e.g. M1.  [default: the last]")
@click.option(
    "--split",
    type=click.Choice(["train", "valid", "test"]),
    help="Part of the stack's own text, if no files are named.  [default: train]",
)
@options.flag("--eos", help="Write an id for the end of a text after each document.")
@click.option(
    "--eos-id",
    type=click.Choice(["next", "zero"]),
    help="The end of a text: the id after the tokens, or code 0, if the level never writes it.  [default: next]",
)
@click.option(
    "--dtype",
    type=click.Choice(["uint16", "uint32"]),
    help="The type of an id.  [default: uint16 if the tokens fit, else uint32]",
)
@options.number("--block", 1, help="Ids in each row; rows run over documents.  [default: a document a row]")
@options.force
@options.quiet
def command(
    stack: Path, files: tuple[Path, ...], to: str, target: str, level: str | None, split: str | None, eos: bool,
    eos_id: EndId | None, dtype: str | None, block: int | None, force: bool, quiet: bool,
) -> None:  # fmt: skip
    """Write the tokens of STACK, or STACK as a tokenizer or model, for other programs.

    The tokens are those of a part of the text that the stack was built from, or of each FILE, one document each.
    """
    _check(to, target, level, files, split, eos, eos_id, dtype, block)
    if to == TOKENIZER:
        done = [_save_tokenizer(stack, level, Path(target), eos_id or "next", force)]
    elif to == MODEL:
        done = [_save_model(stack, Path(target), force)]
    elif to == PLAIN:
        done = _save_plain(stack, level, output_path(target), eos_id or "next", force)
    else:
        from stackc.interop.export import Tokens
        from stackc.stack.stack import Stack

        output = output_path(target)
        _check_outputs(to, output, files, stack, force)
        tokens = Tokens(
            stack=Stack(stack), level=level, split=split or "train", files=files, eos=eos, eos_id=eos_id or "next",
            dtype=dtype,
        )  # fmt: skip
        with bar(str(output), tokens.source_bytes, quiet) as report:
            made = _write(to, tokens, output, block, report)
        done = [_summary(made, block)]
    if not quiet:
        first, *more = done
        say(f"{Path(target)}: {first}")
        for line in more:
            say(line)


def _check(
    to: str, target: str, level: str | None, files: tuple[Path, ...], split: str | None, eos: bool,
    eos_id: str | None, dtype: str | None, block: int | None,
) -> None:  # fmt: skip
    """Refuse options that do not go together."""
    if files and split is not None:
        raise StackcError("--split: cannot be combined with files; name one or the other")
    if target == "-":
        other = FOLDERS.get(to, "a file (/dev/stdout is standard output)")
        raise StackcError(f"-: --to {to} needs a name; name {other} with -o")
    if to in NO_TEXT:
        if files or split is not None:
            what = "model" if to == MODEL else "tokenizer"
            raise StackcError(f"--to {to}: a {what} holds no text; omit --split and files")
        for name, given in (("--eos", eos), ("--dtype", dtype), ("--block", block)):
            if given:
                raise StackcError(f"{name}: not for --to {to}, which writes no ids")
        for name, given in (("--level", level), ("--eos-id", eos_id)):
            if given is not None and to == MODEL:
                raise StackcError(f"{name}: not for --to {MODEL}: the top model has its own tokens and end of text")
    elif eos_id is not None and not eos:
        raise StackcError("--eos-id: chooses the id that --eos writes; add --eos")
    if block is not None and to not in ROWS:
        raise StackcError(f"--block: only for {' and '.join(ROWS)}; {to} has no rows")


def _check_outputs(to: str, output: Path, files: tuple[Path, ...], stack: Path, force: bool) -> None:
    if to == DATASET:
        check_output_folder(output, *files, stack, force=force)
        return
    from stackc.interop.flat import meta_name

    for written in [output, None if to in ROWS else meta_name(output)]:
        if written is not None:
            check_output(written, *files, stack, force=force)


def _write(to: str, tokens: Tokens, output: Path, block: int | None, report: Report) -> Exported:
    from stackc.interop import flat, rows

    if to == "bin":
        return flat.export_bin(tokens, output, report=report)
    if to == "llmc":
        return flat.export_llmc(tokens, output, report=report)
    write = rows.export_parquet if to == "parquet" else rows.export_dataset
    return write(tokens, output, block=block, report=report)


def _summary(made: Exported, block: int | None) -> str:
    ids = f"{made.ids:,} ids" + ("" if made.eos is None else f", {made.eos:,} is the end of a text")
    sizes = f"{amount(made.source_bytes, 'byte')} as {amount(made.tokens, 'token')}"
    rows = "" if block is None else f", {amount(made.rows, 'row')} of {block:,} ({made.left_out:,} ids left out)"
    return f"{amount(made.documents, 'document')}, {sizes}{rows}, {made.dtype} ({ids})"


def _save_tokenizer(stack: Path, level: str | None, folder: Path, eos_id: EndId, force: bool) -> str:
    from stackc.interop.hf import StackTokenizer

    check_output_folder(folder, stack, force=force)
    tokenizer = StackTokenizer.from_stack(stack, level, eos_id=eos_id)
    tokenizer.save_pretrained(str(folder))
    plain = tokenizer.plain()
    if isinstance(plain, str):
        return f"a tokenizer of {len(tokenizer):,} ids, no tokenizer.json ({plain})"
    said = f"a tokenizer of {len(tokenizer):,} ids, with a tokenizer.json that needs no stackc"
    return "\n".join([said, *(f"  {remark}" for remark in plain.remarks)])


def _save_model(stack: Path, folder: Path, force: bool) -> str:
    from stackc.interop.hf.model_folder import save_model

    check_output_folder(folder, stack, force=force)
    return f"a model of {len(save_model(stack, folder)):,} ids, and its tokenizer"


def _save_plain(stack: Path, level: str | None, out: Path, eos_id: EndId, force: bool) -> list[str]:
    from stackc.interop.end_of_text import end_of_text
    from stackc.interop.tokenizer_json import Extras, tokenizer_json
    from stackc.stack.lower_levels import open_levels

    check_output(out, stack, force=force)
    opened = open_levels(stack, level)
    end = end_of_text(opened.levels, opened.token_alphabet(level), eos_id)
    made = tokenizer_json(opened, level, Extras(added={end: ("<|endoftext|>", {"special": True, "normalized": False})}))
    with write_atomically(out) as file:
        file.write(f"{made.text}\n".encode())
    own = f"on {amount(made.compared, 'byte')} of its test text and " if made.compared else ""
    proven = f"the stack's ids {own}on odd texts{'' if made.compared else ', for it has no test text'}"
    return [f"{made.ids:,} ids; {proven}", *(f"  {remark}" for remark in made.remarks)]
