"""`stackc verify`: are compressed files intact?"""

from __future__ import annotations

from pathlib import Path

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount
from stackc.cli import options
from stackc.cli.command import Command, remark
from stackc.cli.many_files import STANDARD, Files, for_each, warning
from stackc.cli.progress import bar


@click.command(cls=Command)
@options.compressed_files
@options.found_stack
@options.flag("--quick", help="Check the checksums only; this needs no stack.")
@options.quiet
def command(files: Files, stack: Path | None, quick: bool, quiet: bool) -> None:
    """Check each FILE.stk (- for standard input): all checksums, then that it decodes to its original.

    FILE may be a folder: every .stk file in it and below it is checked. Each file is reported in one line, and several
    in a summary. The exit code is 2 if a file is damaged or not readable, or if its stack is not found.
    """
    from stackc.stack.stack import Stack
    from stackc.stack.stk_files import original_size, verify_file

    opened = Stack(stack) if stack is not None else None
    known: dict[bytes, Stack] = {}
    intact: list[str] = []
    chosen, wrong, folders = _chosen(files)

    def work(file: str, path: Path | None, out: Path | None) -> int:
        if file in wrong:
            raise StackcError(wrong[file])
        with bar(file, original_size(path), quiet) as report:
            verify_file(path, opened, quick=quick, report=report, warn=warning, known=known)
        if not quiet:
            remark(f"{click.format_filename(file)}: {'all checksums match' if quick else 'decodes to its original'}")
        intact.append(file)
        return 0

    code = 0
    try:
        for_each(tuple(chosen), work)
    except click.exceptions.Exit as end:
        code = end.exit_code
    if len(chosen) > 1 and not quiet:
        count = len(chosen) - len(folders)
        failed = f", {count - len(intact):,} not" * (count > len(intact))
        unread = f"; {amount(len(folders), 'folder')} not checked" * bool(folders)
        remark(f"{amount(count, 'file')}: {len(intact):,} intact{failed}{unread}")
    if code:
        raise click.exceptions.Exit(code)


def _chosen(files: Files) -> tuple[list[str], dict[str, str], list[str]]:
    """What is reported, a line for each: the files; what is wrong with those that are not to be opened, and with
    folders; and which of them are folders."""
    from stackc.stack.needed import files_below

    chosen: list[str] = []
    wrong: dict[str, str] = {}
    folders: list[str] = []
    for file in files:
        if not _is_folder(file):
            chosen.append(file)
            continue
        below = files_below(Path(file))
        unread = {str(one.place): one for one in below.unread}
        if not below:
            chosen.append(file)
            folders.append(file)
            wrong[file] = f"{file}: no .stk files in this folder or below it"
        chosen += map(str, sorted([*below.files, *map(Path, unread)]))
        wrong |= {name: one.text for name, one in unread.items()}
        folders += [name for name, one in unread.items() if one.folder]
    return chosen, wrong, folders


def _is_folder(file: str) -> bool:
    try:
        return file != STANDARD and Path(file).is_dir()
    except OSError:  # said in its line, when it is opened
        return False
