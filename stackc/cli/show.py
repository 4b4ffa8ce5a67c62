"""What several commands print."""

from __future__ import annotations

import json
from pathlib import Path

from stackc.cli import say


def print_report(folder: Path) -> None:
    """The figures that the build kept in a stack, if it measured any."""
    from stackc.table import print_evaluation

    path = folder / "report" / "report.json"
    if path.is_file():
        report = json.loads(path.read_text())
        print_evaluation(report, title=f"{folder}: held-out text ({report['split']})")
    else:
        say(f"{folder}: built; there was no test text to measure")
