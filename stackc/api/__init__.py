"""All that a plugin may import. Everything else in `stackc` is private and may change without notice.

`CONTRACT` counts the changes of the contract (`stackc.api.version`); tests of plugins also import `stackc.testing`.

What needs numpy or numba is imported when it is first asked for, so that listing plugins stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stackc.api.arrays import IDLE, RESTART, Float64, Frequencies, Int32, Int64, Mask, Symbols, Tokens
from stackc.api.errors import ArtifactError, CodingError, CorpusError, PluginError, RecipeError, StackcError
from stackc.api.extras import require
from stackc.api.limits import MAX_ALPHABET, MAX_COUNT, MAX_WINDOW_SYMBOLS, PRECISION, TOTAL
from stackc.api.version import CONTRACT

if TYPE_CHECKING:
    from stackc.api.coders import (
        AnyCoder,
        BitSource,
        Coder,
        CoderFlags,
        DictionaryCoder,
        FittedCoder,
        Intervals,
        LaneCoder,
        LaneDecoder,
        LaneEncoder,
        PieceCoder,
        WholeWindowCoder,
        WholeWindows,
        WindowDecoder,
        WindowEncoder,
    )  # fmt: skip
    from stackc.api.fields import bits, globs, speed
    from stackc.api.files import read_tensors, write_atomically, write_tensors
    from stackc.api.frequencies import cost_bits, normalise
    from stackc.api.hooks import hookimpl
    from stackc.api.kernels import kernel, kernel_of
    from stackc.api.models import Cost, Cut, Device, ModelBackend, Portability, Predictor, Progress, Text, TrainingTask
    from stackc.api.names import corpus_files
    from stackc.api.offsets import offsets_of
    from stackc.api.packing import bytes_of_tokens, tokens_of_bytes
    from stackc.api.readers import HashedReader, Reader
    from stackc.api.register import Register
    from stackc.api.unpacking import unpacked
    from stackc.api.windowings import Window, Windowing

__all__ = [
    "CONTRACT", "IDLE", "MAX_ALPHABET", "MAX_COUNT", "MAX_WINDOW_SYMBOLS", "PRECISION", "RESTART", "TOTAL",
    "AnyCoder", "ArtifactError", "BitSource", "Coder", "CoderFlags", "CodingError", "CorpusError", "Cost", "Cut",
    "Device", "DictionaryCoder", "FittedCoder", "Float64", "Frequencies", "HashedReader", "Int32", "Int64", "Intervals",
    "LaneCoder", "LaneDecoder", "LaneEncoder", "Mask", "ModelBackend", "PieceCoder", "PluginError", "Portability",
    "Predictor", "Progress", "Reader", "RecipeError", "Register", "StackcError", "Symbols", "Text", "Tokens",
    "TrainingTask", "WholeWindowCoder", "WholeWindows", "Window", "WindowDecoder", "WindowEncoder", "Windowing", "bits",
    "bytes_of_tokens", "corpus_files", "cost_bits", "globs", "hookimpl", "kernel", "kernel_of", "normalise",
    "offsets_of", "read_tensors", "require", "speed", "tokens_of_bytes", "unpacked", "write_atomically",
    "write_tensors",
]  # fmt: skip

_HOMES = {
    "coders": (
        "AnyCoder", "BitSource", "Coder", "CoderFlags", "DictionaryCoder", "FittedCoder", "Intervals", "LaneCoder",
        "LaneDecoder", "LaneEncoder", "PieceCoder", "WholeWindowCoder", "WholeWindows", "WindowDecoder",
        "WindowEncoder",
    ),
    "fields": ("bits", "globs", "speed"),
    "files": ("read_tensors", "write_atomically", "write_tensors"),
    "frequencies": ("cost_bits", "normalise"),
    "hooks": ("hookimpl",),
    "kernels": ("kernel", "kernel_of"),
    "models": (
        "Cost", "Cut", "Device", "ModelBackend", "Portability", "Predictor", "Progress", "Text", "TrainingTask",
    ),
    "names": ("corpus_files",),
    "offsets": ("offsets_of",),
    "packing": ("bytes_of_tokens", "tokens_of_bytes"),
    "readers": ("HashedReader", "Reader"),
    "register": ("Register",),
    "unpacking": ("unpacked",),
    "windowings": ("Window", "Windowing"),
}  # fmt: skip
"""Names that are imported when they are first asked for, by module. What a kernel compiles in must not be among them:
its cache follows imports that are written, not these (`stackc.api.kernels`)."""

_LATE = {name: f"stackc.api.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)
