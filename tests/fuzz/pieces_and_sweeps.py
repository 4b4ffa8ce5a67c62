"""Doors for the tables of piece coders, and for the files that describe a sweep and its results."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.mutations import mutate_bytes, mutate_json
from fuzz.targets import DATA, Arrays, Target, built
from recipes_of_tests import corpus, counting, lexicons, words_of
from stackc.coding.pieces import PieceTable
from stackc.pipeline.sweeps.columns import FIGURES
from stackc.pipeline.sweeps.expand import load_sweep
from stackc.pipeline.sweeps.folder import SweepFolder

WORDS = np.frombuffer(DATA[:300] + bytes(range(256)), np.uint8)


class PieceTables(Arrays):
    """The fitted tables of `lexicon` and `phrases`: read, made into a table, and used both ways."""

    name = "pieces"
    FILES = ("lexicon.safetensors", "phrases.safetensors")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        stacks = [
            built(folder / "stacks", "lexicons", lexicons()),
            built(folder / "stacks", "words", words_of("phrases")),
        ]
        self.coders = [stack.recipe.levels[0].coder for stack in stacks]
        self.right = [stack.folder / "M1" / "coder" / name for stack, name in zip(stacks, self.FILES, strict=True)]

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + path.read_bytes() for number, path in enumerate(self.right)]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return seed[:1] + super().mutate(seed[1:], rng)

    def run(self, data: bytes, rng: random.Random) -> None:
        chosen = self.coders[data[0]]
        (self.folder / self.FILES[data[0]]).write_bytes(data[1:])
        coder: Any = chosen.make()
        coder.load(self.folder)
        table = PieceTable(coder, chosen.config.vocabulary, 256)
        bounds = np.array([0, 100, len(WORDS)])
        codes, ends = table.encode(WORDS, bounds, rng.choice((7, 1000)), 1000)
        back, offsets = table.decode(codes, ends)
        assert np.array_equal(back, WORDS)
        assert offsets.tolist() == bounds.tolist()


class Sweeps(Target):
    """A sweep's TOML: all of its runs are expanded, none is built."""

    name = "sweeps"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        corpus(self.folder)
        (self.folder / "base.toml").write_text(counting())

    def seeds(self) -> list[bytes]:
        plain = (
            'base = "base.toml"\nseeds = 2\n[set]\nrun.lanes = 4\n[grid]\n"corpus.segment" = [200, 300]\n'
            '[[arm]]\nname = "one"\n[[arm]]\nname = "two"\nset."level.1.windowing.symbols" = 40\n'
        )
        axes = '"corpus.segment" = [200, 300]\n"level.1.windowing.symbols" = [50, 60]\n'
        zipped = 'base = "base.toml"\nseeds = [1, 5]\n[zip]\n' + axes
        return [plain.encode(), zipped.encode()]

    def run(self, data: bytes, rng: random.Random) -> None:
        path = self.folder / "fuzzed.toml"
        path.write_bytes(data)
        for run in load_sweep(path).runs:
            assert run.recipe.levels or run.recipe.top


class SweepRows(Target):
    """A sweep's folder: what it says of its runs, and the rows, which processes append to and a crash cuts short."""

    name = "rows"
    FILES = ("sweep.json", "table.jsonl")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        corpus(self.folder)
        (self.folder / "base.toml").write_text(counting())
        (self.folder / "sweep.toml").write_text('base = "base.toml"\n[grid]\n"corpus.segment" = [200, 300]\n')
        sweep = load_sweep(self.folder / "sweep.toml")
        self.sweep = SweepFolder(self.folder / "sweep")
        self.sweep.describe(sweep)
        figures = {**dict.fromkeys(FIGURES, 7), "levels": [{"name": "M1", "bytes_per_token": 2.5, "tokens": None}]}
        for run, status in zip(sweep.runs, ("done", "failed"), strict=True):
            self.sweep.add(run, {"status": status, "reason": "x", "figures": figures})
        self.right = {name: (self.sweep.folder / name).read_bytes() for name in self.FILES}

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + self.right[name] for number, name in enumerate(self.FILES)]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return seed[:1] + (
            mutate_json(seed[1:], rng) if not seed[0] and rng.random() < 0.7 else mutate_bytes(seed[1:], rng)
        )

    def run(self, data: bytes, rng: random.Random) -> None:
        name = self.FILES[data[0]]
        (self.sweep.folder / name).write_bytes(data[1:])
        try:
            for row in self.sweep.rows():
                assert isinstance(row["run"], str)
            self.sweep.derive()
        finally:
            (self.sweep.folder / name).write_bytes(self.right[name])
