"""Configurations of the readers. Imports nothing heavy."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

import attrs
from attrs.validators import ge, in_, le, optional

from stackc.api import bits, globs, speed

FORMATS = ("json", "csv", "text", "parquet", "arrow")

_SIZE = [ge(1 << 10), le(1 << 30)]
_SIZE_HELP = "a longer document is handed on in pieces of this size, 2^10 to 2^30 bytes"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@attrs.frozen(kw_only=True)
class ParquetConfig:
    """``[corpus] reader = "parquet"``"""

    bits_version: ClassVar[int] = 1

    train: str | tuple[str, ...] = globs(help="files to train on: names or glob patterns, from the recipe's folder")
    valid: str | tuple[str, ...] = globs((), help="held-out files whose loss is reported in training")
    test: str | tuple[str, ...] = globs((), help="held-out files to evaluate on; read when all training is done")
    column: str = bits("text", help="the column of text or bytes: a row is a document; rows that are null are left out")
    document_bytes: int = bits(1 << 20, check=_SIZE, help=_SIZE_HELP)


@attrs.frozen(kw_only=True)
class DatasetsConfig:
    """``[corpus] reader = "datasets"``: one of `name`, `saved` and `format`."""

    bits_version: ClassVar[int] = 1

    name: str | None = bits(None, help="a dataset of the Hub, such as allenai/c4; needs its revision")
    config: str | None = bits(None, help="the Hub dataset's configuration, such as en")
    revision: str | None = bits(None, help="the Hub dataset's commit, 40 hexadecimal digits: a branch may change")
    saved: str | tuple[str, ...] = globs((), help="a folder that save_to_disk wrote, from the recipe's folder")
    format: Literal["json", "csv", "text", "parquet", "arrow"] | None = bits(
        None, check=optional(in_(FORMATS)), help="of local files, named in train_files, valid_files and test_files"
    )
    train_files: str | tuple[str, ...] = globs((), help="local files to train on: names or glob patterns")
    valid_files: str | tuple[str, ...] = globs((), help="held-out local files whose loss is reported in training")
    test_files: str | tuple[str, ...] = globs((), help="held-out local files to evaluate on")
    train: str = bits("train", help="the split to train on, of a dataset of the Hub or a saved one")
    valid: str | None = bits(None, help="the held-out split whose loss is reported in training")
    test: str | None = bits(None, help="the held-out split to evaluate on")
    column: str = bits("text", help="the column of text or bytes: a row is a document; rows that are null are left out")
    document_bytes: int = bits(1 << 20, check=_SIZE, help=_SIZE_HELP)
    zst_window: int = speed(
        30,
        check=[ge(27), le(31)],
        help="2^this bytes, 27 to 31, are the longest window of a .zst file that is read, and the memory it may take",
    )

    def problems(self, alphabet: int, settings: None) -> list[str]:
        """Sources that are missing or too many, and settings without effect."""
        given = [key for key in ("name", "saved", "format") if getattr(self, key)]
        if len(given) != 1:
            found = f"{' and '.join(given)} are given" if given else "none is given"
            return [
                f"datasets reads one source: name (of the Hub), saved (a folder) or format (of local files); {found}"
            ]
        source = given[0]
        lines = []
        if source == "name" and not _COMMIT.fullmatch(self.revision or ""):
            lines.append("revision: a commit of 40 hexadecimal digits, so that a later build reads the same text")
        if source == "format" and not self.train_files:
            lines.append("train_files: missing; name the local files to train on")
        own = {"name": ("config", "revision", "valid", "test"), "saved": ("valid", "test")}
        files = ("train_files", "valid_files", "test_files")
        for key in ("config", "revision", "valid", "test", *files):
            if getattr(self, key) and key not in own.get(source, files):
                lines.append(f"{key}: has no effect with {source}; remove it")
        if source == "format" and self.train != "train":
            lines.append("train: has no effect with format; remove it")
        return lines
