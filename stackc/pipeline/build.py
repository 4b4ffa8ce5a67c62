"""The main job: from a recipe to a stack, stage by stage.

corpus ─► M1: counts, model, frozen, coder, dictionary, tokens ─► M2: … ─► top: counts, model, frozen ─► report
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.api.arrays import Symbols
from stackc.api.errors import CorpusError
from stackc.api.files import write_tensors
from stackc.api.models import Cut, Predictor, Progress, TrainingTask
from stackc.coding.documents import segments
from stackc.coding.host import host
from stackc.coding.level import Level
from stackc.parts.blame import blaming
from stackc.parts.checked import GuardedReader
from stackc.pipeline.compiling import COMPILE_BITS, check_vocabularies, compiled, compiles, why_not
from stackc.pipeline.display import Display, StageProgress
from stackc.pipeline.encoding import encode_store
from stackc.pipeline.ending import report, write_manifest
from stackc.pipeline.engines.choose import engine
from stackc.pipeline.ranks.orders import Orders
from stackc.pipeline.ranks.world import World, world
from stackc.pipeline.stages import Done, Parts, Workspace, clear, held, stage_key
from stackc.recipe import LevelSection, Recipe, TopSection
from stackc.stack.opening import open_level
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack
from stackc.stack.store import Store, StoreWriter, documents_to_chunks

SPLITS = ("train", "valid", "test")


def build(recipe: Recipe, out: Path, *, runtime: Runtime | None = None, display: Display | None = None) -> Stack:
    """Build a stack, reusing every stage that is done and going on where a killed build was.

    Under `torchrun` every process calls this: rank 0 builds, the others train with it (`stackc.pipeline.ranks.world`).

    Args:
        recipe: what to build.
        out: the stack's folder; made where there is none.
        runtime: speed-only settings; None: the recipe's ``[run]``.
        display: what to show; None: nothing.

    Raises:
        StackcError: anything a user can cause; finished stages are kept.
    """
    out = out.absolute()  # parts may change the process's own folder
    runtime = runtime or Runtime.of(recipe.run)
    display = display or Display(out / "logs", "quiet")
    with world(runtime.device) as ranks:
        if ranks.rank:
            _Build(recipe, Workspace(out, Display(None, "quiet")), runtime, ranks).follow()
        else:
            _Build(recipe, Workspace(out, display), runtime, ranks).lead()
    return Stack(out, runtime)


class _Build:
    def __init__(self, recipe: Recipe, work: Workspace, runtime: Runtime, ranks: World) -> None:
        self.recipe = recipe
        self.work = work
        self.runtime = runtime
        self.ranks = ranks
        self.orders = Orders(ranks, work.folder, self._given)
        self.splits: list[str] = []
        self.not_compiled: dict[str, str] = {}  # reasons that were not said yet, by level

    # ---- ranks

    def lead(self) -> None:
        """Build, and tell the other ranks when it is over, whichever way."""
        try:
            with held(self.work.folder, stage_folders(self.recipe)):
                self.orders.compare()
                self.run()
        except BaseException:
            self.orders.give({"do": "stop"})
            raise
        self.orders.give({"do": "end"})

    def follow(self) -> None:
        """Train when rank 0 does, until it is done. Raises `RankError` where rank 0 stopped or is gone."""
        for order in self.orders.received():
            section = [*self.recipe.levels, self.recipe.top][order["section"]]
            assert section.model is not None
            cut = self._cutter(section) if isinstance(section, LevelSection) else None
            folder = self.work.folder / section.name / "model"
            with self.work.display.stage(section.name, False) as progress, self.ranks.together():
                backend = section.model.make(self.recipe.base)
                backend.train(self._task(section, order["inputs"], folder, progress, cut, self.ranks))

    def _given(self) -> dict[str, str]:
        return {"recipe": stage_key(self.recipe.key()), "device": self.runtime.resolve().name}

    # ---- all stages

    def run(self) -> None:
        check_vocabularies(self.recipe, self.runtime)
        for chosen in self.recipe.chosen():  # what is not installed is said before the corpus is read
            chosen.make(self.recipe.base)
        inputs = "corpus"
        self._read_corpus()
        made: list[dict[str, Any]] = []
        levels: list[Level] = []
        for section in self.recipe.levels:
            level = self._level(section, inputs)
            for split in self.splits:
                self._encode(section, level, inputs, split)
            levels.append(level)
            portability = level.predictor.portability if level.coder.needs_model else "portable"
            made.append(
                {
                    "name": section.name,
                    "alphabet": level.alphabet,
                    "token_alphabet": level.token_alphabet,
                    "compiled": level.dictionary is not None,
                    "portability": portability,
                    "host": host(portability),
                }
            )
            inputs = f"{section.name}/tokens"
        self._model(self.recipe.top, inputs, None)
        report(self.work, self.recipe, self.runtime, levels)
        write_manifest(self.work, self.recipe, self.runtime, made)

    # ---- corpus

    def _read_corpus(self) -> None:
        chosen = self.recipe.corpus.reader
        reader = GuardedReader(chosen.make(self.recipe.base), chosen.who)
        # All of them first: what is wrong with the last is said before the first is read.
        fingerprints = {split: reader.fingerprint(split) for split in SPLITS}
        for split, fingerprint in fingerprints.items():
            material = {"reader": self.recipe.corpus.reader.key(), "content": fingerprint}

            def read(folder: Path, progress: Progress, split: str = split) -> None:
                shutil.rmtree(folder / "chunks", ignore_errors=True)
                writer = StoreWriter(folder, 256)
                count = done = 0
                for count, chunk in enumerate(documents_to_chunks(reader.documents(split)), start=1):
                    writer.add(count - 1, chunk)
                    done += len(chunk.symbols)
                    progress.update(done, done)
                writer.finish(count)

            self.work.run(f"corpus/{split}", material, read)
            store = self._store("corpus", split)
            if split == "train" and not len(store.symbols):
                raise CorpusError("the training text is empty: nothing can be learned from it; check corpus.train")
            self.splits.append(split)

    def _store(self, inputs: str, split: str) -> Store:
        return Store(self.work.folder / inputs / split)

    # ---- one level

    def _level(self, section: LevelSection, inputs: str) -> Level:
        """Fit, freeze and compile; the level is ready to encode."""
        folder = self.work.folder / section.name
        content = self._store(inputs, "train").content
        coder = section.coder.make()
        if hasattr(coder, "fit"):

            def fit(stage: Path, progress: Progress) -> None:
                with blaming(section.coder.who, "fit"):
                    coder.fit(self._store(inputs, "train").text(), section.alphabet, stage)

            tables = {"coder": section.coder.key(), "alphabet": section.alphabet, "train": content}
            self.work.run(f"{section.name}/coder", tables, fit)
        frozen = self._model(section, inputs, self._cutter(section))
        level = open_level(section, folder, self.recipe.corpus.segment, self.runtime, compiled=False)
        if level.pieces is not None:
            clear(self.work.folder, folder / "dictionary")
            return level
        reason = why_not(level, self.runtime.memory)
        if reason is not None:
            self.not_compiled[section.name] = reason
            clear(self.work.folder, folder / "dictionary")
            return level
        material = {
            "windowing": section.windowing.key(),
            "coder": section.coder.key(),
            "alphabet": section.alphabet,
            "frozen": frozen.content if frozen else content,
        }

        def write_dictionary(stage: Path, progress: Progress) -> None:
            compiled(level, level.predictor if level.coder.needs_model else None).save(stage / "dictionary.safetensors")

        self.work.run(f"{section.name}/dictionary", material, write_dictionary)
        return open_level(section, folder, self.recipe.corpus.segment, self.runtime, compiled=True)

    def _model(self, section: LevelSection | TopSection, inputs: str, cut: Cut | None) -> Done | None:
        """Counts, float model, frozen model. None where the level needs no model."""
        content = self._store(inputs, "train").content

        def count(stage: Path, progress: Progress) -> None:
            write_tensors(stage / "counts.safetensors", {"counts": self._store(inputs, "train").counts()})

        self.work.run(f"{section.name}/counts", {"train": content, "alphabet": section.alphabet}, count)
        if section.model is None:
            return None
        backend, who = section.model.make(self.recipe.base), section.model.who
        material = {
            "model": section.model.key(),
            "settings": section.key()["train"],
            "seed": self.recipe.stack.seed,
            "alphabet": section.alphabet,
            "segment": self.recipe.corpus.segment,
            "train": content,
            "windows": section.key() if cut is not None else None,
        }
        # Only where there are files: the keys of all others stay as they were.
        if hasattr(backend, "fingerprint"):
            with blaming(who, "fingerprint"):
                files = backend.fingerprint()
            material |= {"files": files} if files else {}

        record: dict[str, Any] = {}

        def train(stage: Path, progress: Progress) -> None:
            device = self.runtime.resolve()
            record.update(device=device.name, threads=device.threads, build=host("same-build"))
            ranks = self.ranks if getattr(backend, "many_ranks", False) else World()
            if ranks.ranks > 1:
                record.update(ranks=ranks.ranks)
                number = [*self.recipe.levels, self.recipe.top].index(section)
                self.orders.give({"do": "train", "section": number, "inputs": inputs})
            with blaming(who, "train"), ranks.together():
                backend.train(self._task(section, inputs, stage, progress, cut, ranks))

        trained = self.work.run(f"{section.name}/model", material, train, record)

        def freeze(stage: Path, progress: Progress) -> None:
            with blaming(who, "freeze"):
                backend.freeze(self.work.folder / section.name / "model", stage, section.alphabet)

        key = {"model": section.model.key(), "trained": trained.content, "train": content}
        return self.work.run(f"{section.name}/frozen", key, freeze)

    def _task(
        self,
        section: LevelSection | TopSection,
        inputs: str,
        folder: Path,
        progress: Progress,
        cut: Cut | None,
        ranks: World,
    ) -> TrainingTask:
        return TrainingTask(
            alphabet=section.alphabet,
            segment=self.recipe.corpus.segment,
            train=self._store(inputs, "train").text(),
            valid=self._store(inputs, "valid").text(),
            seed=self.recipe.stack.seed,
            settings=section.train,
            folder=folder,
            device=self.runtime.resolve(),
            progress=progress,
            cut=cut,
            rank=ranks.rank,
            ranks=ranks.ranks,
            shard_from=self.runtime.shard_from,
        )

    def _cutter(self, section: LevelSection) -> Cut | None:
        """Where the level's encoder would restart the context, under a model that is still learning."""
        if section.model is None:
            return None
        folder = self.work.folder / section.name
        windowing = section.windowing.make()
        if windowing.restart != "window" or windowing.symbols is None:
            return None

        def cut(
            predictor: Predictor, symbols: Symbols, offsets: npt.NDArray[np.int64] | None = None
        ) -> npt.NDArray[np.int64]:
            level = open_level(section, folder, self.recipe.corpus.segment, self.runtime, compiled=False)
            level.predictor = predictor
            # Finding more texts than there are symbols to cut takes longer than cutting them.
            if (level.window.bits or 0) < len(symbols).bit_length() and compiles(level, self.runtime.memory):
                level.dictionary = compiled(level, predictor)
            if level.code_bits is None and level.windowing.cuts is None:
                return fixed_starts(
                    np.array([0, len(symbols)]) if offsets is None else offsets, level.segment, level.window.symbols
                )
            return level.encode(symbols, offsets).starts

        return cut

    def _encode(self, section: LevelSection, level: Level, inputs: str, split: str) -> None:
        source = self._store(inputs, split)
        parts: Parts = {}
        for stage in ("dictionary", "frozen", "coder"):
            done = self.work.done.get(f"{section.name}/{stage}")
            parts |= done.parts if done else {}
        material = {
            "level": section.key(),
            "segment": self.recipe.corpus.segment,
            "parts": sorted(part["sha256"] for part in parts.values()),
            "source": self._store(inputs, split).content,
        }

        def encode(stage: Path, progress: Progress) -> None:
            reason = self.not_compiled.pop(section.name, None)
            if reason is not None:
                progress.say(f"{section.name} is not compiled but coded in lanes: {reason}")
            run = self.runtime
            gpu = run.device == "cuda" and level.dictionary is None
            shards = engine(run.engine, run.threads, gpu, progress.say)
            encode_store(self.recipe, self.work.folder, level, source, stage, run, shards, progress)

        self.work.run(f"{section.name}/tokens/{split}", material, encode)


def stage_folders(recipe: Recipe) -> Iterator[str]:
    """Every folder, relative to the stack's, that a build of `recipe` may write or remove."""
    yield from (f"corpus/{split}" for split in SPLITS)
    for name in (*(level.name for level in recipe.levels), recipe.top.name):
        yield from (f"{name}/{kind}" for kind in ("coder", "counts", "model", "frozen", "dictionary"))
        yield from (f"{name}/tokens/{split}" for split in SPLITS)
    yield "report"


def fixed_starts(offsets: npt.NDArray[np.int64], segment: int, size: int) -> npt.NDArray[np.int64]:
    """Where windows of `size` symbols start in documents: int64[w]."""
    pieces = [np.arange(first, last, size) for first, last in segments(offsets, segment)]
    return np.concatenate([np.zeros(0, np.int64), *pieces])


__all__ = ["COMPILE_BITS", "StageProgress", "build", "compiled", "compiles"]
