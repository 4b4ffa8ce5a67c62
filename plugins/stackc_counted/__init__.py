"""Models that only count: `uniform` knows nothing, `unigram` how often each symbol occurs.

They are the references that every learned model is measured against, and quick enough for tests.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from stackc.api import Cost, ModelBackend, Register, hookimpl


@attrs.frozen(kw_only=True)
class UniformConfig:
    """``[level.model] backend = "uniform"``: every symbol as likely as any other."""

    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=0)


@attrs.frozen(kw_only=True)
class UnigramConfig:
    """``[level.model] backend = "unigram"``: each symbol as likely as it was frequent in the training text."""

    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=alphabet)


def _uniform(config: Any) -> ModelBackend:
    from stackc_counted.models import Uniform

    return Uniform()


def _unigram(config: Any) -> ModelBackend:
    from stackc_counted.models import Unigram

    return Unigram()


@hookimpl
def stackc_register_models(register: Register) -> None:
    register("uniform", _uniform, UniformConfig, "every symbol alike: the line that a model must beat")
    register("unigram", _unigram, UnigramConfig, "symbol counts of the training text, without any context")
