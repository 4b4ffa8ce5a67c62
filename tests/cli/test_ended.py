"""A command that is told to end clears away what it has begun, and says by its exit code what ended it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

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
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
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


def test_what_nohup_has_passed_over_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in ended.SIGNALS}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ended.end_cleanly()
        os.kill(os.getpid(), signal.SIGHUP)
        monkeypatch.setattr(ended, "_heard", None)
        with pytest.raises(ended.Ended) as caught:
            os.kill(os.getpid(), signal.SIGTERM)
        assert caught.value.code == 143
        os.kill(os.getpid(), signal.SIGTERM)  # one of the same moment: the first is being seen to
        monkeypatch.setattr(ended, "_heard", time.monotonic() - 2 * ended.ONE_SECONDS)
        with pytest.raises(ended.Ended):
            os.kill(os.getpid(), signal.SIGTERM)
        ended.end_at_once()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_programs_that_call_a_command_keep_their_handlers(whole: Path) -> None:
    from click.testing import CliRunner

    before = [signal.getsignal(number) for number in ended.SIGNALS]
    CliRunner().invoke(stackc.cli.main, ["inspect", str(whole / "stack")])
    assert [signal.getsignal(number) for number in ended.SIGNALS] == before
