"""The subword coders through the suite that plugin authors run."""

from __future__ import annotations

from typing import Any

from stackc.parts.registry import registry
from stackc.testing import PieceCoderContract
from stackc_subword import BpeConfig, SentencePieceConfig


def made(name: str, **fields: Any) -> Any:
    part = registry().get("coder", name)
    return part.factory(part.config(**fields))


class TestBpe(PieceCoderContract):
    config = BpeConfig

    def make(self, vocabulary: int) -> Any:
        return made("bpe", vocabulary=vocabulary)


class TestSentencePieceUnigram(PieceCoderContract):
    config = SentencePieceConfig

    def make(self, vocabulary: int) -> Any:
        return made("sentencepiece", vocabulary=vocabulary)


class TestSentencePieceBpe(PieceCoderContract):
    config = SentencePieceConfig

    def make(self, vocabulary: int) -> Any:
        return made("sentencepiece", vocabulary=vocabulary, model="bpe", coverage=1.0)
