"""What is fuzzed: each target reads hostile bytes by one door. Anything but `StackcError` is a bug.

A target is made with a folder of its own and has ``seeds()`` and ``run(data, rng)``; `mutate` damages a seed.
"""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import stackc
from fuzz.mutations import mutate_bytes, mutate_json, mutate_safetensors, reseal
from recipes_of_tests import TEXT, corpus, counting, counting_twice, two_level
from stackc.api.errors import StackcError
from stackc.api.files import read_tensors
from stackc.archive.codec import BlockCodec
from stackc.archive.decoder import check_blocks, decompress_range
from stackc.archive.format import Header
from stackc.archive.salvage import salvage
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.interop.token_files import read_tokens
from stackc.pipeline.ownership import check_ours
from stackc.stack.finding import open_codec
from stackc.stack.stack import Stack
from stackc.stack.store import Store

SEEDS = Path(__file__).parent / "seeds"
"""Inputs that once were bugs, by target."""

DATA = TEXT.encode()


class Target:
    """One door."""

    name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder / self.name
        self.folder.mkdir(parents=True)

    def seeds(self) -> list[bytes]:
        """Right inputs, made by the code as it is."""
        raise NotImplementedError

    def kept(self) -> list[bytes]:
        """Inputs that once were bugs, kept as files: damaged further, and each run as it is by the tests."""
        return [path.read_bytes() for path in sorted((SEEDS / self.name).glob("*"))]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return mutate_bytes(seed, rng)

    def run(self, data: bytes, rng: random.Random) -> None:
        raise NotImplementedError


def built(folder: Path, name: str, recipe: str) -> Stack:
    """A stack in `folder`, built in a moment."""
    folder.mkdir(parents=True, exist_ok=True)
    corpus(folder)
    (folder / f"{name}.toml").write_text(recipe)
    return stackc.build(folder / f"{name}.toml", folder / name)


class Container(Target):
    """A whole `.stk` file: read in order, by index, checked, salvaged. Half of them have right checks again."""

    name = "container"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stack = built(folder / "stacks", "counting", counting())
        self.path = self.folder / "file.stk"

    def seeds(self) -> list[bytes]:
        made = []
        for data, block_size in ((DATA, 100), (DATA + bytes(range(256)), 64), (b"", 9), (b"a", 1)):
            out = io.BytesIO()
            self.stack.compress(io.BytesIO(data), out, block_size=block_size)
            made.append(out.getvalue())
        return made

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        damaged = mutate_bytes(seed, rng)
        return reseal(damaged) if rng.random() < 0.6 else damaged

    def run(self, data: bytes, rng: random.Random) -> None:
        door = rng.randrange(4)
        source, out = io.BytesIO(data), io.BytesIO()
        if door == 0:
            self.stack.decompress(source, out)
        elif door == 1:
            check_blocks(source)
        elif door == 2:
            ends = sorted((rng.randrange(700), rng.randrange(700)))
            decompress_range(source, out, self._open, *ends)
        else:
            self.path.write_bytes(data)
            with self.path.open("rb") as file, (self.folder / "out").open("wb") as target:
                salvage(file, target, self._open, self.stack.codec if rng.random() < 0.5 else None)

    def _open(self, header: Header) -> BlockCodec:
        return open_codec(header, self.stack)


class Payload(Target):
    """Any bytes as a block's payload, through every kind of level."""

    name = "payload"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        recipes = {"counting": counting(), "twice": counting_twice()}
        self.codecs = [built(folder / "stacks", name, recipe).codec for name, recipe in recipes.items()]

    def seeds(self) -> list[bytes]:
        return [b"", *(payload for codec in self.codecs for payload in codec.encode([DATA, b"the " * 50]) if payload)]

    def run(self, data: bytes, rng: random.Random) -> None:
        codec = rng.choice(self.codecs)
        length = rng.choice((1, 10, 60, 400))
        for result in codec.decode([data[:40], data[40:60]], [length, length]):
            assert isinstance(result, StackcError) or len(result) == length


