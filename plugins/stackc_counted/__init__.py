"""Models that count: `uniform` knows nothing, `unigram` how often each symbol occurs, `counted` what followed what.

The first two are the references that every learned model is measured against.
"""

from __future__ import annotations

from typing import Any

from stackc.api import ModelBackend, Register, hookimpl
from stackc_counted.config import Counted, CountedTraining, UniformConfig, UnigramConfig

__all__ = ["Counted", "CountedTraining", "UniformConfig", "UnigramConfig"]


def _uniform(config: Any) -> ModelBackend:
    from stackc_counted.models import Uniform

    return Uniform()


def _unigram(config: Any) -> ModelBackend:
    from stackc_counted.models import Unigram

    return Unigram()


def _counted(config: Counted) -> ModelBackend:
    from stackc_counted.backend import CountedBackend

    return CountedBackend(config)


@hookimpl
def stackc_register_models(register: Register) -> None:
    register("uniform", _uniform, UniformConfig, "every symbol equally likely: the reference that a model must beat")
    register("unigram", _unigram, UnigramConfig, "symbol counts of the training text, without any context")
    register("counted", _counted, Counted, "what followed the same context in the training text; no gradients")
