"""Turns a recipe's data into its sections, table by table, and passes the alphabets from level to level.

After a problem the rest is still checked, as far as it is known, so that all problems are reported at once: a user who
mistyped one name should not find the next mistake only in the next attempt.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stackc.api.messages import megabytes
from stackc.parts.blame import blaming
from stackc.parts.part import Part
from stackc.parts.registry import Registry
from stackc.recipe import checks
from stackc.recipe.sections import Chosen, CorpusSection, LevelSection, Recipe, TopSection
from stackc.recipe.structure import Problems, join, table
from stackc.recipe.tables import NameTable, RunSection, SegmentTable, StackSection, TokensTable
from stackc.recipe.texts import Below, asks_for_texts, spec_of, texts_problem, windowing_problem
from stackc.recipe.wording import show, unknown_key

BYTES = 256
"""The alphabet of the first level."""

SECTIONS = ("stack", "corpus", "level", "top", "run")
LEVEL_KEYS = ("name", "model", "train", "windowing", "coder", "tokens")
TOP_KEYS = ("name", "model", "train")

Table = Mapping[str, Any]

Tokens = tuple[int, int]
"""(token alphabet, bits per token) of a level."""


def assemble(data: Table, base: Path, registry: Registry, problems: Problems) -> Recipe | None:
    """The recipe, or None if something is missing; every problem is added to `problems`."""
    return _Assembler(registry, problems).recipe(data, base)


class _Assembler:
    """Structures one recipe; after a problem the rest is still checked."""

    def __init__(self, registry: Registry, problems: Problems) -> None:
        self.registry = registry
        self.problems = problems
        self.names: dict[str, str] = {}
        self.where = "corpus"  # the name of the level that is being checked
        self.segment: int | None = None
        self.below: list[Below] = []  # the levels checked so far

    def recipe(self, data: Table, base: Path) -> Recipe | None:
        self.known_keys(data, SECTIONS, "")
        stack = table(StackSection, self.section(data, "stack"), "stack", self.problems)
        corpus = self.corpus(self.section(data, "corpus"))
        levels, alphabet = self.levels(data.get("level", []))
        top = self.top(data, f"M{len(levels) + 1}", alphabet)
        run = table(RunSection, self.section(data, "run"), "run", self.problems)
        whole = tuple(level for level in levels if level is not None)
        if not (stack and corpus and top and run) or len(whole) < len(levels) or self.problems.lines:
            return None
        sections: list[LevelSection | TopSection] = [*whole, top]
        for section in sections:
            copy = 0 if section.model is None else section.model.cost(section.alphabet, section.train, base).copy_memory
            if copy > run.memory * 1_000_000:
                text = f"{run.memory:,} MB, and a working copy of {section.name}'s model takes {megabytes(copy)}"
                self.problems.add("run.memory", f"{text}; raise it, or give the model smaller tables")
        return Recipe(stack=stack, corpus=corpus, levels=whole, top=top, run=run, base=base)

    def corpus(self, data: Table) -> CorpusSection | None:
        own = {key: data[key] for key in ("segment",) if key in data}
        reader = self.choose("reader", "reader", data, "corpus", own=("segment",))
        if reader:
            checks.own_problems(reader, "corpus", BYTES, None, self.problems)
        lengths = table(SegmentTable, own, "corpus", self.problems)
        self.segment = lengths.segment if reader and lengths else None
        return CorpusSection(reader=reader, segment=self.segment) if reader and self.segment else None

    def levels(self, data: Any) -> tuple[list[LevelSection | None], int | None]:
        """The levels, and the token alphabet of the last (None if unknown)."""
        if not isinstance(data, list):
            self.problems.add("level", f"expected [[level]] tables, found {show(data)}")
            return [], None
        levels: list[LevelSection | None] = []
        alphabet: int | None = BYTES
        for at, entry in enumerate(data, 1):
            path = f"level.{at}"
            if not isinstance(entry, Mapping):
                self.problems.add(path, f"expected a table, found {show(entry)}")
                levels.append(None)
                self.below.append(lambda: None)
                alphabet = None
                continue
            self.where = str(entry.get("name", f"M{at}"))
            coder = self.choose("coder", "kind", self.section(entry, "coder", path), join(path, "coder"))
            tokens = self.tokens(entry, path, coder)
            made = self.level(entry, path, f"M{at}", alphabet, coder, tokens)
            segment = self.segment
            self.below.append(functools.partial(spec_of, made, segment) if made and segment else lambda: None)
            levels.append(made)
            alphabet = tokens[0] if tokens else None
        return levels, alphabet

    def level(
        self, data: Table, path: str, default: str, alphabet: int | None, coder: Chosen | None, tokens: Tokens | None
    ) -> LevelSection | None:
        self.known_keys(data, LEVEL_KEYS, path)
        name = self.name(data, path, default)
        token_bits = tokens[1] if tokens else None
        has_model = bool(data.get("model"))
        if coder:
            has_model = checks.check_model_needed(coder.part, path, data, self.problems)
        model, train = self.model(data, path, alphabet) if has_model else (None, None)
        windowing = self.windowing(data, path, alphabet, token_bits, coder)
        if coder and alphabet is not None:
            checks.own_problems(coder, join(path, "coder"), alphabet, None, self.problems)
        if not (coder and windowing and token_bits and alphabet) or has_model != (model is not None):
            return None
        return LevelSection(
            name=name,
            alphabet=alphabet,
            model=model,
            train=train,
            windowing=windowing,
            coder=coder,
            token_bits=token_bits,
            vocabulary=checks.vocabulary(coder),
            reads_bytes=not self.below,
        )

    def windowing(
        self, data: Table, path: str, alphabet: int | None, token_bits: int | None, coder: Chosen | None
    ) -> Chosen | None:
        """The windowing, checked against the coder and the sizes next to it, as far as these are known."""
        here = join(path, "windowing")
        chosen = self.choose("windowing", "kind", self.section(data, "windowing", path), here)
        made = checks.make_windowing(chosen, here, self.problems) if chosen else None
        if chosen is None or made is None:
            return None
        pair = checks.check_pair(coder, made, chosen.name, self.registry) if coder else None
        if pair:
            self.problems.add(path, pair)
        if checks.vocabulary(coder) is not None:
            token_bits = None  # a window is one token, however many bits it has
        segment = self.segment or 1
        sizes = (alphabet or 1, token_bits or 1, segment, checks.longest_window(coder, segment))
        for below, text in checks.check_windows(made, chosen.name, *sizes):
            self.problems.add(join(path, below), text)
        if alphabet is not None:
            checks.own_problems(chosen, here, alphabet, None, self.problems)
        if made.table is not None and self.below:
            problem = windowing_problem(chosen.name, self.where, self.below)
            if problem:
                self.problems.add(join(here, "kind"), problem)
        return chosen

    def top(self, data: Table, default_name: str, alphabet: int | None) -> TopSection | None:
        tables = self.section(data, "top")
        if not isinstance(data.get("top", {}), Mapping):
            return None
        self.known_keys(tables, TOP_KEYS, "top")
        self.where = name = self.name(tables, "top", default_name)
        if not tables.get("model"):
            self.problems.add("top.model", "missing; a stack needs a model that reads the last tokens")
            return None
        model, train = self.model(tables, "top", alphabet)
        return TopSection(name=name, alphabet=alphabet, model=model, train=train) if model and alphabet else None

    def model(self, data: Table, path: str, alphabet: int | None) -> tuple[Chosen | None, Any]:
        """The model of a level or of the top, and its training settings."""
        here, tables = join(path, "model"), self.section(data, "model", path)
        part = self.find("model", "backend", tables, here)
        if part is None:
            return None, None
        model = self.configure(part, tables, here, ("backend",))
        train, settings_class = self.section(data, "train", path), getattr(part.config, "train", None)
        settings = table(settings_class, train, join(path, "train"), self.problems) if settings_class else None
        if train and settings_class is None:
            text = f"backend '{part.name}' has no training settings; remove the table"
            self.problems.add(join(path, "train"), text)
        if model is None or (settings_class is not None and settings is None):
            return None, None
        if alphabet is not None:
            checks.own_problems(model, here, alphabet, settings, self.problems)
        with blaming(model.who, "needs_texts"):
            field = asks_for_texts(settings)
        problem = texts_problem(self.where, self.below) if field else None
        if problem:
            self.problems.add(join(path, f"train.{field}"), problem)
        return model, settings

    def choose(self, kind: str, selector: str, data: Table, path: str, own: tuple[str, ...] = ()) -> Chosen | None:
        """The part that a table names, with its configuration; `own`: keys of the table that belong to the recipe."""
        part = self.find(kind, selector, data, path)
        return None if part is None else self.configure(part, data, path, (selector, *own))

    def find(self, kind: str, selector: str, data: Table, path: str) -> Part | None:
        """The part that ``data[selector]`` names; otherwise the nearest part or None, and a problem is reported."""
        name = data.get(selector)
        part = self.registry.find(kind, name) if isinstance(name, str) else None
        if part is None:
            what = "missing" if name is None else f"expected text, found {show(name)}"
            names = ", ".join(part.name for part in self.registry.parts(kind)) or "none"
            text = self.registry.missing(kind, name) if isinstance(name, str) else f"{what}; installed: {names}"
            self.problems.add(join(path, selector), text)
            # The rest of the table is checked as if it named the nearest part.
            near = difflib.get_close_matches(name, names.split(", "), n=1) if isinstance(name, str) else []
            part = self.registry.find(kind, near[0]) if near else None
        return part

    def configure(self, part: Part, data: Table, path: str, own: tuple[str, ...]) -> Chosen | None:
        """The part with its configuration, read from the keys of `data` that are not in `own`."""
        fields = {key: value for key, value in data.items() if key not in own}
        config = table(part.config, fields, path, self.problems, also=own)
        if config is None:  # its valid fields are still checked against the other tables
            right = {key: value for key, value in fields.items() if self.right(part, key, value)}
            config = table(part.config, right, path, Problems())
        return None if config is None else Chosen(part=part, config=config, where=self.where)

    @staticmethod
    def right(part: Part, key: str, value: Any) -> bool:
        """Whether one field of a part's table is valid by itself."""
        found = Problems()
        table(part.config, {key: value}, "", found)
        return not any(line.startswith((f"{key}:", f"{key}.", f"{key}[")) for line in found.lines)

    def tokens(self, data: Table, path: str, coder: Chosen | None) -> Tokens | None:
        """(token alphabet, bits per token) of the level, or None if unknown (reported)."""
        here, given = join(path, "tokens"), self.section(data, "tokens", path)
        size = checks.vocabulary(coder)
        if coder is not None and size is not None:
            if given:
                self.problems.add(here, f"has no effect: coder '{coder.name}' sets its own vocabulary; remove it")
            return size, max(1, (size - 1).bit_length())
        tokens = table(TokensTable, given, here, self.problems) if coder or given else None
        return (1 << tokens.bits, tokens.bits) if tokens else None

    def name(self, data: Table, path: str, default: str) -> str:
        """The name of a level or of the top. Names become folders, so no two may be equal if case is ignored."""
        made = table(NameTable, {"name": data.get("name", default)}, path, self.problems)
        name, here = made.name if made else default, join(path, "name")
        first = self.names.setdefault(name.casefold(), here)
        if first != here:
            self.problems.add(here, f"{show(name)} is already the name of {first.removesuffix('.name')}")
        return name

    def section(self, data: Table, key: str, path: str = "") -> Table:
        """The table `key` of `data`; empty if it is absent, or not a table (reported)."""
        found = data.get(key, {})
        if isinstance(found, Mapping):
            return found
        self.problems.add(join(path, key), f"expected a table, found {show(found)}")
        return {}

    def known_keys(self, data: Table, known: tuple[str, ...], path: str) -> None:
        for key in data:
            if key not in known:
                self.problems.add(join(path, key), unknown_key(key, known))
