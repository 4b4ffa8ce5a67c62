"""Reads the corpus, once: the documents of a split become a store, and their hash is its fingerprint.

Files are read here, or by the workers of an engine, which unpack them into separate files. This process takes what
was read in the order of the corpus, so that neither the store nor the fingerprint depends on who read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stackc.api.errors import CorpusError
from stackc.api.files import kept_in
from stackc.api.models import Progress
from stackc.api.readers import changed_while_read, framed
from stackc.pipeline.context import Context
from stackc.pipeline.engines.base import Engine
from stackc.pipeline.engines.choose import engine
from stackc.pipeline.engines.files import FileReader, batched
from stackc.pipeline.fingerprints import is_same, state_of
from stackc.pipeline.ownership import MARK, PENDING
from stackc.stack.store import BytesWriter

WORTH_WORKERS = 1 << 25
"""Bytes of files below which no workers are started: that takes longer than reading them."""

STARTS_OVER = "nothing that was read is kept, and the same command starts over"


def take_fingerprints(build: Context, scratch: Path) -> None:
    """Find the fingerprint of every split, reading what is not remembered.

    The documents are kept in a folder of `scratch` (`Context.read`) unless the stack has that split already.

    Raises:
        CorpusError: missing or damaged files, of whichever split; files that change meanwhile.
    """
    reader, chosen = build.reader, build.recipe.corpus.reader
    splits = ("test", "valid", "train")  # the large one last: a fault of another is reported before it is read
    for split in splits:
        reader.files(split)
    for split in splits:
        state = state_of(chosen, split, reader.files(split))
        found = build.remembered.find(state)
        if found is None:
            if not reader.hashed:
                found = reader.fingerprint(split)
            else:
                target = None if (build.work.folder / "corpus" / split / MARK).exists() else scratch / split
                with build.work.display.reading(f"corpus/{split}") as progress:
                    found = read_split(build, split, scratch, target, progress)
                if target is not None:
                    build.read[split] = target
            if not is_same(state, state_of(chosen, split, reader.files(split))):
                raise changed_while_read(split)
            build.remembered.keep(state, found)
        build.fingerprints[split] = found


def write_split(build: Context, split: str, folder: Path, progress: Progress) -> None:
    """Make the store of a split in `folder`, of what was read for its fingerprint, or by reading it.

    Raises:
        CorpusError: the documents are not those of the fingerprint.
    """
    for path in folder.iterdir():  # what a killed build left
        if path.name != PENDING:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    read = build.read.pop(split, None)
    if read is not None:
        for path in sorted(read.iterdir()):
            shutil.move(path, folder / path.name)
        return
    with contextlib.ExitStack() as held:
        scratch = folder / "read"
        scratch.mkdir()
        held.callback(shutil.rmtree, scratch, ignore_errors=True)
        found = read_split(build, split, scratch, folder, progress)
    if build.reader.hashed and found != build.fingerprints[split]:
        build.remembered.forget(state_of(build.recipe.corpus.reader, split, build.reader.files(split)))
        raise changed_while_read(split)


def read_split(build: Context, split: str, scratch: Path, target: Path | None, progress: Progress) -> str:
    """Read a split; returns the hash of its documents that `HashedReader.fingerprint` is.

    Args:
        scratch: a folder for files of workers, which are removed as soon as they are taken in.
        target: the folder that receives the store; None: no store is made.

    Raises:
        CorpusError: see `Reader.documents`.
    """
    digest, size = hashlib.sha256(), 0
    with contextlib.ExitStack() as held:
        hasher = held.enter_context(ThreadPoolExecutor(1))  # hashing does not hold the interpreter
        writer = None
        if target is not None:
            with kept_in(target):
                target.mkdir(parents=True, exist_ok=True)
            writer = held.enter_context(BytesWriter(target))
        hashing: Future[None] | None = None
        for batch in _batches(build, split, scratch, progress):
            if hashing is not None:
                hashing.result()
            hashing = hasher.submit(_hash, digest, batch)
            if writer is not None:
                writer.add(batch)
            size += sum(map(len, batch))
            progress.update(size, 0)  # files may be compressed: nobody knows how much is to come
        if hashing is not None:
            hashing.result()
    return digest.hexdigest()


def _hash(digest: Any, documents: list[bytes]) -> None:
    digest.update(b"".join(map(framed, documents)))


def _batches(build: Context, split: str, scratch: Path, progress: Progress) -> Iterator[list[bytes]]:
    """The documents of a split in their order, some megabytes at a time."""
    reader, shards = build.reader, None
    files = reader.files(split) if reader.by_file else None
    if files:
        shards = _workers(build, files, progress)
    if not files or shards is None:
        yield from batched(reader.read(split))
        return
    work = FileReader(
        recipe=json.dumps(build.recipe.to_dict()),
        base=str(build.recipe.base.absolute()),
        split=split,
        target=str(scratch.absolute()),
    )
    empty = True
    for name in shards.map(work, [path.absolute() for path in files]):
        for batch in _taken(scratch / name):
            empty = empty and not any(batch)
            yield batch
    if empty:
        yield from batched(reader.read(split))  # which names the problem of files without text


def _workers(build: Context, files: list[Path], progress: Progress) -> Engine | None:
    """An engine whose workers read the files; None: they are read here."""
    run, part = build.runtime, build.recipe.corpus.reader.part
    if len(files) < 2 or (run.engine == "local" and run.threads < 2):
        return None
    if not part.distribution:  # registered in this process alone
        return None
    with contextlib.suppress(OSError):  # whoever reads a file that is gone says so
        if sum(path.stat().st_size for path in files) < WORTH_WORKERS:
            return None
    return engine(run.engine, 1, False, progress.say, STARTS_OVER, min(run.threads, len(files)))


def _taken(path: Path) -> Iterator[list[bytes]]:
    """The documents that a worker wrote, in batches; its files are removed."""
    index = path.with_name(f"{path.name}.npy")
    lengths = np.load(index)
    try:
        with path.open("rb") as file:
            yield from batched(file.read(length) for length in lengths.tolist())
    except OSError as error:
        raise CorpusError(f"{path}: cannot read ({error.strerror or error})") from error
    path.unlink()
    index.unlink()
