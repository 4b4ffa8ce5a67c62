"""A stack: levels, top model and the recipe they came from, as one folder (docs/concepts.md, "A stack on disk").

manifest.json                 format, recipe, plugins, SHA-256 of every part; written last, holds no times
corpus/<split>/               the text as a symbol store
<level>/counts/               symbol counts of the training text that the level reads
<level>/model/  frozen/       float weights; the integers that code
<level>/coder/  dictionary/   a coder's own tables; the level compiled
<level>/tokens/<split>/       what the level made of the text: the next level's symbols
<top>/counts/ model/ frozen/
report/report.json            the figures of the held-out text
logs/                         metrics.jsonl, TensorBoard events; no part of the stack
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stackc.errors import ArtifactError, PluginError, StackcError
from stackc.evaluate import Evaluation, Measured, evaluate
from stackc.files import read_tensors
from stackc.generate import generate
from stackc.host import Runtime, host
from stackc.level import Level
from stackc.parts import Predictor
from stackc.recipe import LevelSection, Recipe, TopSection, recipe_from_dict
from stackc.registry import registry
from stackc.streaming import decode_stream, encode_stream

FORMAT = 1
MANIFEST = "manifest.json"
MANIFEST_KEYS = {
    "recipe": dict,
    "levels": list,
    "plugins": dict,
    "parts": dict,
    "trained": dict,
    "name": str,
    "stackc": str,
}


class Stack:
    """A finished stack, opened for coding. Models are loaded when they are first needed.

    Args:
        folder: the stack's folder.
        runtime: device, threads, lanes and memory; None: as the recipe's ``[run]`` says.

    Raises:
        ArtifactError: no stack there, one that is damaged, or one of a newer format.
        RecipeError, PluginError: a part that is not installed.
    """

    def __init__(self, folder: Path | str, runtime: Runtime | None = None) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        _check_plugins(self.folder, self.manifest)
        self.recipe: Recipe = recipe_from_dict(self.manifest["recipe"], self.folder)
        run = self.recipe.run
        self.runtime = runtime or Runtime(device=run.device, threads=run.threads, lanes=run.lanes, memory=run.memory)

    @property
    def name(self) -> str:
        return self.recipe.stack.name

    @cached_property
    def levels(self) -> list[Level]:
        """The levels, lowest first."""
        return [
            open_level(
                section,
                self.folder / section.name,
                self.recipe.corpus.segment,
                self.runtime,
                compiled=made["compiled"],
                written_on=made["host"],
            )
            for section, made in zip(self.recipe.levels, self.manifest["levels"], strict=True)
        ]

    @cached_property
    def top(self) -> Predictor:
        """The frozen top model."""
        return open_predictor(self.recipe.top, self.folder / self.recipe.top.name, self.runtime)

    def level_index(self, name: str | None) -> int:
        """How many levels to go through so that `name` is the last; None: all of them."""
        names = [section.name for section in self.recipe.levels]
        if name is None:
            return len(names)
        if name not in names:
            raise StackcError(f"{self.folder}: no level {name!r}; its levels are {', '.join(names)}")
        return names.index(name) + 1

    def token_alphabet(self, level: str | None = None) -> int:
        """The alphabet of a level's tokens; None: of the last level's, or of bytes where there is no level."""
        chosen = self.levels[: self.level_index(level)]
        return chosen[-1].token_alphabet if chosen else 256

    def encode(self, data: bytes, level: str | None = None) -> npt.NDArray[np.unsignedinteger[Any]]:
        """The tokens of some bytes, taken as one document.

        Args:
            data: any bytes.
            level: the level whose tokens are wanted; None: the last.
        """
        symbols: npt.NDArray[Any] = np.frombuffer(data, np.uint8)
        for one in self.levels[: self.level_index(level)]:
            symbols = one.encode(symbols).tokens
        return symbols

    def encode_stream(self, pieces: Iterable[bytes], level: str | None = None) -> Iterator[npt.NDArray[Any]]:
        """The tokens of one document that comes in pieces, in flat memory: those that `encode` gives all of it."""
        return encode_stream(self.levels[: self.level_index(level)], pieces)

    def decode_stream(
        self, pieces: Iterable[npt.NDArray[np.integer]], level: str | None = None, ignored: list[int] | None = None
    ) -> Iterator[bytes]:
        """The bytes of tokens that come in pieces; memory is flat where every level's windows decode alone.

        Args:
            ignored: at the end, counts of the tokens that `decode_counting` speaks of are added.
        """
        levels = self.levels[: self.level_index(level)]
        return decode_stream(levels, pieces, [] if ignored is None else ignored)

    def decode(self, tokens: npt.NDArray[np.integer], level: str | None = None) -> bytes:
        """The bytes of some tokens of a level. `decode(encode(data)) == data`.

        Raises:
            CodingError: a token out of range, or tokens that are no text (coders that are not total).
        """
        return self.decode_counting(tokens, level)[0]

    def decode_counting(self, tokens: npt.NDArray[np.integer], level: str | None = None) -> tuple[bytes, int]:
        """As `decode`, and how many tokens of incomplete last codes were ignored, at all levels."""
        symbols: npt.NDArray[Any] = np.asarray(tokens)
        ignored = 0
        for one in reversed(self.levels[: self.level_index(level)]):
            back = one.decode(symbols)
            symbols, ignored = back.symbols, ignored + back.ignored
        return symbols.astype(np.uint8, copy=False).tobytes(), ignored

    def generate(self, prompt: bytes, *, tokens: int = 64, temperature: float = 1.0, seed: int = 0) -> bytes:
        """Text that starts with `prompt` and goes on as the top model sees fit (`stackc.generate`)."""
        return generate(
            self.levels, self.top, self.recipe.corpus.segment, prompt, tokens=tokens, temperature=temperature, seed=seed
        )

    def evaluate(self, documents: list[bytes], report: Callable[[str], None] = lambda stage: None) -> Evaluation:
        """The figures of every level on held-out documents, round trip verified."""
        return evaluate(self._measured(), documents, report)

    def _measured(self) -> list[Measured]:
        return measured(self.recipe, self.folder, self.levels, lambda: self.top)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the stack in `folder`, its format checked."""
    path = folder / MANIFEST
    if not path.is_file():
        begun = (folder / "corpus").is_dir()
        hint = "its build has not finished; run it again" if begun else "build one with `stackc build`"
        raise ArtifactError(f"{folder}: not a stack (no {MANIFEST}); {hint}")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text())
        version = manifest["format"]
        complete = all(isinstance(manifest[key], kind) for key, kind in MANIFEST_KEYS.items())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path}: not a readable manifest ({error}); build the stack again") from error
    if not isinstance(version, int) or version > FORMAT:
        raise ArtifactError(
            f"{path}: a stack of format {version}; this stackc reads up to {FORMAT}: pip install --upgrade stackc"
        )
    if not complete:
        raise ArtifactError(f"{path}: not a readable manifest (a key of the wrong type); build the stack again")
    for name, part in manifest["parts"].items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != part["bytes"]:
            raise ArtifactError(f"{folder / name}: a part of the stack is missing or cut short; build the stack again")
    return manifest


