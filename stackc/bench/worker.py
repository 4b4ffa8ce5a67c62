"""`python -m stackc.bench.worker`: one entrant in its own process.

Reads commands from standard input, one JSON object ``{"do": command, …}`` per line, and answers each in one line:
``{"ok": …}`` or ``{"error": text}``. Imports little, so that start-up times are the entrants' own.
"""

from __future__ import annotations

import gc
import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackc.api import streams

if TYPE_CHECKING:
    from stackc.bench.codecs import Codec

SHORT = b"It is a truth universally acknowledged, that a single man in possession of a good fortune is in want."


class Session:
    """The commands. `open` comes first, then `load`, then `encode` and `decode` in turn."""

    codec: Codec

    def ready(self) -> None:
        """Do nothing: this measures the interpreter alone."""

    def train(self, trainer: str, vocabulary: int, variant: str | None, folder: str, store: str, limit: int) -> None:
        """Train a peer into `folder`."""
        from stackc.bench.sample import sample

        _find(trainer)(sample(Path(store), limit).texts(), vocabulary, variant, Path(folder))

    def open(self, codec: str, settings: dict[str, Any]) -> int | None:
        """Create the codec and encode a short text with it; returns its vocabulary."""
        self.codec = _find(codec)(**settings)
        self._encoded = self.codec.encode(self.codec.prepare(SHORT))
        return self.codec.vocabulary

    def rehearse(self) -> None:
        """Decode the short text, so that nothing is loaded or compiled while the file is timed."""
        self.codec.decode(self.codec.listed(self._encoded))

    def load(self, file: str, limit: int | None, primer: str | None = None) -> int:
        """Take the first `limit` bytes of a file, after the whole of `primer`; returns how many bytes these are."""
        with open(file, "rb") as source:
            self._data = (Path(primer).read_bytes() if primer else b"") + source.read(-1 if limit is None else limit)
        self._prepared = self.codec.prepare(self._data)
        return len(self._data)

    def reach(self, size: int) -> None:
        """Set the codec to `size` bytes that belong together."""
        self.codec.reach(size)

    def encode(self, times: int = 1) -> tuple[float, float]:
        """Seconds and processor seconds to encode the file once, the means of `times` times."""
        self._encoded = None
        self._encoded, seconds = _timed(self.codec.encode, self._prepared, times)
        return seconds

    def size(self) -> int:
        """Number of tokens, or of bytes, that `encode` has made."""
        return self.codec.size(self._encoded)

    def decode(self, times: int = 1) -> tuple[float, float]:
        """Seconds and processor seconds to decode the tokens of `encode` once."""
        self._decoded = None
        self._decoded, seconds = _timed(self.codec.decode, self.codec.listed(self._encoded), times)
        return seconds

    def outcome(self) -> dict[str, Any]:
        """Peak memory so far, tokens (or bytes), and whether the decoded text equals the file."""
        peak = _peak_megabytes()  # before the comparison, which needs memory itself
        restored = self.codec.restore(self._decoded) == self._data
        return {"size": self.size(), "restored": restored, "peak_mb": peak}


def main() -> None:
    streams.take()  # libraries print; standard output carries answers only
    session = Session()
    with streams.kept():
        for line in sys.stdin:
            job = json.loads(line)
            try:
                answer = {"ok": getattr(session, job.pop("do"))(**job)}
            except BaseException as error:  # not Exception: a panic of a Rust extension is not one
                answer = {"error": _one_line(error)}
            print(json.dumps(answer), file=streams.results(), flush=True)


def _timed(function: Any, argument: Any, times: int) -> tuple[Any, tuple[float, float]]:
    gc.collect()
    gc.disable()
    try:
        processor, begun = _processor_seconds(), time.perf_counter()
        for _ in range(times):
            result = function(argument)
        seconds, processor = time.perf_counter() - begun, _processor_seconds() - processor
    finally:
        gc.enable()
    return result, (seconds / times, processor / times)


def _processor_seconds() -> float:
    """Of all threads of this process, and of its subprocesses that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _find(name: str) -> Any:
    """The object that "module:name" names."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _one_line(error: BaseException) -> str:
    from stackc.api.errors import StackcError

    said = " ".join(str(error).split())
    if isinstance(error, StackcError | ValueError) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _peak_megabytes() -> float:
    """The peak resident memory of this process, in 10^6 bytes."""
    try:
        # Not getrusage: its value starts at the peak of the parent process.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    main()
