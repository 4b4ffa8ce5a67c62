"""Reads the files of a corpus in the process that it is sent to, which imports little for it."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs
import numpy as np

from stackc.api.files import kept_in
from stackc.parts.checked import GuardedReader
from stackc.recipe import recipe_from_dict

BATCH = 1 << 22
"""Bytes of documents that are hashed and written at a time."""


@attrs.frozen(kw_only=True)
class FileReader:
    """Reads files of a build's corpus in the process that it is sent to.

    Attributes:
        recipe: as JSON.
        base: the recipe's folder; absolute.
        split: of the files.
        target: the folder that receives what was read; absolute.
    """

    recipe: str
    base: str
    split: str
    target: str

    def __call__(self, path: Path) -> str:
        """Write the documents of a file end to end, and their lengths, under a unique name; returns it."""
        name, folder = uuid.uuid4().hex, Path(self.target)
        lengths: list[int] = []
        with kept_in(folder), (folder / name).open("wb") as file:
            for batch in batched(_reader(self.recipe, self.base).read_file(self.split, path)):
                file.write(b"".join(batch))
                lengths += map(len, batch)
            np.save(folder / f"{name}.npy", np.array(lengths, np.int64))
        return name


@functools.lru_cache(maxsize=2)
def _reader(recipe: str, base: str) -> GuardedReader:
    chosen = recipe_from_dict(json.loads(recipe), Path(base)).corpus.reader
    return GuardedReader(chosen.make(Path(base)), chosen.who)


def batched(documents: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Documents in lists of about `BATCH` bytes."""
    held: list[bytes] = []
    size = 0
    for document in documents:
        held.append(document)
        size += len(document)
        if size >= BATCH:
            yield held
            held, size = [], 0
    if held:
        yield held