def _check_plugins(folder: Path, manifest: dict[str, Any]) -> None:
    """Raise `PluginError` unless every part that the stack was built with is installed, with the same bits."""
    for chosen, made_by in manifest["plugins"].items():
        kind, name = chosen.split(" ", 1)
        wanted = f"{made_by['distribution']}=={made_by['version']}"
        part = registry().find(kind, name)
        if part is None:
            raise PluginError(f"{folder}: {registry().missing(kind, name, wanted)}")
        if part.bits_version != made_by["bits_version"]:
            raise PluginError(
                f"{folder}: built with version {made_by['bits_version']} of the bits of the {kind} {name!r}; installed "
                f"is version {part.bits_version}, which reads others: pip install {wanted}, or build the stack again"
            )


def open_level(
    section: LevelSection, folder: Path, segment: int, runtime: Runtime, *, compiled: bool, written_on: str = ""
) -> Level:
    """A level from its section of the recipe and its parts in `folder`."""
    coder = section.coder.make()
    if hasattr(coder, "load"):
        coder.load(folder / "coder")
    dictionary = None
    if compiled:
        from stackc.dictionary import Dictionary

        dictionary = Dictionary.load(folder / "dictionary" / "dictionary.safetensors", section.alphabet)

    def load_predictor() -> Predictor:
        predictor = open_predictor(section, folder, runtime)
        here = host(predictor.portability)
        if written_on and here != written_on:
            raise ArtifactError(
                f"{section.name}: its model's answers are {predictor.portability}; the stack was built on "
                f"{written_on}, this is {here}: decode there"
            )
        return predictor

    return Level(
        name=section.name,
        alphabet=section.alphabet,
        segment=segment,
        windowing=section.windowing.make(),
        coder=coder,
        token_bits=section.token_bits,
        vocabulary=section.vocabulary,
        load_predictor=load_predictor if section.model is not None else None,
        dictionary=dictionary,
        lanes=runtime.lanes,
        threads=runtime.threads,
    )


def open_predictor(section: LevelSection | TopSection, folder: Path, runtime: Runtime) -> Predictor:
    """The frozen model of a section."""
    if section.model is None:
        raise ArtifactError(f"{section.name}: this level has no model")
    predictor: Predictor = section.model.make().load(folder / "frozen", section.alphabet, runtime.resolve())
    return predictor


def measured(recipe: Recipe, folder: Path, levels: list[Level], top: Callable[[], Predictor]) -> list[Measured]:
    """All models of a stack, as `evaluate` wants them."""
    rows = []
    sections: list[LevelSection | TopSection] = [*recipe.levels, recipe.top]
    for section, level in zip(sections, (*levels, None), strict=True):
        load = top if level is None else _lazily(level)
        rows.append(
            Measured(
                name=section.name,
                alphabet=section.alphabet,
                segment=recipe.corpus.segment,
                counts=read_tensors(folder / section.name / "counts" / "counts.safetensors")["counts"],
                cost=section.model.config.cost(section.alphabet, section.train) if section.model else None,
                load=load if section.model else None,
                level=level,
            )
        )
    return rows


def _lazily(level: Level) -> Callable[[], Predictor]:
    return lambda: level.predictor
