"""The coder `phrases`: words, parts of words and phrases as pieces, with its own trainer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackc.api import Device, Register, hookimpl
from stackc_phrases.config import PhrasesConfig

if TYPE_CHECKING:
    from stackc_phrases.coder import PhrasesCoder

__all__ = ["PhrasesConfig"]


def _phrases(config: PhrasesConfig) -> PhrasesCoder:
    from stackc_phrases.coder import PhrasesCoder

    return PhrasesCoder(config)


def _test_phrases(device: Device) -> str:
    from stackc_phrases.doctor import examine

    return examine()


@hookimpl
def stackc_register_coders(register: Register) -> None:
    register(
        "phrases",
        _phrases,
        PhrasesConfig,
        "words and phrases as pieces, fitted to the training text; no model",
        self_test=_test_phrases,
    )
