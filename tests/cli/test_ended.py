"""A command that is told to end clears away what it has begun, and says by its exit code what ended it."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import stackc
from recipes_of_tests import TEXT, corpus, counting, mixed
from stackc.api.partial import PARTIAL
from stackc.cli import ended


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    corpus(folder)
    (folder / "recipe.toml").write_text(counting())
    (folder / "long.toml").write_text(mixed(steps=1_000_000))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder


@pytest.fixture(autouse=True, scope="module")
def not_ignored() -> Iterator[None]:
    """A process hands ignored signals on to those that it starts, and commands respect that: so under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def partials(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if PARTIAL.fullmatch(path.name)]


def begun(command: list[object], **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "stackc", *map(str, command)], stderr=subprocess.PIPE, text=True, **how
    )  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_no_half_file_of_a_private_source_stays(whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    """From a pipe that goes on, so that it is in the middle of its work."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    process = begun(["compress", tmp_path / "pipe", "--stack", whole / "stack", "-o", tmp_path / "out", "--quiet"])
    with (tmp_path / "pipe").open("wb") as pipe:
        pipe.write((TEXT * 4000).encode())
        pipe.flush()
        while not (found := partials(tmp_path)):
            assert process.poll() is None
            time.sleep(0.02)
        assert found[0].stat().st_mode & 0o077 == 0
        while fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4)) != bytes(4):
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(0.5)  # Python sees a signal that comes between two reads of one call when the next one returns
        while True:  # a busy machine may still be between two reads; whoever sends such signals repeats them
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                said = process.communicate(timeout=10)[1]
                break
    assert (process.returncode, said) == (128 + number, f"{ended.SIGNALS[number]}\n")
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_build_that_is_told_to_end_goes_on_next_time(whole: Path, tmp_path: Path) -> None:
    process = begun(["build", whole / "long.toml", "--out", tmp_path / "out", "--quiet"])
    while not (tmp_path / "out" / "corpus" / "train" / "stage.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.splitlines()[-1]) == (143, "terminated")
    assert not partials(tmp_path)
    assert not (tmp_path / "out" / "manifest.json").exists()
    stackc.build(whole / "recipe.toml", tmp_path / "out")


@pytest.mark.parametrize("seconds", [0.0, 0.1])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_in_quick_succession_are_one(
    whole: Path, tmp_path: Path, number: signal.Signals, seconds: float
) -> None:
    """As `timeout` sends them, to the process and to its group."""
    process = begun(["build", whole / "long.toml", "--out", tmp_path / "out", "--quiet"], preexec_fn=hears)
    while not (tmp_path / "out" / "corpus" / "train" / "stage.json").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    time.sleep(seconds)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert (process.returncode, said.splitlines()) == (128 + number, [ended.SIGNALS[number]])
    assert not partials(tmp_path)


def hears() -> None:
    """Run in the background, as some run tests, a shell has its commands ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW_TO_END = """
import os, signal, time
import click
import stackc.cli as cli
from stackc.cli import ended

def send():
    os.kill(os.getpid(), {first})

def slow(*_):
    os.kill(os.getpid(), {second})
    time.sleep(3 * ended.AGAIN_SECONDS)

ended.ONE_SECONDS = {one}
cli.LazyGroup.get_command = lambda *_: click.Command("doctor", callback=send)
cli.streams.drop = slow
said = cli.click.echo
cli.click.echo = lambda *what, **how: (slow(), said(*what, **how))
cli.run()
"""


@pytest.mark.parametrize("one", [0.0, 2.0])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_nothing_comes_between_a_command_that_ends_and_its_exit_code(
    first: signal.Signals, second: signal.Signals, one: float
) -> None:
    """Neither a second signal, however late, nor the timer that raises an exception again that was lost."""
    program = SLOW_TO_END.format(first=int(first), second=int(second), one=one)
    done = subprocess.run(
        [sys.executable, "-c", program, "doctor"], capture_output=True, text=True, preexec_fn=hears, check=False
    )
    assert (done.returncode, done.stderr) == (128 + first, f"{ended.SIGNALS[first]}\n")


@pytest.fixture
def heard() -> Iterator[None]:
    """The process ends as a command does when it is told to; afterwards as before."""
    kept = {number: signal.getsignal(number) for number in (*ended.SIGNALS, signal.SIGALRM)}
    hook = sys.unraisablehook
    for number in ended.SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    ended.end_cleanly()
    try:
        yield
    finally:
        ended.end_at_once()
        sys.unraisablehook = hook
        for number, handler in kept.items():
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def nothing_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ended, "_heard", None)


def test_what_nohup_has_passed_over_is_passed_over(heard: None, monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ended.end_cleanly()
    monkeypatch.setattr(ended, "AGAIN_SECONDS", 60)
    os.kill(os.getpid(), signal.SIGHUP)
    with pytest.raises(ended.Ended) as caught:
        terminate()
    assert caught.value.code == 143
    terminate()  # one of the same moment: the first is being seen to
    monkeypatch.setattr(ended, "_heard", time.monotonic() - 2 * ended.ONE_SECONDS)
    with pytest.raises(ended.Ended):
        terminate()
    ended.end_at_once()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def terminate(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def and_then_wait(work: Callable[[], None]) -> None:
    work()
    time.sleep(20)


class Closing:
    __del__ = terminate


def in_a_weak_reference() -> None:
    thing = type("Thing", (), {})()
    kept = weakref.ref(thing, terminate)
    del thing
    assert kept() is None


def in_a_destructor() -> None:
    thing = Closing()
    del thing


def in_a_callback_of_c() -> None:
    ctypes.CFUNCTYPE(None)(terminate)()


def where_all_is_caught() -> None:
    with contextlib.suppress(BaseException):
        terminate()


@pytest.mark.parametrize(
    "where", [in_a_weak_reference, in_a_destructor, in_a_callback_of_c, where_all_is_caught], ids=lambda f: f.__name__
)
def test_a_signal_is_not_lost(heard: None, where: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ended.Ended) as caught:
        and_then_wait(where)
    assert caught.value.code == 143
    assert capsys.readouterr().err == ""


def test_clearing_away_is_not_interrupted(heard: None) -> None:
    cleared = []

    def work() -> None:
        try:
            terminate()
        finally:
            until = time.monotonic() + 4 * ended.AGAIN_SECONDS
            while time.monotonic() < until:
                time.sleep(0.01)
            cleared.append(True)

    with pytest.raises(ended.Ended):
        work()
    assert cleared


def test_llvm_is_not_interrupted(heard: None) -> None:
    """Neither at once nor by the timer: its objects would stay half closed."""
    around: dict[str, Any] = {"__name__": "llvmlite.binding.ffi", "terminate": terminate, "time": time}
    exec("def close(done):\n    terminate()\n    time.sleep(0.4)\n    done.append(True)", around)
    done: list[bool] = []
    with pytest.raises(ended.Ended):
        and_then_wait(lambda: around["close"](done))
    assert done


def test_programs_that_call_a_command_keep_their_handlers(whole: Path) -> None:
    from click.testing import CliRunner

    before = [signal.getsignal(number) for number in ended.SIGNALS]
    CliRunner().invoke(stackc.cli.main, ["inspect", str(whole / "stack")])
    assert [signal.getsignal(number) for number in ended.SIGNALS] == before
