"""What a stage shows of its progress where there is no terminal, and on one."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from stackc.pipeline import display
from stackc.pipeline.display import Display


@pytest.mark.parametrize(
    ("total", "line"),
    [(40, "          M1/model: 10/40  loss 2.000  about 3 s left"), (0, "          M1/model: 10  loss 2.000")],
)
def test_the_time_that_is_left_is_told_where_the_total_is_known(
    total: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])
    monkeypatch.setattr(display.time, "monotonic", lambda: next(now))
    monkeypatch.setattr(display, "PLAIN_INTERVAL_S", 1.0)
    out = StringIO()
    with Display(None, "plain", Console(file=out, width=100)).stage("M1/model", False) as progress:
        progress.update(10, total, loss=2.0)
    assert out.getvalue().splitlines()[0] == line


def test_a_total_that_is_not_known_shows_no_share_of_it() -> None:
    out = StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with Display(None, "auto", console).stage("corpus/train", False) as progress:
        progress.update(10, 0)
        assert progress._bar is not None
        assert progress._bar.tasks[0].total is None
