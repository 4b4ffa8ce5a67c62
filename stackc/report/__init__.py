"""A web page on stacks: figures, learning curves, windows, and real text cut into tokens (`stackc report`).

facts.py       what is known about a stack     sample_text.py a sample of text at all levels
plots.py       facts to plots, as data         ticks.py       the numbers on the axes
svg.py         a plot as SVG                   png.py         the same plot as an image
comparable.py  are the texts the same?         labels.py      the positions of the names of points
page.py        the page                        head.py        when, by what and from what it was made
browser.py     text cut into its tokens
table.py       the table of figures            assets.py      style and script
sweep_page.py  the page of a sweep             sweep_table.py its table on a terminal
compare.py     stacks compared with each other (`stackc compare`)
entrants.py    the stacks that are compared    pooled.py      which of them are seeds of one row
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import no_wider, read_pieces, storage_error, write_atomically
from stackc.api.messages import utf8
from stackc.stack.outputs import check_distinct, check_folder, check_output, output_path

if TYPE_CHECKING:
    from stackc.report.plots import Plot

SAMPLE_BYTES = 1 << 16
"""Bytes of text to cut into windows and score by default, at most."""


def write_report(
    stacks: Sequence[Path | str],
    out: Path | str = "report.html",
    *,
    png: Path | str | None = None,
    text: Path | str | None = None,
    sample: int = SAMPLE_BYTES,
    force: bool = False,
    tell: Callable[[str], None] = lambda stage: None,
) -> list[str]:
    """Write one self-contained HTML page on some stacks.

    Args:
        stacks: their folders, in the order in which they are shown; or the folder of one sweep, which has its own
            page: its table, the differences of its arms, and its plots.
        out: the page; written completely or not at all.
        png: a folder for the plots as PNG images, created if it is missing; None: no images.
        text: a file to show as tokens; None: each stack's own held-out text.
        sample: bytes of text to cut into windows and score, at most.
        force: overwrite existing files.
        tell: called with each step, for progress.

    Returns:
        A line for everything that had to be left out.

    Raises:
        ArtifactError: a folder holds no stack; a file cannot be written.
        StackcError: the page or an image exists already; `png` is a file or inside one; the text cannot be read; images
            are requested and matplotlib is not installed; a stack is named twice.
    """
    # Imported here and not above: `stackc inspect` needs only `stackc.report.table`, and these import numba.
    from stackc.pipeline.sweeps.folder import is_sweep
    from stackc.report.facts import gather
    from stackc.report.page import html_page
    from stackc.report.plots import plots_of
    from stackc.report.png import need_matplotlib

    page, source = output_path(out), None if text is None else Path(text)
    folders, folder = [Path(one) for one in stacks], None if png is None else Path(png)
    inputs = [*folders, source]
    if folder is not None:
        need_matplotlib()
    if not page.parent.is_dir():
        raise ArtifactError(f"{page}: no folder {page.parent}; create it first")
    check_output(page, *inputs, force=force)
    if folder is not None:
        check_folder(folder, page)
    if any(map(is_sweep, folders)):
        return _write_sweep(folders, page, folder, text, force, tell)
    chosen = None if source is None else (source.name, _start(source, sample))
    facts = gather(folders, sample, tell, chosen)
    plots = plots_of(facts)
    tell("writing")
    _write(page, folder, html_page(facts, plots), plots, inputs, force)
    return [f"{fact.folder}: {line}" for fact in facts for line in fact.missing]


def _write_sweep(
    folders: list[Path],
    page: Path,
    folder: Path | None,
    text: Path | str | None,
    force: bool,
    tell: Callable[[str], None],
) -> list[str]:
    """Write the page of a sweep."""
    from stackc.report.sweep_page import sweep_page

    if len(folders) > 1:
        raise StackcError(f"{', '.join(map(str, folders))}: a report shows one sweep, or stacks; name the sweep alone")
    if text is not None:
        raise StackcError("--text: the page of a sweep shows no text; name a stack in its folder runs/")
    tell("comparing")
    content, plots, left_out = sweep_page(folders[0])
    tell("writing")
    _write(page, folder, content, plots, [*folders, None], force)
    return [f"{folders[0]}: {line}" for line in left_out]


def _write(
    page: Path, folder: Path | None, html: str, plots: list[Plot], inputs: list[Path | None], force: bool
) -> None:
    """Write the page and the images. Nothing is written before all names are checked."""
    from stackc.report.png import draw

    images = {} if folder is None else {folder / f"{plot.key}.png": plot for plot in plots}
    for image in images:
        check_output(image, *inputs, force=force)
    check_distinct([page, *images])
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
    with write_atomically(page, no_wider(inputs[-1])) as file:
        file.write(utf8(html))
    for image, plot in images.items():
        with write_atomically(image) as file:
            file.write(draw(plot))


def _start(path: Path, size: int) -> bytes:
    """The first bytes of a file."""
    data = next(read_pieces(path, size), b"")
    if not data:
        raise StackcError(f"{path}: the file is empty; name a file with text")
    return data
