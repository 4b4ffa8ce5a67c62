"""The sections of a recipe, structured and checked, and their conversion to plain data and to hash keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import MissingPackageError, PartError
from stackc.api.fields import based, hashed, is_as_before
from stackc.api.models import Cost
from stackc.api.texts import SymbolTexts
from stackc.api.windowings import Windowing
from stackc.coding.over_texts import over_texts, undecided
from stackc.parts.blame import blame, blaming
from stackc.parts.part import Part
from stackc.parts.rules import made_problems
from stackc.recipe.tables import RunSection, StackSection


@attrs.frozen(kw_only=True)
class Chosen:
    """A part that the recipe names, with its configuration.

    Attributes:
        part: the registered part.
        config: an instance of ``part.config``, with file names as written in the recipe.
        where: the level's name, or "corpus".
    """

    part: Part
    config: Any
    where: str = attrs.field(eq=False)

    @property
    def name(self) -> str:
        return self.part.name

    @property
    def who(self) -> str:
        """The part in messages; see `stackc.parts.blame`."""
        return blame(self.where, self.part)

    def make(self, base: Path = Path()) -> Any:
        """Call the part's factory. File names in the configuration are relative to `base`, the recipe's folder.

        Raises:
            MissingPackageError: the part needs a package that cannot be imported.
            PartError: the factory fails, or returns an object that is not a part of its kind.
        """
        try:
            with blaming(self.who, "its factory"):
                made = self.part.factory(based(self.config, base))
        except MissingPackageError as error:
            raise MissingPackageError(f"{self.where}: {error}") from error
        except PartError as error:
            if not isinstance(error.__cause__, ImportError):
                raise
            text = " ".join(str(error.__cause__).split())
            raise MissingPackageError(
                f"{self.who} needs a package that cannot be imported: {text}; install it"
            ) from error
        problems = made_problems(self.part, self.config, made)
        if problems:
            raise PartError(f"{self.who}: {'; '.join(problems)}")
        return made

    def cost(self, alphabet: int, settings: Any, base: Path = Path()) -> Cost:
        """The cost of a model, from its configuration; `base`: see `make`. Raises `PartError` if it is not a `Cost`."""
        with blaming(self.who, "cost"):
            cost = based(self.config, base).cost(alphabet, settings)
        if not isinstance(cost, Cost):
            raise PartError(f"{self.who}: cost returned a {type(cost).__name__}, not a stackc.api.Cost")
        return cost

    def key(self) -> dict[str, Any]:
        """Everything in it that affects bits, as data that JSON can hold."""
        return {
            "name": self.name,
            "distribution": self.part.distribution,
            "bits_version": self.part.bits_version,
            "config": settings_key(self.config),
        }


@attrs.frozen(kw_only=True)
class CorpusSection:
    """``[corpus]``: the reader and the length of a segment."""

    reader: Chosen
    segment: int

    def key(self) -> dict[str, Any]:
        """Bit-affecting data. The content of the files is not included: it enters keys through `Reader.fingerprint`."""
        return {"reader": self.reader.key(), "segment": self.segment}


@attrs.frozen(kw_only=True)
class LevelSection:
    """One ``[[level]]``.

    Attributes:
        name: the level's name, and the name of its folder.
        alphabet: A, the alphabet of the symbols that it reads (256 at the first level).
        model: None if the coder needs no model.
        train: the structured ``[level.train]``; None if the model has no training settings.
        token_bits: bits per token; the token alphabet is 2^token_bits.
        vocabulary: the token alphabet instead, if the coder sets one; else None.
        reads_bytes: it is the first level.
    """

    name: str
    alphabet: int
    model: Chosen | None
    train: Any
    windowing: Chosen
    coder: Chosen
    token_bits: int
    vocabulary: int | None
    reads_bytes: bool = True

    def make_windowing(self, texts: SymbolTexts | None = None) -> Windowing:
        """The windowing, over the texts of the symbols that the level reads, if it has a table of cuts for bytes.

        Args:
            texts: of the symbols of a level above the first; None: they are unknown, and what is made cannot code.
        """
        made: Windowing = self.windowing.make()
        if self.reads_bytes or made.table is None:
            return made
        return undecided(made, self.alphabet) if texts is None else over_texts(made, texts)

    @property
    def token_alphabet(self) -> int:
        return 1 << self.token_bits if self.vocabulary is None else self.vocabulary

    def to_dict(self) -> dict[str, Any]:
        windowing = plain_part("kind", self.windowing)
        if self.model is None:
            windowing.pop("context", None)  # loading refuses it if it has no effect
        return {
            "name": self.name,
            **_model_tables(self.model, self.train),
            "windowing": windowing,
            "coder": plain_part("kind", self.coder),
            **({} if self.vocabulary is not None else {"tokens": {"bits": self.token_bits}}),
        }

    def key(self) -> dict[str, Any]:
        """Everything in the level that affects bits; its name does not."""
        return {
            "alphabet": self.alphabet,
            "model": None if self.model is None else self.model.key(),
            "train": settings_key(self.train),
            "windowing": self.windowing.key(),
            "coder": self.coder.key(),
            "token_bits": self.token_bits,
        }


@attrs.frozen(kw_only=True)
class TopSection:
    """``[top]``: the last model, over the last level's tokens. Attributes as in `LevelSection`."""

    name: str
    alphabet: int
    model: Chosen
    train: Any

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, **_model_tables(self.model, self.train)}

    def key(self) -> dict[str, Any]:
        return {"alphabet": self.alphabet, "model": self.model.key(), "train": settings_key(self.train)}


