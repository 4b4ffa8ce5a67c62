"""Names and patterns of files, as users give them: `~`, and folders that link to each other."""

from __future__ import annotations

import glob
import heapq
import os
from collections.abc import Iterator
from pathlib import Path

from stackc.api.errors import CorpusError


def expanded(name: str | Path) -> Path:
    """The path with a leading ``~`` or ``~user`` replaced; a name that begins so and names no user is left as it is."""
    try:
        return Path(name).expanduser()
    except (RuntimeError, ValueError):  # no such user, no home; a name that no user can have
        return Path(name)


def corpus_files(key: str, patterns: str | tuple[str, ...]) -> list[Path]:
    """The ordinary files of patterns (`globs`), pattern by pattern, sorted by name, each file once.

    Args:
        key: the field that holds them, for messages, such as "train".

    Raises:
        CorpusError: a pattern without a file, a link to a file that is missing, or a folder that cannot be looked into.
    """
    found: dict[str, Path] = {}
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        matches = sorted(_matches(pattern))
        files = [Path(match) for match in matches if os.path.isfile(match)]
        for match in matches:
            if os.path.islink(match) and not os.path.exists(match):  # its text would be missing without a word
                raise CorpusError(f"corpus.{key}: {match} is a link to what is not there; restore or remove it")
        if not files:
            raise CorpusError(_no_match(key, pattern, matches))
        for path in files:
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _no_match(key: str, pattern: str, matches: list[str]) -> str:
    if matches and not any(os.path.isdir(match) for match in matches):
        return f"corpus.{key}: {pattern} is not an ordinary file"
    if matches:
        return f"corpus.{key}: {pattern} is a folder; name its files, such as {pattern.rstrip(os.sep)}{os.sep}*.txt"
    if glob.has_magic(pattern):
        return f"corpus.{key}: no file matches {pattern}"
    return f"corpus.{key}: no such file: {pattern}"


def _matches(pattern: str) -> set[str]:
    """As `glob.glob` with `recursive`, except that ``**`` enters each folder once, however many links lead to it."""
    parts = pattern.split(os.sep)
    if "**" not in parts:
        return set(glob.glob(pattern))
    place = parts.index("**")
    rest = parts[place + 1 :]
    while rest[:1] == ["**"]:
        del rest[0]
    found: set[str] = set()
    for top in glob.glob(os.sep.join([*parts[:place], ""])) if place else [""]:
        for folder in _folders(top):
            # The rest of the pattern counts from the folder, whose own name may hold signs of a pattern.
            found |= _matches(os.path.join(glob.escape(folder), *(rest or ["*"])))
    return found


def _folders(top: str) -> Iterator[str]:
    """`top` and the folders in it that are not hidden, at any depth, each under the first of its names.

    A folder with several names, because links lead to it, is entered under the one that sorts first: its files get
    the names, and the order, that they have when every name is followed.
    """
    waiting, seen = [top], set[tuple[int, int]]()
    while waiting:
        folder = heapq.heappop(waiting)
        try:
            status = os.stat(folder or os.curdir)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder or os.curdir) as entries:
                inside = [os.path.join(folder, entry.name, "") for entry in entries if entry.name[0] != "."]
        except (FileNotFoundError, NotADirectoryError):  # it went away
            continue
        except OSError as error:
            raise CorpusError(f"{folder}: cannot look into the folder ({error.strerror or error})") from error
        yield folder
        for name in filter(os.path.isdir, inside):  # with a separator at the end they sort as the files in them do
            heapq.heappush(waiting, name)
