"""Which names of `stackc.api` are imported late, because their modules need numpy or numba.

A separate table because two modules read it: `stackc.api`, to import them, and `stackc.api.kernels`, to find the source
files that a kernel depends on.
"""

from __future__ import annotations

HOMES = {
    "bitwise": ("CODER_STATE", "code_bit", "finish_coder", "start_coder"),
    "bitwise_twin": ("BitCoder",),
    "coders": (
        "AnyCoder", "BitSource", "Coder", "CoderFlags", "DictionaryCoder", "FittedCoder", "FittedUnderModel",
        "Intervals", "LaneCoder", "LaneDecoder", "LaneEncoder", "PieceCoder", "WholeWindowCoder", "WholeWindows",
        "WindowDecoder", "WindowEncoder",
    ),
    "compiled": ("CompiledLanes", "CompiledStep"),
    "fields": ("bits", "globs", "speed"),
    "files": ("read_tensors", "write_atomically", "write_tensors"),
    "frequencies": ("cost_bits", "normalise"),
    "hooks": ("hookimpl",),
    "intrinsics": ("borrowed", "choose", "prefetch", "prefetch_to_write"),
    "kernels": ("inlined", "kernel", "kernel_of"),
    "logarithms": ("LOG_BITS", "log2_fixed"),
    "models": (
        "BitwisePredictor", "Cost", "Cut", "Device", "ModelBackend", "Portability", "Predictor", "Progress", "Text",
        "TrainingTask",
    ),
    "names": ("corpus_files",),
    "offsets": ("are_offsets", "groups_of", "offsets_of"),
    "plain": ("WORD_RULE", "PlainTokenizer"),
    "packing": ("bytes_of_tokens", "tokens_of_bytes"),
    "readers": ("HashedReader", "Reader"),
    "register": ("Register",),
    "texts": ("SymbolTexts",),
    "unpacking": ("unpacked",),
    "windowings": ("CUT", "Window", "Windowing"),
    "word_borders": ("find_words", "more_words"),
    "word_tables": ("ask_words", "eight_bytes", "enter_word", "find_word", "put_codes", "word_table"),
}  # fmt: skip
"""Names of each module of `stackc.api` that are imported when they are first asked for."""

LATE = {name: f"stackc.api.{module}" for module, names in HOMES.items() for name in names}
"""The module of each of these names."""