class Manifest(Target):
    """The manifest of a stack, from opening it to coding with it."""

    name = "manifest"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stack = built(folder / "stacks", "twice", counting_twice())
        self.copy = Path(shutil.copytree(self.stack.folder, self.folder / "copy"))

    def seeds(self) -> list[bytes]:
        return [(self.stack.folder / "manifest.json").read_bytes()]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return mutate_bytes(seed, rng) if rng.random() < 0.2 else mutate_json(seed, rng)

    def run(self, data: bytes, rng: random.Random) -> None:
        (self.copy / "manifest.json").write_bytes(data)
        stack = Stack(self.copy)
        assert len(stack.sha256) == 64
        if rng.random() < 0.1:
            text = DATA[:20]
            assert stack.decode(stack.encode(text)) == text
            out = io.BytesIO()
            stack.compress(io.BytesIO(text), out)


class Marks(Target):
    """The files by which a build knows its folder: whoever wrote them, they are as they were afterwards."""

    name = "marks"
    PLACES = ("manifest.json", "corpus/train/stage.json", "corpus/train/.pending", ".lock", "logs/metrics.jsonl")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stack = built(folder / "stacks", "counting", counting())

    def seeds(self) -> list[bytes]:
        kept = [self.stack.folder / name for name in self.PLACES]
        metrics = b'{"time": 1.5, "stage": "M1/model", "step": 1}\n'
        return [metrics, b"0" * 64, *(path.read_bytes() for path in kept if path.exists())]

    def run(self, data: bytes, rng: random.Random) -> None:
        place = self.folder / rng.choice(self.PLACES)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        try:
            check_ours(self.folder, ["corpus/train"])
        finally:
            assert place.read_bytes() == data
            place.unlink()


class Recipe(Target):
    """A recipe's TOML."""

    name = "recipe"

    def seeds(self) -> list[bytes]:
        return [text.encode() for text in (counting(), counting_twice(), two_level())]

    def run(self, data: bytes, rng: random.Random) -> None:
        path = self.folder / "fuzzed.toml"
        path.write_bytes(data)
        stackc.load_recipe(path)


class Arrays(Target):
    """Arrays of safetensors files: raw bytes of the file, or arrays of any kind; `read` is what uses them."""

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return mutate_bytes(seed, rng) if rng.random() < 0.5 else mutate_safetensors(seed, rng)


class Tensors(Arrays):
    """The reader of safetensors, and what reads counts from it: a model and a coder."""

    name = "tensors"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stack = built(folder / "stacks", "counting", counting())
        self.section = self.stack.recipe.top
        self.model = self.stack.recipe.top.model.make()
        self.coder = self.stack.recipe.levels[0].coder.make()

    def seeds(self) -> list[bytes]:
        folder = self.stack.folder
        return [path.read_bytes() for path in sorted(folder.glob("M*/*/*.safetensors")) if path.stat().st_size < 20_000]

    def run(self, data: bytes, rng: random.Random) -> None:
        path = self.folder / "frequencies.safetensors"
        path.write_bytes(data)
        read_tensors(path)
        if rng.random() < 0.5:
            path.rename(self.folder / "static_unigram.safetensors")
            self.coder.load(self.folder)
            return
        predictor = self.model.load(self.folder, self.section.alphabet, self.stack.runtime.resolve())
        (row,) = predictor.step(predictor.start(1), np.array([-1]))
        assert row.min() >= 1
        assert row.sum(dtype=np.int64) == 1 << 24


class Frozen(Arrays):
    """The integers of a transformer: read, held against their ranges, and stepped."""

    name = "frozen"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from torch_toys import random_frozen

        self.frozen = random_frozen(1)
        self.frozen.save(self.folder)
        self._seed = (self.folder / "frozen.safetensors").read_bytes()

    def seeds(self) -> list[bytes]:
        return [self._seed]

    def run(self, data: bytes, rng: random.Random) -> None:
        from stackc_torch.transformer.arrays import Frozen as Integers
        from torch_toys import on_cpu

        (self.folder / "frozen.safetensors").write_bytes(data)
        predictor = on_cpu(Integers.load(self.folder, 7))
        rows = np.concatenate(list(predictor.score(np.array([0, 3, 6, 1, 1, 2]))))
        assert (rows.sum(axis=1, dtype=np.int64) == 1 << 24).all()


