"""Subword tokenizers as coders: the baselines of the field, lossless on any bytes. Each needs an extra of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackc.api import Register, hookimpl, require
from stackc_subword.config import BpeConfig, SentencePieceConfig

if TYPE_CHECKING:
    from stackc_subword.bpe import BpeCoder
    from stackc_subword.sentencepiece_coder import SentencePieceCoder

__all__ = ["BpeConfig", "SentencePieceConfig"]


def _bpe(config: BpeConfig) -> BpeCoder:
    require("tokenizers", "bpe", "bpe")
    from stackc_subword.bpe import BpeCoder

    return BpeCoder(config.vocabulary)


def _sentencepiece(config: SentencePieceConfig) -> SentencePieceCoder:
    require("sentencepiece", "sentencepiece", "sentencepiece")
    from stackc_subword.sentencepiece_coder import SentencePieceCoder

    return SentencePieceCoder(config)


@hookimpl
def stackc_register_coders(register: Register) -> None:
    register("bpe", _bpe, BpeConfig, "byte-level BPE, fitted to the training text (tokenizers); no model")
    register("sentencepiece", _sentencepiece, SentencePieceConfig, "SentencePiece pieces of text and bytes; no model")
