"""One page that shows stacks: figures, learning curves, windows, and real text cut into tokens (`stackc report`).

facts.py     what is known of a stack          cutting.py   a sample of text through all levels
plots.py     facts to plots, as data           ticks.py     where axes have their numbers
svg.py       a plot, drawn                     png.py       the same plot as an image
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
    sample: int = SAMPLE_BYTES,
    tell: Callable[[str], None] = lambda stage: None,
) -> list[str]:
    """Write one self-contained HTML page on some stacks.

    Args:
        stacks: their folders, in the order in which they are shown.
        out: the page; written whole or not at all.
        png: a folder for the plots as PNG images; made where it is not there. None: no images.
        sample: source bytes of held-out text that are cut into windows and scored, at most.
        tell: told what is being done, for progress.

    Returns:
        What had to be left out, a line each.

    Raises:
        ArtifactError: a folder that holds no stack; a place that cannot be written.
        StackcError: images are wanted and matplotlib is not installed.
    """
    from stackc.errors import ArtifactError
    from stackc.files import storage_error, write_atomically
    from stackc.report.facts import gather
    from stackc.report.page import page
    from stackc.report.plots import plots_of

    if png is not None:
        from stackc.report.png import need_matplotlib

        need_matplotlib()
    if not Path(out).parent.is_dir():
        raise ArtifactError(f"{out}: no folder {Path(out).parent}; make it first")
    facts = gather([Path(folder) for folder in stacks], sample, tell)
    plots = plots_of(facts)
    tell("writing")
    with write_atomically(Path(out)) as file:
        file.write(page(facts, plots).encode())
    if png is not None:
        from stackc.report.png import draw

        folder = Path(png)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(folder, error) from error
        for plot in plots:
            with write_atomically(folder / f"{plot.key}.png") as file:
                file.write(draw(plot))
    return [f"{fact.folder}: {line}" for fact in facts for line in fact.missing]
