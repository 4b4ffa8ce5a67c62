"""The state that the stages of one build share: the recipe, the folder, the ranks, and the open levels.

A build opens each level here, once for all stages, and again only after its dictionary was written.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import attrs
import numpy as np

from stackc.api.arrays import Int64, Symbols
from stackc.api.errors import StackcError
from stackc.api.models import Cut, Predictor, Progress, TrainingTask
from stackc.api.texts import SymbolTexts
from stackc.coding.documents import every_nth, window_starts
from stackc.coding.level import Level
from stackc.coding.routes import why_not_compiled
from stackc.coding.spec import LevelSpec
from stackc.coding.texts import symbol_texts, why_no_texts
from stackc.parts.abilities import is_fitted_under_model
from stackc.parts.checked import GuardedReader
from stackc.pipeline.compiling import compiled
from stackc.pipeline.fingerprints import Remembered
from stackc.pipeline.ranks.orders import Orders
from stackc.pipeline.ranks.world import World
from stackc.pipeline.workspace import Workspace
from stackc.recipe import LevelSection, Recipe, TopSection
from stackc.recipe.texts import REMEDY, asks_for_texts
from stackc.stack.opening import open_level, unfitted_spec
from stackc.stack.runtime import Runtime
from stackc.stack.store import Store


@attrs.define(kw_only=True, slots=False)
class Context:
    """The state of one build.

    Attributes:
        recipe: the recipe.
        work: the stack's folder, and the finished stages.
        runtime: speed-only settings.
        ranks: the processes that build together.
        orders: orders of rank 0 to the other ranks.
        remembered: fingerprints of earlier builds.
        fingerprints: of the splits of the corpus, which enter the keys of its stages.
        read: folders with the stores of splits that were read for their fingerprints.
        levels: the open levels, by name; compiled as soon as their dictionary exists.
        explained: levels for which the reason that they are not compiled was shown.
        known_texts: of the symbols that a section reads, by its name.
    """

    recipe: Recipe
    work: Workspace
    runtime: Runtime
    ranks: World
    orders: Orders
    remembered: Remembered = attrs.Factory(lambda: Remembered(None))
    fingerprints: dict[str, str] = attrs.Factory(dict)
    read: dict[str, Path] = attrs.Factory(dict)
    levels: dict[str, Level] = attrs.Factory(dict)
    explained: set[str] = attrs.Factory(set)
    known_texts: dict[str, SymbolTexts] = attrs.Factory(dict)

    @cached_property
    def reader(self) -> GuardedReader:
        """The corpus reader: one for fingerprints and documents, since it notices if files change in between."""
        return GuardedReader(self.recipe.corpus.reader.make(self.recipe.base), self.recipe.corpus.reader.who)

    def folder(self, section: LevelSection | TopSection) -> Path:
        return self.work.folder / section.name

    def store(self, inputs: str, split: str) -> Store:
        return Store(self.work.folder / inputs / split)

    def open(self, section: LevelSection) -> Level:
        """The level, compiled if its dictionary stage is finished."""
        compiled = f"{section.name}/dictionary" in self.work.done
        if self.ranks.rank:  # rank 0 alone runs stages, and has finished those of the levels that others open
            compiled = (self.folder(section) / "dictionary").is_dir()
        found = self.levels.get(section.name)
        if found is None or (found.dictionary is not None) != compiled:
            segment = self.recipe.corpus.segment
            found = open_level(
                section, self.folder(section), segment, self.runtime, compiled=compiled, below=self.below(section)
            )
            self.levels[section.name] = found
        return found

    def unfitted(self, section: LevelSection) -> LevelSpec:
        """The spec of a level whose coder has no tables yet."""
        segment = self.recipe.corpus.segment
        return unfitted_spec(section, self.folder(section), segment, self.runtime, self.below(section))

    def below(self, section: LevelSection | TopSection) -> Callable[[], list[Level]]:
        """Opens the levels below a section, the lowest first."""
        sections = [*self.recipe.levels, section]
        return lambda: [self.open(level) for level in self.recipe.levels[: sections.index(section)]]

    def task(
        self, section: LevelSection | TopSection, inputs: str, folder: Path, progress: Progress, ranks: World
    ) -> TrainingTask:
        """The training task that the backend of a section receives."""
        return TrainingTask(
            alphabet=section.alphabet,
            segment=self.recipe.corpus.segment,
            train=self.store(inputs, "train").text(),
            valid=self.store(inputs, "valid").text(),
            seed=self.recipe.stack.seed,
            settings=section.train,
            folder=folder,
            device=self.runtime.resolve(),
            progress=progress,
            cut=self.cutter(section),
            rank=ranks.rank,
            ranks=ranks.ranks,
            shard_from=self.runtime.shard_from,
            texts=self.texts(section),
        )

    def texts(self, section: LevelSection | TopSection) -> SymbolTexts | None:
        """The texts of the symbols that a section reads, if its training asks for them; else None.

        Raises:
            StackcError: it asks, and a level below has none after all: its model does not let it be compiled.
        """
        field = asks_for_texts(section.train)
        if not field:
            return None
        if section.name not in self.known_texts:
            levels = self.below(section)()
            found = symbol_texts(levels)
            if found is None:
                lacks = next(level for level in levels if symbol_texts([level]) is None)
                spec = lacks.spec
                reason = why_no_texts([spec]) or f"{lacks.name} is not compiled: {why_not_compiled(spec, spec.model)}"
                raise StackcError(
                    f"{section.name}: train.{field}: the symbols that it reads have no texts: {reason}; {REMEDY}"
                )
            self.known_texts[section.name] = found
        return self.known_texts[section.name]

    def cut_texts(self, section: LevelSection | TopSection) -> dict[str, str]:
        """What a level's stages depend on besides its tables and inputs: the texts that its windowing cuts."""
        if isinstance(section, TopSection) or section.reads_bytes or section.windowing.make().table is None:
            return {}
        texts = symbol_texts(self.below(section)())
        return {} if texts is None else {"cut_texts": texts.sha256()}

    def cutter(self, section: LevelSection | TopSection) -> Cut | None:
        """Finds where the level's encoder would restart the context, under a model that is still being trained."""
        if isinstance(section, TopSection) or section.model is None:
            return None
        windowing = section.windowing.make()
        if windowing.restart != "window" or windowing.symbols is None:
            return None

        folder, segment, below = self.folder(section), self.recipe.corpus.segment, self.below(section)
        # Of the last predictor, whose level cuts a text shard by shard: compiling it takes seconds.
        known: list[tuple[Predictor, Level]] = []

        def cut(predictor: Predictor, symbols: Symbols, offsets: Int64 | None = None) -> Int64:
            bounds = np.array([0, len(symbols)]) if offsets is None else offsets
            if is_fitted_under_model(section.coder.make()):  # its tables come after the model
                spec = self.unfitted(section)
                return every_nth(spec.cut_bounds(symbols, bounds)[:-1], bounds, spec.segment, windowing.context_windows)
            if not (known and known[0][0] is predictor):
                opened = open_level(section, folder, segment, self.runtime, compiled=False, below=below)
                spec = opened.spec.changed(load_predictor=lambda: predictor)
                known[:] = [(predictor, _in_training(spec, len(symbols)))]
            spec = known[0][1].spec
            if spec.code_bits is None and windowing.cuts is None and windowing.table is None:
                starts = window_starts(bounds, spec.segment, spec.window.symbols, None)
                return every_nth(starts, bounds, spec.segment, windowing.context_windows)
            coded = known[0][1].encode(symbols, offsets)
            return every_nth(coded.starts, bounds, spec.segment, windowing.context_windows)

        return cut


def _in_training(spec: LevelSpec, count: int) -> Level:
    """The level that cuts `count` symbols once: compiled if that is faster than stepping through them.

    A dictionary coder has no other route. For other coders, compiling more texts than there are symbols takes longer
    than cutting the symbols.
    """
    pays = spec.vocabulary is not None or (spec.windowing.bits or 0) < count.bit_length()
    if pays and why_not_compiled(spec, spec.model) is None:
        return Level(spec, compiled(spec))
    return Level(spec)