@attrs.frozen(kw_only=True)
class Recipe:
    """A whole recipe. Two recipes are equal if they build the same stack, wherever they were read from.

    Attributes:
        base: the folder that file names are relative to.
        source: the file that it was read from; None if it was made from data.
    """

    stack: StackSection
    corpus: CorpusSection
    levels: tuple[LevelSection, ...]
    top: TopSection
    run: RunSection
    base: Path = attrs.field(eq=False)
    source: Path | None = attrs.field(default=None, eq=False)

    @property
    def sections(self) -> list[LevelSection | TopSection]:
        """All levels, and the top."""
        return [*self.levels, self.top]

    def to_dict(self) -> dict[str, Any]:
        """Plain data with all defaults written out (but see `plain`); `recipe_from_dict` restores the recipe."""
        reader = plain_part("reader", self.corpus.reader)
        return {
            "stack": plain(self.stack),
            "corpus": {"reader": reader.pop("reader"), "segment": self.corpus.segment, **reader},
            "level": [level.to_dict() for level in self.levels],
            "top": self.top.to_dict(),
            "run": plain(self.run),
        }

    def chosen(self) -> list[Chosen]:
        """Every part that it names: the reader, then model, windowing and coder of each level, then the top model."""
        found: list[Chosen | None] = [self.corpus.reader]
        for level in self.levels:
            found += [level.model, level.windowing, level.coder]
        return [one for one in (*found, self.top.model) if one is not None]

    def key(self) -> dict[str, Any]:
        """Everything that affects bits, except the content of the corpus: data for canonical JSON."""
        return {
            "seed": self.stack.seed,
            "corpus": self.corpus.key(),
            "levels": [level.key() for level in self.levels],
            "top": self.top.key(),
        }


def settings_key(config: Any) -> dict[str, Any] | None:
    """The bit-affecting fields of a configuration (None for None), as data that JSON can hold."""
    return None if config is None else {name: _plain_value(value, True) for name, value in hashed(config).items()}


def plain(config: Any) -> dict[str, Any]:
    """Every field of a configuration, as data that TOML and JSON can hold.

    Omitted if it is None by default, or as before it existed: a stack's SHA-256 covers the tables of its manifest.
    """
    return {
        field.name: _plain_value(value, False)
        for field in attrs.fields(type(config))
        if ((value := getattr(config, field.name)) is not None or field.default is not None)
        and not is_as_before(field, value)
    }


def plain_part(selector: str, chosen: Chosen) -> dict[str, Any]:
    """The table of a part: ``kind = NAME`` (or ``backend``, ``reader``) and the fields."""
    return {selector: chosen.name, **plain(chosen.config)}


def _plain_value(value: Any, only_bits: bool) -> Any:
    if attrs.has(type(value)):
        return settings_key(value) if only_bits else plain(value)
    if isinstance(value, tuple | list):
        return [_plain_value(item, only_bits) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain_value(item, only_bits) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def _model_tables(model: Chosen | None, train: Any) -> dict[str, Any]:
    tables = {} if model is None else {"model": plain_part("backend", model)}
    return tables if train is None else {**tables, "train": plain(train)}
