"""The coder `phrases` through the suite that plugin authors run."""

from __future__ import annotations

from typing import Any, ClassVar

from stackc.parts.registry import registry
from stackc.testing import PieceCoderContract
from stackc_phrases import PhrasesConfig


class OfPhrases(PieceCoderContract):
    config = PhrasesConfig
    fields: ClassVar[dict[str, Any]]

    def make(self, vocabulary: int) -> Any:
        part = registry().get("coder", "phrases")
        return part.factory(part.config(vocabulary=vocabulary, **self.fields))


class TestLongest(OfPhrases):
    fields: ClassVar[dict[str, Any]] = {"objective": "use", "parse": "longest", "share": 0.5, "rounds": 4}


class TestOptimal(OfPhrases):
    fields: ClassVar[dict[str, Any]] = {"rounds": 4}


class TestOneWord(OfPhrases):
    fields: ClassVar[dict[str, Any]] = {"parse": "longest", "words": 1, "rounds": 3}


del OfPhrases
