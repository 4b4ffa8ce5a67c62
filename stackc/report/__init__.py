"""One page that shows stacks: figures, learning curves, windows, and real text cut into tokens (`stackc report`).

facts.py     what is known of a stack          cutting.py   a sample of text through all levels
plots.py     facts to plots, as data           ticks.py     where axes have their numbers
svg.py       a plot, drawn                     png.py       the same plot as an image
sameness.py  whether texts are the same        labels.py    where the names of points go
page.py      the page                          browser.py   text cut into its tokens
assets.py    style and script
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

SAMPLE_BYTES = 1 << 16
"""Source bytes whose windows are measured, at most, unless told otherwise."""


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
        stacks: their folders, in the order in which they are shown.
        out: the page; written whole or not at all.
        png: a folder for the plots as PNG images; made where it is not there. None: no images.
        text: a file to cut into tokens; None: each stack's own held-out text.
        sample: source bytes of text that are cut into windows and scored, at most.
        force: overwrite what is there.
        tell: told what is being done, for progress.

    Returns:
        What had to be left out, a line each.

    Raises:
        ArtifactError: a folder that holds no stack; a place that cannot be written.
        StackcError: the page or an image is there already; `png` is or is in a file; the text cannot be read; images
            are wanted and matplotlib is not installed; a stack is named twice.
    """
    from stackc.api.errors import ArtifactError
    from stackc.api.files import no_wider, storage_error, write_atomically
    from stackc.report.facts import gather
    from stackc.report.page import page
    from stackc.report.plots import plots_of
    from stackc.stack.outputs import check_distinct, check_folder, check_output, output_path

    if png is not None:
        from stackc.report.png import need_matplotlib

        need_matplotlib()
    output_path(out)
    if not Path(out).parent.is_dir():
        raise ArtifactError(f"{out}: no folder {Path(out).parent}; make it first")
    inputs = [*(Path(folder) for folder in stacks), None if text is None else Path(text)]
    check_output(Path(out), *inputs, force=force)
    if png is not None:
        check_folder(Path(png), Path(out))
    chosen = None if text is None else (Path(text).name, _start(Path(text), sample))
    facts = gather([Path(folder) for folder in stacks], sample, tell, chosen)
    plots = plots_of(facts)
    tell("writing")
    images = {} if png is None else {Path(png) / f"{plot.key}.png": plot for plot in plots}
    for image in images:
        check_output(image, *inputs, force=force)
    check_distinct([Path(out), *images])
    if png is not None:
        try:
            Path(png).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(Path(png), error) from error
    with write_atomically(Path(out), no_wider(None if text is None else Path(text))) as file:
        file.write(page(facts, plots).encode())
    if png is not None:
        from stackc.report.png import draw

        for image, plot in images.items():
            with write_atomically(image) as file:
                file.write(draw(plot))
    return [f"{fact.folder}: {line}" for fact in facts for line in fact.missing]


def _start(path: Path, size: int) -> bytes:
    """The first bytes of a file that has some."""
    from stackc.api.errors import StackcError

    try:
        with path.open("rb") as file:
            data = file.read(size)
    except OSError as error:
        raise StackcError(f"{path}: cannot read ({error.strerror or error})") from error
    if not data:
        raise StackcError(f"{path}: no text in it; name a file that has some")
    return data
