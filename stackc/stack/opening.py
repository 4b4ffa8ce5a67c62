"""Opens levels and models from the folders of a stack."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from stackc.api.coders import AnyCoder
from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_tensors
from stackc.api.models import Predictor
from stackc.api.texts import SymbolTexts
from stackc.coding.host import host
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.texts import symbol_texts
from stackc.parts.abilities import codes_bitwise, has_tables
from stackc.parts.bitwise import BitwiseRows, GuardedBitwise
from stackc.parts.blame import blaming
from stackc.parts.checked import GuardedPredictor
from stackc.recipe import LevelSection, Recipe, TopSection
from stackc.stack.evaluate import Measured
from stackc.stack.runtime import Runtime

LANE_COUNTS = 1 << 25
"""The most frequencies of all lanes together: a row has one per symbol of the alphabet."""


def lanes_for(alphabet: int, runtime: Runtime) -> int:
    """The number of lanes whose rows of frequencies fit in memory."""
    return max(1, min(runtime.lanes, LANE_COUNTS // alphabet))


def open_level(
    section: LevelSection,
    folder: Path,
    segment: int,
    runtime: Runtime,
    *,
    compiled: bool,
    written_on: str = "",
    checking: Callable[[], AbstractContextManager[None]] = contextlib.nullcontext,
    again: Callable[[], Level] | None = None,
    kept: object = None,
    below: Callable[[], Sequence[Level]] = tuple,
) -> Level:
    """A level from its section of the recipe and its parts in `folder`.

    Args:
        compiled: whether it has a dictionary.
        written_on: the machine that wrote its tokens, if its model is not portable.
        checking: stands around loading the model, see `checking_parts`; a compiled level loads it only for measuring.
        again: see `Level`.
        kept: see `open_predictor`.
        below: the levels below, the lowest first; asked for if the windowing cuts the texts of symbols.

    Raises:
        StackcError: the windowing cuts texts, and the symbols of the levels below have none.
    """
    coder = section.coder.make()
    if has_tables(coder):
        with blaming(section.coder.who, "load"):
            coder.load(folder / "coder")
    dictionary = None
    if compiled:
        from stackc.coding.dictionary.dictionary import Dictionary  # and numba with it

        dictionary = Dictionary.load(folder / "dictionary" / "dictionary.safetensors", section.alphabet)
        if (bits := section.windowing.make().bits) is not None and len(dictionary) > 1 << bits:
            raise ArtifactError(f"{folder}: a dictionary of {len(dictionary)} texts does not fit codes of {bits} bits")

    def load_predictor() -> Predictor:
        with checking():
            predictor = open_predictor(section, folder, runtime, kept)
        here = host(predictor.portability)
        if written_on and here != written_on:
            raise ArtifactError(
                f"{section.name}: its model's predictions are {predictor.portability}; the stack was built on "
                f"{written_on}, this is {here}: decode there"
            )
        return predictor

    spec = level_spec(section, segment, runtime, coder, load_predictor, _texts_to_cut(section, below))
    return Level(spec, dictionary, again)


def unfitted_spec(
    section: LevelSection, folder: Path, segment: int, runtime: Runtime, below: Callable[[], Sequence[Level]]
) -> LevelSpec:
    """The spec of a level in `folder` whose coder has no tables yet: to fit these. Arguments as for `open_level`."""
    load, texts = functools.partial(open_predictor, section, folder, runtime), _texts_to_cut(section, below)
    return level_spec(section, segment, runtime, section.coder.make(), load, texts)


def _texts_to_cut(section: LevelSection, below: Callable[[], Sequence[Level]]) -> SymbolTexts | None:
    """The texts of a level's symbols if its windowing cuts them; None if it reads bytes or cuts no texts."""
    if section.reads_bytes or section.windowing.make().table is None:
        return None
    texts = symbol_texts(below())
    if texts is None:
        raise StackcError(
            f"{section.name}: windowing '{section.windowing.name}' cuts the texts of symbols, and the symbols that "
            "it reads have none; use 'equal-info' there"
        )
    return texts


def level_spec(
    section: LevelSection,
    segment: int,
    runtime: Runtime,
    coder: AnyCoder,
    load_predictor: Callable[[], Predictor] | None = None,
    texts: SymbolTexts | None = None,
) -> LevelSpec:
    """The spec that a section of the recipe describes, whether or not its parts exist yet.

    `texts`: see `LevelSection.make_windowing`.
    """
    return LevelSpec(
        name=section.name,
        alphabet=section.alphabet,
        segment=segment,
        windowing=section.make_windowing(texts),
        coder=coder,
        flags=section.coder.config,
        token_bits=section.token_bits,
        vocabulary=section.vocabulary,
        load_predictor=load_predictor if section.model is not None else None,
        lanes=lanes_for(section.alphabet, runtime),
        threads=runtime.threads,
        memory=runtime.memory * 1_000_000,
        reads_bytes=section.reads_bytes,
        coder_name=section.coder.who,
        windowing_name=section.windowing.who,
    )


def open_predictor(
    section: LevelSection | TopSection, folder: Path, runtime: Runtime, kept: object = None
) -> GuardedPredictor:
    """The frozen model of a section. `kept` lasts as long as the model, which may read its files later."""
    if section.model is None:
        raise ArtifactError(f"{section.name}: this level has no model")
    backend, who = section.model.make(), section.model.who
    with blaming(who, "load"):
        loaded = backend.load(folder / "frozen", section.alphabet, runtime.device_of(section.model.config))
    if codes_bitwise(loaded):
        bitwise = GuardedBitwise(loaded, section.alphabet, who)
        if bitwise.state_bytes <= runtime.memory * 1_000_000:
            bitwise.prepare()  # here, where its files are hashed in threads: reading them takes as long
        loaded = BitwiseRows(bitwise)
    guarded = GuardedPredictor(loaded, section.alphabet, who)
    guarded.kept = kept
    return guarded


def measured(recipe: Recipe, folder: Path, levels: list[Level], top: Callable[[], Predictor]) -> list[Measured]:
    """All models of a stack, as input of `evaluate`."""
    loads: list[Callable[[], Predictor]] = [
        *(functools.partial(getattr, level.spec, "predictor") for level in levels),
        top,
    ]
    return [
        Measured(
            name=section.name,
            alphabet=section.alphabet,
            segment=recipe.corpus.segment,
            counts=read_tensors(folder / section.name / "counts" / "counts.safetensors")["counts"],
            cost=section.model.cost(section.alphabet, section.train) if section.model else None,
            load=load if section.model else None,
            level=level,
        )
        for section, level, load in zip(recipe.sections, (*levels, None), loads, strict=True)
    ]