class Dictionaries(Arrays):
    """A compiled level: read, and walked both ways."""

    name = "dictionary"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stack = built(folder / "stacks", "counting", counting())

    def seeds(self) -> list[bytes]:
        return [(self.stack.folder / "M1" / "dictionary" / "dictionary.safetensors").read_bytes()]

    def run(self, data: bytes, rng: random.Random) -> None:
        path = self.folder / "dictionary.safetensors"
        path.write_bytes(data)
        one = Dictionary.load(path, 256)
        text = np.frombuffer(DATA[:100], np.uint8)
        codes, offsets = one.encode(text, np.array([0, 50, 100]), 40, rng.choice((1, 7, 1024)))
        back, ends = one.decode(codes, offsets)
        assert np.array_equal(back, text)
        assert ends.tolist() == [0, 50, 100]
        one.decode(np.array([rng.randrange(1024) for _ in range(5)]), np.array([0, 5]))


class Stores(Target):
    """A store of tokens: its JSON, its index, its symbols."""

    name = "store"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stack = built(folder / "stacks", "counting", counting())
        self.files = ("store.json", "index.safetensors", "symbols.bin")
        self.copy = Path(shutil.copytree(self.stack.folder / "M1" / "tokens" / "test", self.folder / "copy"))
        self.right = {name: (self.copy / name).read_bytes() for name in self.files}

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + self.right[name] for number, name in enumerate(self.files)]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        if seed[0] == 0 and rng.random() < 0.8:
            return seed[:1] + mutate_json(seed[1:], rng)
        if seed[0] == 1 and rng.random() < 0.7:
            return seed[:1] + mutate_safetensors(seed[1:], rng)
        return seed[:1] + mutate_bytes(seed[1:], rng)

    def run(self, data: bytes, rng: random.Random) -> None:
        name = self.files[data[0]]
        (self.copy / name).write_bytes(data[1:])
        try:
            store = Store(self.copy)
            for document in store.text().documents():
                assert document.ndim == 1
            assert sum(len(chunk.symbols) for chunk in store.chunks()) == len(store.symbols)
            assert int(store.counts().sum()) == len(store.symbols)
        finally:
            (self.copy / name).write_bytes(self.right[name])


class Tokens(Target):
    """Token files: .npy, .bin and .txt."""

    name = "tokens"

    def seeds(self) -> list[bytes]:
        out = io.BytesIO()
        np.save(out, np.arange(300, dtype="<u2"), allow_pickle=False)
        text = "".join(f"{number}\n" for number in range(300)).encode()
        return [b"\0" + out.getvalue(), b"\1" + np.arange(300, dtype="<u2").tobytes(), b"\2" + text]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return seed[:1] + mutate_bytes(seed[1:], rng)

    def run(self, data: bytes, rng: random.Random) -> None:
        path = self.folder / ("t.npy", "t.bin", "t.txt")[data[0]]
        path.write_bytes(data[1:])
        for tokens in read_tokens(path, 1024):
            assert not len(tokens) or 0 <= int(tokens.min()) <= int(tokens.max()) < 1024


TARGETS: list[type[Target]] = [
    Container, Payload, Manifest, Marks, Recipe, Tensors, Frozen, Dictionaries, Stores, Tokens,
]  # fmt: skip


def fuzz(target: Target, executions: int, seed: int, on_bug: Any = None) -> dict[str, int]:
    """Run damaged seeds through a target; how many were taken and refused, and how many were bugs.

    Args:
        on_bug: called with (data, error) of each; None: the error is raised.
    """
    seeds = [*target.seeds(), *target.kept()]
    counted = {"executions": 0, "accepted": 0, "refused": 0, "bugs": 0}
    for number in range(executions):
        rng = random.Random(f"{target.name} {seed} {number}")
        data = target.mutate(rng.choice(seeds), rng)
        counted["executions"] += 1
        try:
            target.run(data, rng)
            counted["accepted"] += 1
        except StackcError:
            counted["refused"] += 1
        except Exception as error:
            counted["bugs"] += 1
            if on_bug is None:
                raise AssertionError(f"{target.name}, seed {seed}, execution {number}: {error!r}") from error
            on_bug(number, data, error)
    return counted
