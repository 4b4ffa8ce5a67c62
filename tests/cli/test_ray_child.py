"""What a process that Ray may end says, and what its exit code and its signals are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stackc.cli.ray_child import tell_parent, watched

PROCESS = os.getpid()

SCRIPT = """
import os, sys, time
from stackc.cli.ray_child import as_a_command, tell_parent, watched
as_a_command()
with watched("ray", "go on"):
    print(os.getpid(), flush=True)
    WORK
AFTER
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the work is done without a parent")


def started(work: str, after: str = "") -> subprocess.Popen[str]:
    script = SCRIPT.replace("WORK", work).replace("AFTER", after)
    return subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(
    ("work", "after", "code"),
    [("pass", "", 0), ("sys.exit(3)", "", 3), ("pass", "sys.exit(2)", 2), ("os.kill(os.getpid(), 9)", "", 137)],
)
def test_an_end_of_its_own_is_passed_on(work: str, after: str, code: int) -> None:
    process = started(work, after)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said) == (code, "")


def test_a_program_that_calls_a_command_is_not_forked() -> None:
    with watched("ray", "go on"):
        here = os.getpid()
    assert here == PROCESS
    assert not tell_parent(1, "nothing")


def test_an_end_without_a_word_is_told() -> None:
    process = started("os._exit(1)")
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert said.startswith("error: Ray ended this process, ")
    assert said.endswith("; go on\n")


@pytest.mark.parametrize(("code", "line"), [(0, ""), (1, ""), (2, "error: what\n  where")])
def test_what_was_told_stands(code: int, line: str) -> None:
    process = started(f"tell_parent({code}, {line!r}); tell_parent(7, 'more'); os._exit(1)")
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.rstrip()) == (code, line)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_it(number: signal.Signals) -> None:
    work = "import signal; print(signal.sigwait({2, 15}).name); sys.exit(5)"
    process = started(f"signal = __import__('signal'); signal.pthread_sigmask(0, {{2, 15}}); {work}")
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, number)
    assert process.communicate(timeout=60)[0] == f"{number.name}\n"
    assert process.returncode == 5


def test_it_ends_with_its_parent() -> None:
    process = started("time.sleep(60)")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=60)  # the pipes close with the child
    for _ in range(100):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            return
        time.sleep(0.1)
    pytest.fail("the child is still there")
