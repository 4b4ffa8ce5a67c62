"""What a coder or a loaded model can do besides its kind, asked in one place.

By `hasattr` and not by `isinstance`: from Python 3.12 on, `isinstance` with a protocol does not see the methods that a
part hands on by ``__getattr__``, and contract 1.0 promised that they are found.
"""

from __future__ import annotations

from typing import TypeGuard

from stackc.api.coders import DictionaryCoder, FittedCoder, FittedUnderModel, Intervals, PieceCoder, WholeWindowCoder
from stackc.api.models import BitwisePredictor


def has_tables(coder: object) -> TypeGuard[FittedCoder | FittedUnderModel]:
    return is_fitted(coder) or is_fitted_under_model(coder)


def is_fitted(coder: object) -> TypeGuard[FittedCoder]:
    return hasattr(coder, "fit") and hasattr(coder, "load")


def is_fitted_under_model(coder: object) -> TypeGuard[FittedUnderModel]:
    return hasattr(coder, "fit_under") and hasattr(coder, "load")


def lists_texts(coder: object) -> TypeGuard[DictionaryCoder]:
    return hasattr(coder, "dictionary")


def cuts_pieces(coder: object) -> TypeGuard[PieceCoder]:
    return hasattr(coder, "pieces")


def joins_pieces(coder: PieceCoder) -> bool:
    """Whether a piece coder decodes by itself."""
    return hasattr(coder, "decode")


def codes_whole_windows(coder: object) -> TypeGuard[WholeWindowCoder]:
    return hasattr(coder, "whole")


def has_intervals(encoder: object) -> TypeGuard[Intervals]:
    return hasattr(encoder, "interval")


def codes_bitwise(model: object) -> TypeGuard[BitwisePredictor]:
    return hasattr(model, "encode_block") and hasattr(model, "decode_block")


def compiles_step(model: object) -> bool:
    """Whether a predictor offers its kernels (`stackc.api.CompiledStep`)."""
    return hasattr(model, "compiled")


def compiles_lanes(coder: object) -> bool:
    """Whether a coder offers its kernels (`stackc.api.CompiledLanes`)."""
    return hasattr(coder, "compiled")
