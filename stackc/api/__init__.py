"""All that a plugin may import. Everything else in `stackc` is private and may change without notice.

`CONTRACT` counts the changes of the contract (`stackc.api.version`); tests of plugins also import `stackc.testing`.

Names that need numpy or numba are imported on first use, so that listing plugins stays quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stackc.api.arrays import (
    IDLE,
    RESTART,
    Float64,
    Frequencies,
    Int32,
    Int64,
    Mask,
    Symbols,
    Tokens,
    Uint8,
    Uint16,
)  # fmt: skip
from stackc.api.errors import ArtifactError, CodingError, CorpusError, PluginError, RecipeError, StackcError
from stackc.api.extras import require
from stackc.api.late import LATE
from stackc.api.limits import (
    MAX_ALPHABET,
    MAX_BITWISE_ALPHABET,
    MAX_COUNT,
    MAX_WINDOW_SYMBOLS,
    PRECISION,
    PROBABILITY_BITS,
    TOTAL,
)  # fmt: skip
from stackc.api.version import CONTRACT

if TYPE_CHECKING:
    from stackc.api.bitwise import CODER_STATE, code_bit, finish_coder, start_coder
    from stackc.api.bitwise_twin import BitCoder
    from stackc.api.coders import (
        AnyCoder,
        BitSource,
        Coder,
        CoderFlags,
        DictionaryCoder,
        FittedCoder,
        FittedUnderModel,
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
    from stackc.api.compiled import CompiledLanes, CompiledStep
    from stackc.api.fields import bits, globs, speed
    from stackc.api.files import read_tensors, write_atomically, write_tensors
    from stackc.api.frequencies import cost_bits, normalise
    from stackc.api.hooks import hookimpl
    from stackc.api.intrinsics import borrowed, choose, prefetch, prefetch_to_write
    from stackc.api.kernels import inlined, kernel, kernel_of
    from stackc.api.logarithms import LOG_BITS, log2_fixed
    from stackc.api.models import (
        BitwisePredictor,
        Cost,
        Cut,
        Device,
        ModelBackend,
        Portability,
        Predictor,
        Progress,
        Text,
        TrainingTask,
    )  # fmt: skip
    from stackc.api.names import corpus_files
    from stackc.api.offsets import are_offsets, groups_of, offsets_of
    from stackc.api.packing import bytes_of_tokens, tokens_of_bytes
    from stackc.api.plain import WORD_RULE, PlainTokenizer
    from stackc.api.readers import HashedReader, Reader
    from stackc.api.register import Register
    from stackc.api.texts import SymbolTexts
    from stackc.api.unpacking import unpacked
    from stackc.api.windowings import CUT, Window, Windowing
    from stackc.api.word_borders import find_words, more_words
    from stackc.api.word_tables import ask_words, eight_bytes, enter_word, find_word, put_codes, word_table

__all__ = [
    "CODER_STATE", "CONTRACT", "CUT", "IDLE", "LOG_BITS", "MAX_ALPHABET", "MAX_BITWISE_ALPHABET", "MAX_COUNT",
    "MAX_WINDOW_SYMBOLS", "PRECISION", "PROBABILITY_BITS", "RESTART", "TOTAL", "WORD_RULE", "AnyCoder", "ArtifactError",
    "BitCoder", "BitSource", "BitwisePredictor", "Coder", "CoderFlags", "CodingError", "CompiledLanes", "CompiledStep",
    "CorpusError", "Cost", "Cut", "Device", "DictionaryCoder", "FittedCoder", "FittedUnderModel", "Float64",
    "Frequencies", "HashedReader", "Int32", "Int64", "Intervals", "LaneCoder", "LaneDecoder", "LaneEncoder", "Mask",
    "ModelBackend", "PieceCoder", "PlainTokenizer", "PluginError", "Portability", "Predictor", "Progress", "Reader",
    "RecipeError", "Register", "StackcError", "SymbolTexts", "Symbols", "Text", "Tokens", "TrainingTask", "Uint8",
    "Uint16", "WholeWindowCoder", "WholeWindows", "Window", "WindowDecoder", "WindowEncoder", "Windowing",
    "are_offsets", "ask_words", "bits", "borrowed", "bytes_of_tokens", "choose", "code_bit", "corpus_files",
    "cost_bits", "eight_bytes", "enter_word", "find_word", "find_words", "finish_coder", "globs", "groups_of",
    "hookimpl", "inlined", "kernel", "kernel_of", "log2_fixed", "more_words", "normalise", "offsets_of", "prefetch",
    "prefetch_to_write", "put_codes", "read_tensors", "require", "speed", "start_coder", "tokens_of_bytes", "unpacked",
    "word_table", "write_atomically", "write_tensors",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(LATE[name]), name)
