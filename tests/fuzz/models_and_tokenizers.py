"""Doors for what else a stack of a stranger holds: counted texts, recurrent networks, pieces of libraries, blocks of
bits, models of transformers, and folders of tokenizers that were saved."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.mutations import mutate_bytes, mutate_json
from fuzz.targets import DATA, Arrays, Target, built
from recipes_of_tests import HEAD, bpe
from stackc.stack.blocks import Blocks, load_blocks

GOLDEN = Path(__file__).parents[1] / "archive" / "golden"


class CountedTexts(Arrays):
    """The tries of a model that counts texts: read, stepped by both kinds of kernels, scored and picked."""

    name = "counted"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        recipe = HEAD.format(name="counted", segment=300) + '[top]\nname = "M1"\n[top.model]\nbackend = "counted"\n'
        self.stack = built(folder / "stacks", "counted", recipe)
        self.model = self.stack.recipe.top.model.make()

    def seeds(self) -> list[bytes]:
        return [(self.stack.folder / "M1" / "frozen" / "counted.safetensors").read_bytes()]

    def run(self, data: bytes, rng: random.Random) -> None:
        (self.folder / "counted.safetensors").write_bytes(data)
        predictor: Any = self.model.load(self.folder, 256, self.stack.runtime.resolve())
        begin = rng.randrange(len(DATA) - 30)
        text = np.frombuffer(DATA[begin : begin + 30], np.uint8).astype(np.int64)
        if rng.random() < 0.3:
            text = np.array([rng.randrange(256) for _ in range(9)], np.int64)
        rows = np.concatenate(list(predictor.score(text)))
        assert rows.min() >= 1
        assert (rows.sum(axis=1, dtype=np.int64) == 1 << 24).all()
        assert np.array_equal(np.concatenate(list(predictor.pick(text))), rows[np.arange(len(text)), text])
        state, before = predictor.start(2), np.array([-1, -1])
        for symbol, row in zip(text[:9], rows, strict=False):
            assert np.array_equal(predictor.step(state, before)[1], row)
            before = np.array([rng.randrange(256), symbol])


class Recurrent(Arrays):
    """The integers of a recurrent network: read, compared with their ranges, stepped and scored."""

    name = "recurrent"

    def seeds(self) -> list[bytes]:
        return [(GOLDEN / "recurrent" / "M3" / "frozen" / "frozen.safetensors").read_bytes()]

    def run(self, data: bytes, rng: random.Random) -> None:
        from stackc_torch.frozen.predictor import FrozenPredictor
        from stackc_torch.gru.arrays import FrozenGru
        from stackc_torch.gru.cpu import CpuArithmetic

        (self.folder / "frozen.safetensors").write_bytes(data)
        predictor = FrozenPredictor(CpuArithmetic(FrozenGru.load(self.folder, 256)))
        text = np.array([0, 255, 7, 7, 97, rng.randrange(256)])
        rows = np.concatenate(list(predictor.score(text)))
        assert (rows.sum(axis=1, dtype=np.int64) == 1 << 24).all()
        state, before = predictor.start(1), -1
        for symbol, row in zip(text, rows, strict=True):
            assert np.array_equal(predictor.step(state, np.array([before]))[0], row)
            before = symbol


class Subwords(Arrays):
    """The merges of `bpe` and the model of `sentencepiece`, which libraries read: pieces, and text there and back."""

    name = "subwords"
    FILES = ("bpe.safetensors", "sentencepiece.model")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        recipes = bpe(), bpe(360).replace('"bpe"', '"sentencepiece"')
        stacks = [built(folder / "stacks", f"subword{number}", recipe) for number, recipe in enumerate(recipes)]
        self.coders = [stack.recipe.levels[0].coder for stack in stacks]
        self.right = [stack.folder / "M1" / "coder" / name for stack, name in zip(stacks, self.FILES, strict=True)]

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + path.read_bytes() for number, path in enumerate(self.right)]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        return seed[:1] + (mutate_bytes(seed[1:], rng) if seed[0] else super().mutate(seed[1:], rng))

    def run(self, data: bytes, rng: random.Random) -> None:
        chosen = self.coders[data[0]]
        (self.folder / self.FILES[data[0]]).write_bytes(data[1:])
        coder: Any = chosen.make()
        coder.load(self.folder)
        texts, ends = coder.pieces()
        assert len(ends) - 1 <= chosen.config.vocabulary
        window = np.frombuffer(DATA[:60] + bytes(range(256)), np.uint8)
        tokens, counts = coder.encode(window, np.array([0, 30, len(window)]))
        assert counts.sum() == len(tokens)
        assert b"".join(texts[ends[token] : ends[token + 1]].tobytes() for token in tokens) == window.tobytes()


class BlocksOfBits(Arrays):
    """What models paid for each block of a text: `stackc compare` reads it from stacks of anyone."""

    name = "blocks"

    def seeds(self) -> list[bytes]:
        kept = Blocks(
            document=np.array([0, 0, 1]), source_bytes=np.array([16384, 7, 9]), bits={"M1": np.array([3.0, 0.5, 2.0])}
        )
        kept.save(self.folder)
        return [(self.folder / "blocks.safetensors").read_bytes()]

    def run(self, data: bytes, rng: random.Random) -> None:
        (self.folder / "blocks.safetensors").write_bytes(data)
        found = load_blocks(self.folder)
        assert found is not None
        assert all(np.isfinite(bits).all() and len(bits) == len(found.document) for bits in found.bits.values())


class TransformersModels(Arrays):
    """A model of the library transformers: its settings and its weights. It is as large as its weights say, at most."""

    name = "transformers"
    FILES = ("model.json", "float.safetensors")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from hf_toys import GPT2
        from stackc_torch.hf import making
        from stackc_torch.hf.config import Hf

        self.load = making.load
        making.save(making.fresh(Hf(settings=GPT2, context=16), 7), self.folder)
        self.right = [(self.folder / name).read_bytes() for name in self.FILES]

    def seeds(self) -> list[bytes]:
        return [bytes([number]) + data for number, data in enumerate(self.right)]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        if seed[0] == 0 and rng.random() < 0.9:
            return seed[:1] + mutate_json(seed[1:], rng)
        return seed[:1] + (super().mutate(seed[1:], rng))

    def run(self, data: bytes, rng: random.Random) -> None:
        name = self.FILES[data[0]]
        (self.folder / name).write_bytes(data[1:])
        try:
            self.load(self.folder, 7, 16)
        finally:
            (self.folder / name).write_bytes(self.right[data[0]])


class SavedTokenizers(Target):
    """A saved tokenizer: whatever its ``tokenizer.json`` holds, which libraries read where stackc is not, its ids are
    the stack's; stackc's own settings of it are right, or refused."""

    name = "tokenizer"
    FILES = ("tokenizer.json", "tokenizer_config.json")
    OWN = ("level", "eos_id", "offsets")

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from stackc.hf import StackTokenizer

        made: Any = StackTokenizer
        tokenizer = made.from_stack(built(folder / "stacks", "bpe", bpe()).folder)
        tokenizer.save_pretrained(str(self.folder))
        self.kind, self.text = made, DATA[:99].decode()
        self.ids = tokenizer(self.text).input_ids
        self.right = [(self.folder / name).read_bytes() for name in self.FILES]

    def seeds(self) -> list[bytes]:
        settings = json.loads(self.right[1])
        return [b"\0" + self.right[0], b"\1" + json.dumps({name: settings[name] for name in self.OWN}).encode()]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        damage = mutate_json if seed[0] or rng.random() < 0.5 else mutate_bytes
        return seed[:1] + damage(seed[1:], rng)

    def run(self, data: bytes, rng: random.Random) -> None:
        number, content = data[0], data[1:]
        if number:
            settings, own = json.loads(self.right[1]), json.loads(content)
            own = own if isinstance(own, dict) else {}
            for name in self.OWN:
                settings.pop(name)
            content = json.dumps(settings | {name: own[name] for name in self.OWN if name in own}).encode()
        (self.folder / self.FILES[number]).write_bytes(content)
        try:
            assert self.kind.from_pretrained(str(self.folder))(self.text).input_ids == self.ids
        finally:
            (self.folder / self.FILES[number]).write_bytes(self.right[number])
