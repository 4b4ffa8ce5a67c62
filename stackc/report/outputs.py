"""The files of a comparison, checked before the work and written after it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackc.api.errors import StackcError
from stackc.api.files import storage_error, write_atomically
from stackc.api.messages import utf8
from stackc.report.compare import Comparison
from stackc.report.comparison_tables import check_format, written
from stackc.report.curves import PLOTS, curves_of
from stackc.report.png import draw, need_matplotlib
from stackc.stack.outputs import check_distinct, check_folder, check_output


class Outputs:
    """Files to write.

    Args:
        files: tables and pages, by their suffixes.
        png: a folder for the plots, created if it is missing; None: no images.
        stacks: what is compared, which no file may replace.
        force: overwrite existing files.

    Raises:
        StackcError: an unknown suffix; a file that exists, or that would replace a part of a stack; images are
            requested and matplotlib is not installed.
        ArtifactError: a folder that is missing or cannot be written.
    """

    def __init__(self, files: Sequence[Path], png: Path | None, stacks: Sequence[Path], force: bool) -> None:
        self.files, self.png = files, png
        images = [png / f"{key}.png" for key, *_ in PLOTS] if png is not None else []
        if png is not None:
            need_matplotlib()
            check_folder(png, *files)
        for file in files:
            check_format(file)
            if not file.parent.is_dir():
                raise StackcError(f"{file}: no folder {file.parent}; create it first")
        for file in (*files, *images):
            check_output(file, *stacks, force=force)
        check_distinct([*files, *images])

    def write(self, comparison: Comparison) -> None:
        """Write all of them, each completely or not at all."""
        for file in self.files:
            with write_atomically(file) as out:
                out.write(utf8(written(comparison, file)))
        if self.png is None:
            return
        try:
            self.png.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(self.png, error) from error
        for plot in curves_of(comparison.entrants):
            with write_atomically(self.png / f"{plot.key}.png") as out:
                out.write(draw(plot))
