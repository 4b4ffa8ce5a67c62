"""Encodes a store shard by shard: a shard is several whole documents, and its tokens depend on nothing else."""

from __future__ import annotations

import functools
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import attrs

from stackc.api.arrays import release
from stackc.api.models import Progress
from stackc.coding.level import Level
from stackc.pipeline.context import Context
from stackc.pipeline.engines.base import Engine, Local, travels
from stackc.recipe import recipe_from_dict
from stackc.stack.opening import open_level
from stackc.stack.runtime import Runtime
from stackc.stack.store import Chunk, Store, StoreWriter

Shard = tuple[int, int, int]
"""Number, first document, last document + 1."""


@attrs.frozen(kw_only=True)
class ShardEncoder:
    """Encodes shards of a build in the process that it is sent to: the level is opened there, once per process.

    Attributes:
        recipe: as JSON.
        base, folder: folders of the recipe and of the stack; absolute.
        level: the level's place in the recipe.
        compiled: whether it has a dictionary.
        source, target: folders of the store that is read and of the stage.
    """

    recipe: str
    base: str
    folder: str
    level: int
    compiled: bool
    runtime: Runtime
    source: str
    target: str

    def __call__(self, shard: Shard) -> str:
        """Write the shard's tokens under a unique name, and return that name."""
        return encode_shard(_opened_level(self), _opened_store(Path(self.source)), Path(self.target), shard)


@functools.lru_cache(maxsize=2)
def _opened_level(encoder: ShardEncoder) -> Level:
    recipe = recipe_from_dict(json.loads(encoder.recipe), Path(encoder.base))

    def opened(number: int, compiled: bool | None = None) -> Level:
        section = recipe.levels[number]
        folder = Path(encoder.folder) / section.name
        return open_level(
            section,
            folder,
            recipe.corpus.segment,
            encoder.runtime,
            compiled=(folder / "dictionary").is_dir() if compiled is None else compiled,
            below=lambda: [opened(lower) for lower in range(number)],
        )

    return opened(encoder.level, encoder.compiled)


_opened_store = functools.lru_cache(maxsize=2)(Store)


def encode_shard(level: Level, source: Store, target: Path, shard: Shard) -> str:
    """Encode one shard of `source` into the store that is written in `target`; returns the name of its file."""
    number, first, last = shard
    writer = StoreWriter(target, level.token_alphabet)
    chunk = source.chunk(first, last)
    coded = level.encode(chunk.symbols, chunk.offsets)
    name = f"{number:06d}-{uuid.uuid4().hex}"
    tokens = Chunk(symbols=coded.tokens, offsets=coded.offsets, source_bytes=chunk.source_bytes)
    writer.write(name, tokens)
    release(source.symbols)
    return name


def encode_store(build: Context, level: Level, source: Store, target: Path, engine: Engine, progress: Progress) -> None:
    """Encode every missing shard of `source`, and join them in `target`.

    Only this process, which holds the stack, gives a shard its final name, whichever worker encoded it: a worker that
    was given up and returns later changes nothing.
    """
    writer = StoreWriter(target, level.token_alphabet)
    shards = [(number, *bounds) for number, bounds in enumerate(source.bounds())]
    missing = [shard for shard in shards if not writer.has(shard[0])]
    work: Callable[[Shard], str] = functools.partial(encode_shard, level, source, target)
    if not engine.here and not travels(level):
        progress.say(f"{level.name} is encoded here: its model's predictions are {level.portability}")
        engine = Local()
    if not engine.here:
        work = ShardEncoder(
            recipe=json.dumps(build.recipe.to_dict()),
            base=str(build.recipe.base.absolute()),
            folder=str(build.work.folder.absolute()),
            level=[section.name for section in build.recipe.levels].index(level.name),
            compiled=level.dictionary is not None,
            runtime=build.runtime,
            source=str(source.folder.absolute()),
            target=str(target.absolute()),
        )
    done = len(source.symbols) - sum(int(source.offsets[last] - source.offsets[first]) for _, first, last in missing)
    for (number, first, last), name in zip(missing, engine.map(work, missing), strict=True):
        writer.keep(number, name)
        done += int(source.offsets[last] - source.offsets[first])
        progress.update(done, len(source.symbols))
    writer.finish(len(shards))
