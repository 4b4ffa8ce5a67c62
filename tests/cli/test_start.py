"""What short commands leave out when they start and when they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "archive" / "golden"

ENDS = """
import gc, json, sys
from stackc.cli import run
try:
    run()
except SystemExit as end:
    print(json.dumps([end.code, "rich" in sys.modules, gc.get_freeze_count() > 0]))
"""


def ends(*command: str, **variables: str) -> tuple[int, bool, bool]:
    """A command's exit code, whether it imported rich, and whether Python ends without a search for garbage."""
    done = subprocess.run(
        [sys.executable, "-c", ENDS, *command], env=variables, capture_output=True, text=True, check=True
    )
    code, rich, frozen = json.loads(done.stderr[done.stderr.rindex("[") :])  # `run` has given standard output away
    return code, rich, frozen


def test_a_progress_bar_that_nobody_sees_costs_no_import(tmp_path: Path) -> None:
    file = str(next(GOLDEN.rglob("*.stk")))
    assert ends("verify", "--quick", file) == (0, False, True)
    assert ends("verify", "--quick", file, FORCE_COLOR="1") == (0, True, True)
    assert ends("verify", "--quick", "--quiet", file, FORCE_COLOR="1") == (0, False, True)
