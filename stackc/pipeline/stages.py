"""The stages of a build. Each consists of the data that decides its bytes, which is its key, and the work.

`stackc.pipeline.plan` lists them, a build runs them, and ``--dry-run`` prints them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Protocol

import attrs

from stackc.api.errors import CorpusError
from stackc.api.files import write_tensors
from stackc.api.models import Progress
from stackc.coding.host import host
from stackc.coding.routes import why_not_compiled
from stackc.coding.verify import prove
from stackc.parts.abilities import is_fitted_under_model
from stackc.parts.blame import blaming
from stackc.pipeline.compiling import compiled
from stackc.pipeline.context import Context
from stackc.pipeline.encoding import encode_store
from stackc.pipeline.engines.choose import engine
from stackc.pipeline.ranks.world import World
from stackc.pipeline.reading import write_split
from stackc.pipeline.workspace import clear
from stackc.recipe import LevelSection, TopSection
from stackc.recipe.sections import Chosen


class Stage(Protocol):
    """One unit of a build, done once."""

    @property
    def name(self) -> str:
        """Its folder, relative to the stack's, e.g. "M1/frozen"."""

    def run(self, build: Context) -> None:
        """Do the work, resume it, or reuse its result."""


@attrs.frozen(kw_only=True)
class Corpus:
    """One split of the corpus, as a store of bytes."""

    split: str

    @property
    def name(self) -> str:
        return f"corpus/{self.split}"

    def run(self, build: Context) -> None:
        def read(folder: Path, progress: Progress) -> None:
            write_split(build, self.split, folder, progress)

        material = {"reader": build.recipe.corpus.reader.key(), "content": build.fingerprints[self.split]}
        build.work.run(self.name, material, read)
        if self.split == "train" and not len(build.store("corpus", "train").symbols):
            raise CorpusError("the training text is empty, so nothing can be learned from it; check corpus.train")


@attrs.frozen(kw_only=True)
class _OfSection:
    """A stage of one level or of the top model.

    Attributes:
        section: of the recipe.
        inputs: the folder of the stores that the section reads.
        kind: the stage's folder inside the section's.
    """

    section: LevelSection | TopSection
    inputs: str
    kind: ClassVar[str]

    @property
    def name(self) -> str:
        return f"{self.section.name}/{self.kind}"


@attrs.frozen(kw_only=True)
class Tables(_OfSection):
    """A coder's own tables, fitted to the training text, with the frozen model's help if the coder asks for it."""

    section: LevelSection
    kind = "coder"

    def run(self, build: Context) -> None:
        section, store = self.section, build.store(self.inputs, "train")
        coder = section.coder.make()

        def fit(folder: Path, progress: Progress) -> None:
            with blaming(section.coder.who, "fit"):
                coder.fit(store.text(), section.alphabet, folder)

        def fit_under(folder: Path, progress: Progress) -> None:
            spec, text = build.unfitted(section), store.text()
            bounds = spec.cut_bounds(text.symbols, text.offsets)
            with blaming(section.coder.who, "fit_under"):
                coder.fit_under(spec.predictor, spec.window, text, bounds, spec.running_lanes, folder)

        material = {"coder": section.coder.key(), "alphabet": section.alphabet, "train": store.content}
        if not is_fitted_under_model(coder):
            build.work.run(self.name, material, fit)
            return
        material |= {
            "windowing": section.windowing.key(),
            "segment": build.recipe.corpus.segment,
            "frozen": build.work.done[f"{section.name}/frozen"].content,
            **build.cut_texts(section),
        }
        build.work.run(self.name, material, fit_under)


@attrs.frozen(kw_only=True)
class Counts(_OfSection):
    """Counts of each symbol in the training text: the unigram line of every table."""

    kind = "counts"

    def run(self, build: Context) -> None:
        store = build.store(self.inputs, "train")

        def count(folder: Path, progress: Progress) -> None:
            write_tensors(folder / "counts.safetensors", {"counts": store.counts()})

        build.work.run(self.name, {"train": store.content, "alphabet": self.section.alphabet}, count)


