"""The coders that ship with stackc. Factories import what they need when a coder is used, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackc.api import Coder, Device, Register, WholeWindowCoder, hookimpl
from stackc_coders.config import ArithmeticConfig, GzipConfig, LexiconConfig, StaticUnigramConfig, TunstallConfig

if TYPE_CHECKING:
    from stackc_coders.lexicon import LexiconCoder
    from stackc_coders.tunstall import TunstallCoder

__all__ = ["ArithmeticConfig", "GzipConfig", "LexiconConfig", "StaticUnigramConfig", "TunstallConfig"]


def _arithmetic(config: ArithmeticConfig) -> Coder:
    from stackc_coders.arithmetic import ArithmeticCoder

    return ArithmeticCoder()


def _test_arithmetic(device: Device) -> str:
    from stackc_coders.doctor import examine

    return examine()


def _static_unigram(config: StaticUnigramConfig) -> Coder:
    from stackc_coders.static_unigram import StaticUnigramCoder

    return StaticUnigramCoder()


def _tunstall(config: TunstallConfig) -> TunstallCoder:
    from stackc_coders.tunstall import TunstallCoder

    return TunstallCoder(config.vocabulary)


def _lexicon(config: LexiconConfig) -> LexiconCoder:
    from stackc_coders.lexicon import LexiconCoder

    return LexiconCoder(config)


def _gzip(config: GzipConfig) -> WholeWindowCoder:
    from stackc_coders.gzip_coder import GzipCoder

    return GzipCoder(level=config.level)


@hookimpl
def stackc_register_coders(register: Register) -> None:
    register(
        "arithmetic",
        _arithmetic,
        ArithmeticConfig,
        "arithmetic coding of a model's frequencies",
        self_test=_test_arithmetic,
    )
    register("static-unigram", _static_unigram, StaticUnigramConfig, "arithmetic coding of symbol counts; no model")
    register("tunstall", _tunstall, TunstallConfig, "the most probable texts under a model, one token each")
    register(
        "lexicon", _lexicon, LexiconConfig, "texts that a model proposes and the training text uses, one token each"
    )
    register("gzip", _gzip, GzipConfig, "one zlib stream per window; no model")
