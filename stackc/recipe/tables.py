"""The tables and keys that belong to the recipe itself and not to a part: their fields, ranges and defaults."""

from __future__ import annotations

import re
from typing import Any

import attrs
from attrs.validators import ge, in_, le

from stackc.api.fields import bits, speed

MAX_TOKEN_BITS = 20
MAX_SEED = 2**63 - 1
"""Frequencies allow alphabets of at most 2^20."""

MAX_LINE = 1000
"""Characters of what a recipe says in words, at most."""

DESCRIBED = ("text", "licence")
"""Keys of ``[stack]`` that say what the training text is."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")


def check_name(_instance: Any, _field: Any, value: str) -> None:
    """Names become folders, and NAME in ``--set level.NAME.…`` must not look like a number."""
    if not _NAME.fullmatch(value):
        raise ValueError("a name starts with a letter and holds at most 64 of A-Z a-z 0-9 . _ -")


def _check_line(_instance: Any, _field: Any, value: str | None) -> None:
    if value is not None and not (value.isprintable() and 0 < len(value) <= MAX_LINE):
        raise ValueError(f"a line of 1 to {MAX_LINE} printable characters")


@attrs.frozen(kw_only=True)
class StackSection:
    """``[stack]``"""

    name: str = speed(check=check_name, help="the name of the stack; it is built in runs/NAME")
    seed: int = bits(0, check=[ge(0), le(MAX_SEED)], help="every random choice is a function of the seed and the step")
    text: str | None = speed(
        None, check=_check_line, help="what text it is built from, in words; a stack that is handed on says so"
    )
    licence: str | None = speed(None, check=_check_line, help="the licence of that text, for those who get the stack")


@attrs.frozen(kw_only=True)
class SegmentTable:
    """The keys of ``[corpus]`` that are not the reader's."""

    segment: int = bits(
        10_240,
        check=[ge(1), le(2**30)],
        help="symbols in a segment, at every level: a document is coded in segments, independently of each other",
    )


@attrs.frozen(kw_only=True)
class NameTable:
    """The name of a level or of the top."""

    name: str = speed(check=check_name, help="its name, and the name of its folder")


@attrs.frozen(kw_only=True)
class TokensTable:
    """``[level.tokens]``"""

    bits: int = bits(
        check=[ge(1), le(MAX_TOKEN_BITS)], help="bits per token, 1 to 20: the next model reads an alphabet of 2^bits"
    )


@attrs.frozen(kw_only=True)
class RunSection:
    """``[run]``: speed only; nothing here enters a hash."""

    device: str = speed(
        "auto", check=in_(("auto", "cpu", "cuda")), help="the device that models train on: auto, cpu or cuda"
    )
    threads: int = speed(
        1,
        check=[ge(1), le(1024)],
        help="threads inside one operation of a model and in a compiled level, and processes that read the corpus",
    )
    lanes: int = speed(256, check=[ge(1), le(65_536)], help="windows or segments coded side by side")
    memory: int = speed(
        1024,
        check=[ge(1), le(2**20)],
        help="megabytes that compiling a level may take, a working copy of a model that codes bit by bit, and counting "
        "texts; what takes more is an error, and a longer text is counted in shards",
    )
    shard_from: int = speed(
        500_000_000, check=ge(1), help="a model of at least this many parameters is sharded among the ranks (FSDP2)"
    )