@attrs.frozen(kw_only=True)
class Training(_OfSection):
    """The float model. `number`: the section's place in the recipe, by which rank 0 names it to the other ranks."""

    number: int
    kind = "model"

    def run(self, build: Context) -> None:
        section, model = self.section, _model(self.section)
        backend = model.make(build.recipe.base)
        material = {
            "model": model.key(),
            "settings": section.key()["train"],
            "seed": build.recipe.stack.seed,
            "alphabet": section.alphabet,
            "segment": build.recipe.corpus.segment,
            "train": build.store(self.inputs, "train").content,
            "windows": self._windows() if build.cutter(section) is not None else None,
        }
        # Only if there are files: an empty entry would change the keys of all other models.
        if hasattr(backend, "fingerprint"):
            with blaming(model.who, "fingerprint"):
                files = backend.fingerprint()
            material |= {"files": files} if files else {}
        texts = build.texts(section)
        material |= {"texts": texts.sha256()} if texts is not None else {}
        material |= build.cut_texts(section)
        record: dict[str, Any] = {}

        def train(folder: Path, progress: Progress) -> None:
            device = build.runtime.resolve()
            record.update(device=device.name, threads=device.threads, build=host("same-build"))
            ranks = build.ranks if getattr(backend, "many_ranks", False) else World()
            if ranks.ranks > 1:
                record.update(ranks=ranks.ranks)
                build.orders.give({"do": "train", "section": self.number, "inputs": self.inputs})
            self.train(build, backend, folder, progress, ranks)

        build.work.run(self.name, material, train, record)

    def _windows(self) -> dict[str, Any]:
        """What decides where contexts restart in training: the coder too, unless it comes after the model."""
        key: dict[str, Any] = self.section.key()
        if isinstance(self.section, LevelSection) and is_fitted_under_model(self.section.coder.make()):
            return {"windowing": key["windowing"]}
        return key

    def train(self, build: Context, backend: Any, folder: Path, progress: Progress, ranks: World) -> None:
        """The training itself, which every rank runs."""
        with blaming(_model(self.section).who, "train"), ranks.together():
            backend.train(build.task(self.section, self.inputs, folder, progress, ranks))


@attrs.frozen(kw_only=True)
class Freezing(_OfSection):
    """The model as integers, which are used for coding."""

    kind = "frozen"

    def run(self, build: Context) -> None:
        section, model = self.section, _model(self.section)

        def freeze(folder: Path, progress: Progress) -> None:
            with blaming(model.who, "freeze"):
                backend = model.make(build.recipe.base)
                backend.freeze(build.folder(section) / "model", folder, section.alphabet)

        trained = build.work.done[f"{section.name}/model"].content
        train = build.store(self.inputs, "train").content
        build.work.run(self.name, {"model": model.key(), "trained": trained, "train": train}, freeze)


@attrs.frozen(kw_only=True)
class Compiling(_OfSection):
    """The level as a dictionary, if its model allows it."""

    section: LevelSection
    kind = "dictionary"

    def run(self, build: Context) -> None:
        section, level = self.section, build.open(self.section)
        reason = why_not_compiled(level.spec, level.spec.model)
        if reason is not None:
            return
        frozen = build.work.done.get(f"{section.name}/frozen")
        material = {
            "windowing": section.windowing.key(),
            "coder": section.coder.key(),
            "alphabet": section.alphabet,
            "frozen": frozen.content if frozen else build.store(self.inputs, "train").content,
            **build.cut_texts(section),
        }

        def write(folder: Path, progress: Progress) -> None:
            compiled(level.spec).save(folder / "dictionary.safetensors")

        build.work.run(self.name, material, write)


@attrs.frozen(kw_only=True)
class Tokens(_OfSection):
    """The level's tokens of one split: the symbols of the next level."""

    section: LevelSection
    split: str

    @property
    def name(self) -> str:
        return f"{self.section.name}/tokens/{self.split}"

    def run(self, build: Context) -> None:
        section, level = self.section, build.open(self.section)
        if level.dictionary is None:  # another recipe may have left a dictionary here
            clear(build.work.folder, build.folder(section) / "dictionary")
        source = build.store(self.inputs, self.split)
        found = (build.work.done.get(f"{section.name}/{stage}") for stage in ("dictionary", "frozen", "coder"))
        material = {
            "level": section.key(),
            "segment": build.recipe.corpus.segment,
            "parts": sorted(sha256 for done in found if done for sha256 in done.content.values()),
            "source": source.content,
            **build.cut_texts(section),
        }

        def encode(folder: Path, progress: Progress) -> None:
            if level.texts is None and section.name not in build.explained:
                reason = why_not_compiled(level.spec, level.spec.model)
                progress.say(f"{section.name} is not compiled and is coded in lanes: {reason}")
                build.explained.add(section.name)
            if self.split == "train":
                prove(level, source.symbols)
            run = build.runtime
            gpu = run.device == "cuda" and level.route.runs_model
            shards = engine(run.engine, run.threads, gpu, progress.say)
            encode_store(build, level, source, folder, shards, progress)

        build.work.run(self.name, material, encode)


def _model(section: LevelSection | TopSection) -> Chosen:
    assert section.model is not None, "the plan has model stages only for sections with a model"
    return section.model
