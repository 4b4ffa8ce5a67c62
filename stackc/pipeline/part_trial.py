"""What ``stackc plugins check`` builds with a model or a coder: a small recipe, in which the part does its work.

The build trains the part on a few kilobytes, codes text that the training did not see, decodes it and compares. The
part of a third party also decodes in a second process. `stackc.coding.trial` tries what needs no recipe.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from stackc.api.errors import StackcError
from stackc.parts.part import Part
from stackc.parts.registry import registry
from stackc.pipeline.build import build
from stackc.stack.manifest import read_manifest

SENTENCES = ("the cat sat on the mat", "a dog ran to the red house", "she had 12 of them, not 7", "naïve 東京 wife")
REPEATS = {"train": 60, "valid": 12, "test": 20}
"""Lines of each split: some 1.5 kB, 300 bytes and 500 bytes."""

SMALL: dict[str, Any] = {"vocabulary": 512}
"""Values of required fields by their names; a part that requires any other is not built."""

BUDGETS = {"symbols": 4000, "steps": 20}
"""The first of these fields that a model's training settings have is set to this."""

EQUAL, WHOLE = 'kind = "equal-info"\nbits = 16\n', 'kind = "whole"\n'


@attrs.frozen
class Built:
    """What was built: a line on it, a problem or "", and the SHA-256 of its tokens or None."""

    note: str = ""
    problem: str = ""
    bits: str | None = None
    error: Exception | None = None


def build_with(part: Part) -> Built:
    """Build the small recipe with an installed model or coder."""
    if part.kind not in ("model", "coder"):
        return Built()
    if part not in registry().parts():
        return Built(note="no recipe built: it is not installed")
    required = [field.name for field in attrs.fields(part.config) if field.default is attrs.NOTHING]
    if unknown := [name for name in required if name not in SMALL]:
        return Built(note=f"no recipe built: there is no default for {', '.join(unknown)}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="stackc-check-") as name:
        folder = Path(name)
        for seed, (split, lines) in enumerate(REPEATS.items()):
            (folder / f"{split}.txt").write_text(_text(lines, seed), encoding="utf-8")
        (folder / "check.toml").write_text(_recipe(part, required), encoding="utf-8")
        try:
            stack = build(folder / "check.toml", folder / "stack", device="cpu").folder
            manifest = read_manifest(stack)
        except StackcError as error:
            return Built(problem=f"a small recipe with it does not build: {_without(str(error), folder)}", error=error)
        tokens = "M1/tokens/test/symbols.bin"
        written = manifest["parts"][tokens]["bytes"]
        digest = hashlib.sha256((stack / tokens).read_bytes()).hexdigest()
    note = f"built, coded and decoded in a small recipe: {written:,} bytes of tokens, {time.monotonic() - begun:.1f} s"
    return Built(note=note, bits=digest)


def _text(lines: int, seed: int) -> str:
    """Lines that repeat words in another order each: what is learnt from one split helps in another."""
    words = [sentence.split() for sentence in SENTENCES]
    made = (words[(i + seed) % len(words)][i % 3 :] + words[i * 7 % len(words)][: 2 + i % 3] for i in range(lines))
    return "\n".join(" ".join(line) for line in made) + "\n"


def _recipe(part: Part, required: list[str]) -> str:
    """The smallest recipe in which this kind of part codes."""
    values = "".join(f"{name} = {SMALL[name]}\n" for name in required)
    head = '[stack]\nname = "check"\n[corpus]\nreader = "text"\nsegment = 1024\n'
    splits = "".join(f'{split} = "{split}.txt"\n' for split in REPEATS)
    return f'{head}{splits}{"".join(_level(part, values))}[top]\nname = "M2"\n[top.model]\nbackend = "uniform"\n'


def _level(part: Part, values: str) -> Iterator[str]:
    config = part.config
    yield '[[level]]\nname = "M1"\n'
    if part.kind == "model":
        yield f'[level.model]\nbackend = "{part.name}"\n{values}{_training(config)}'
        whole = getattr(config, "bitwise", False)
        yield f"[level.windowing]\n{WHOLE if whole else EQUAL}"
        yield '[level.coder]\nkind = "arithmetic"\n[level.tokens]\nbits = 8\n'
        return
    pieces = getattr(config, "pieces", False)
    lists_texts = not pieces and any(field.name == "vocabulary" for field in attrs.fields(config))
    if config.needs_model:
        yield '[level.model]\nbackend = "unigram"\n'
    if lists_texts:
        yield '[level.windowing]\nkind = "longest"\n'
    elif config.budget:
        yield f"[level.windowing]\n{EQUAL}"
    else:
        yield f"[level.windowing]\n{WHOLE}"
    yield f'[level.coder]\nkind = "{part.name}"\n{values}'
    if not (pieces or lists_texts):
        yield "[level.tokens]\nbits = 8\n"


def _training(config: Any) -> str:
    """A budget, if the training settings have one of the usual fields."""
    settings = getattr(config, "train", None)
    names = {field.name for field in attrs.fields(settings)} if settings else set()
    chosen = next((name for name in BUDGETS if name in names), None)
    return f"[level.train]\n{chosen} = {BUDGETS[chosen]}\n" if chosen else ""


def _without(text: str, folder: Path) -> str:
    return text.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
