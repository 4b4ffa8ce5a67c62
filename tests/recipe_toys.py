"""Toy parts and a recipe of two levels, for tests of recipes."""

from __future__ import annotations

import types
from typing import ClassVar

import attrs
from attrs.validators import and_, ge, in_, le

import stackc_coders
import stackc_counted
import stackc_text
import stackc_windows
from stackc.api import Cost, Register, Windowing, bits, hookimpl, speed
from stackc.parts.registry import Registry

CODERS = "arithmetic, gzip, lexicon, static-unigram, tunstall"
"""Those that every installation has."""


@attrs.frozen(kw_only=True)
class ToyTraining:
    steps: int = bits(check=ge(1), help="steps")
    rate: float = bits(0.1, check=and_(ge(0), le(1)), help="learning rate")
    decay: str = bits("cosine", check=in_(("cosine", "linear")), help="schedule")


@attrs.frozen(kw_only=True)
class ToyModel:
    bits_version: ClassVar[int] = 4
    train: ClassVar[type] = ToyTraining
    width: int = bits(8, check=ge(1), help="width")
    workers: int = speed(1, check=ge(1), help="workers")

    def cost(self, alphabet: int, settings: ToyTraining) -> Cost:
        return Cost(parameters=alphabet * self.width)

    def problems(self, alphabet: int, settings: ToyTraining) -> list[str]:
        found = []
        if self.width > alphabet:
            found.append(f"width: {self.width} is more than the alphabet of {alphabet}")
        if settings.steps == 13:
            found.append("train.steps: unlucky")
        if settings.steps == 14:
            found.append("an odd model")
        return found


@attrs.frozen(kw_only=True)
class BlankConfig:
    bits_version: ClassVar[int] = 1
    symbols: int = bits(64, check=ge(1), help="symbols")


@hookimpl
def register_models(register: Register) -> None:
    register("toy", lambda config: config, ToyModel, "a toy that trains")


@hookimpl
def register_windowings(register: Register) -> None:
    register("blank", lambda config: Windowing(symbols=config.symbols), BlankConfig, "a toy")


TOYS = types.ModuleType("toys")
vars(TOYS).update(
    stackc_register_models=hookimpl(specname="stackc_register_models")(register_models),
    stackc_register_windowings=hookimpl(specname="stackc_register_windowings")(register_windowings),
)
PARTS = Registry.of(coders=stackc_coders, counted=stackc_counted, text=stackc_text, windows=stackc_windows, toys=TOYS)

TWO_LEVELS = """
[stack]
name = "demo"
seed = 7

[corpus]
reader = "text"
train = "train/*.txt"
valid = ["valid.txt"]

[[level]]
name = "bytes"
[level.model]
backend = "toy"
[level.train]
steps = 10
[level.windowing]
kind = "equal-info"
bits = 16
[level.coder]
kind = "arithmetic"
[level.tokens]
bits = 8

[[level]]
[level.windowing]
kind = "fixed-token"
symbols = 100
[level.coder]
kind = "gzip"
[level.tokens]
bits = 12

[top]
[top.model]
backend = "unigram"
"""
