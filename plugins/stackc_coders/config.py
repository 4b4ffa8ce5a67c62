"""Configurations of the coders, and what each coder can do. Imports nothing heavy."""

from __future__ import annotations

from typing import ClassVar

import attrs
from attrs.validators import and_, ge, le

from stackc.api import Device, bits


@attrs.frozen(kw_only=True)
class ArithmeticConfig:
    """Arithmetic coding of a model's frequencies by the slot rule."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = True

    @staticmethod
    def doctor(device: Device) -> str:
        """The coder's self-test."""
        from stackc_coders.doctor import examine

        return examine()


@attrs.frozen(kw_only=True)
class StaticUnigramConfig:
    """The slot rule under one fixed row of frequencies, counted on the training text."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False


@attrs.frozen(kw_only=True)
class GzipConfig:
    """A zlib stream a window."""

    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False

    level: int = bits(6, check=and_(ge(1), le(9)), help="zlib's effort, 1 (fast) to 9 (small)")
