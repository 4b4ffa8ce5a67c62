"""Recipes that tests build: small, and mixed on purpose."""

from __future__ import annotations

from pathlib import Path

TEXT = (
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of "
    "a wife. However little known the feelings or views of such a man may be on his first entering a neighbourhood, "
    "this truth is so well fixed in the minds of the surrounding families, that he is considered as the rightful "
    "property of some one or other of their daughters. "
)

TINY_MODEL = """backend = "transformer"
layers = 1
width = 16
heads = 1
context = 12
"""

TINY_GRU = """backend = "gru"
width = 8
state = 12
"""

TINY_TRAIN = "steps = {steps}\nbatch = 4\nrow = 24\nrecuts = 1\nrecut_symbols = 2000\ncheckpoint_seconds = 0\n"


def corpus(folder: Path) -> None:
    """Three splits of a few kilobytes in `folder`; the training text is three documents."""
    for name, repeats in (("train-a", 12), ("train-b", 7), ("train-c", 1), ("valid", 1), ("test", 2)):
        (folder / f"{name}.txt").write_text(f"{name}. " + TEXT * repeats)


HEAD = """[stack]
name = "{name}"
seed = 3
[corpus]
reader = "text"
train = "train-*.txt"
valid = "valid.txt"
test = "test.txt"
segment = {segment}
[run]
device = "cpu"
lanes = 8
"""


def level(
    name: str, windowing: str, coder: str, token_bits: int, model: str | None = None, train: str | None = None
) -> str:
    tables = [f'[[level]]\nname = "{name}"']
    tables += [f"[level.model]\n{model}"] if model else []
    tables += [f"[level.train]\n{train}"] if train else []
    tables += [
        f"[level.windowing]\n{windowing}",
        f'[level.coder]\nkind = "{coder}"',
        f"[level.tokens]\nbits = {token_bits}",
    ]
    return "\n".join(tables) + "\n"


def two_level(steps: int = 12) -> str:
    """Transformers at both levels and on top; level 1 compiled, level 2 stepped with contexts of a segment."""
    train = TINY_TRAIN.format(steps=steps)
    return (
        HEAD.format(name="two", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, TINY_MODEL, train)
        + level("M2", 'kind = "equal-info"\nbits = 24\ncontext = "segment"', "arithmetic", 8, TINY_MODEL, train)
        + f'[top]\nname = "M3"\n[top.model]\n{TINY_MODEL}[top.train]\n{train}'
    )


def recurrent(steps: int = 12) -> str:
    """As `two_level`, of recurrent networks; the one on top has two layers."""
    train = TINY_TRAIN.format(steps=steps)
    return (
        HEAD.format(name="recurrent", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, TINY_GRU, train)
        + level("M2", 'kind = "equal-info"\nbits = 24\ncontext = "segment"', "arithmetic", 8, TINY_GRU, train)
        + f'[top]\nname = "M3"\n[top.model]\n{TINY_GRU}layers = 2\n[top.train]\n{train}'
    )


def four_level() -> str:
    """Every coder, every windowing, models of three kinds."""
    train = TINY_TRAIN.format(steps=6)
    return (
        HEAD.format(name="four", segment=300)
        + level("M1", 'kind = "equal-info"\nbits = 27\ncontext = "window"', "arithmetic", 9, TINY_MODEL, train)
        + level("M2", 'kind = "fixed-token"\nsymbols = 60', "gzip", 8)
        + level("M3", 'kind = "equal-info"\nbits = 12', "static-unigram", 12)
        + level("M4", 'kind = "whole"', "arithmetic", 16, 'backend = "uniform"')
        + '[top]\nname = "M5"\n[top.model]\nbackend = "unigram"\n'
    )


def counting(segment: int = 300) -> str:
    """Built in a moment: a compiled level of counts, and symbol counts on top."""
    return (
        HEAD.format(name="counting", segment=segment)
        + level("M1", 'kind = "equal-info"\nbits = 10', "static-unigram", 10)
        + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    )


def bpe(vocabulary: int = 300) -> str:
    """Pieces of byte-pair encoding, in segments longer than any text of `corpus`."""
    return (
        HEAD.format(name="bpe", segment=30_000)
        + '[[level]]\nname = "M1"\n[level.windowing]\nkind = "whole"\n[level.coder]\nkind = "bpe"\n'
        + f'vocabulary = {vocabulary}\n[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    )


def words_of(coder: str) -> str:
    """A level of single words: a dictionary of counts (`tunstall`, `arithmetic`), or pieces (`lexicon`, `bpe`, …)."""
    kind, _, parse = coder.partition(", ")
    model = '[level.model]\nbackend = "counted"\n' if kind in ("tunstall", "arithmetic", "lexicon") else ""
    words = "words = 1\n" + (f'parse = "{parse}"\n' if parse else "") if kind == "phrases" else ""
    windowing = '"whole"' if kind == "phrases" else '"words"\nbits = 12' if kind == "arithmetic" else '"words"'
    size = "[level.tokens]\nbits = 12" if kind == "arithmetic" else "vocabulary = 400"
    return (
        HEAD.format(name="words", segment=30_000)
        + f'[[level]]\nname = "M1"\n{model}[level.windowing]\nkind = {windowing}\n[level.coder]\nkind = "{kind}"\n'
        + f'{words}{size}\n[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    )


def lexicons(proposals: int = 4) -> str:
    """Two levels whose texts a model proposes, in windows of single words."""
    levels = "".join(
        f'[[level]]\nname = "{name}"\n[level.model]\nbackend = "counted"\n[level.windowing]\nkind = "words"\n'
        f'[level.coder]\nkind = "lexicon"\nvocabulary = {vocabulary}\nproposals = {proposals}\n'
        for name, vocabulary in (("M1", 300), ("M2", 340))
    )
    return HEAD.format(name="lexicons", segment=300) + levels + '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'


def mixing(contexts: str = "many") -> str:
    """A mixing model of bytes with tiny tables, and no level: what a compressor has, in a moment."""
    return HEAD.format(name="mixing", segment=300) + (
        f'[top]\nname = "M1"\n[top.model]\nbackend = "mixing"\ncontexts = "{contexts}"\nsize = 10\nrich = 8\n'
    )


def zipped() -> str:
    """Gzip at two levels: one window per segment of bytes, then windows of a fixed number of tokens of 12 bits."""
    return (
        HEAD.format(name="zipped", segment=1500)
        + level("M1", 'kind = "whole"', "gzip", 12)
        + level("M2", 'kind = "fixed-token"\nsymbols = 150', "gzip", 7)
        + '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'
    )


def counting_twice() -> str:
    """Two levels of counts: the first compiled, the second, whose context is the segment's, stepped."""
    return (
        HEAD.format(name="twice", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 10', "static-unigram", 10)
        + level("M2", 'kind = "equal-info"\nbits = 24', "arithmetic", 8, 'backend = "unigram"')
        + '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'
    )


def mixed(steps: int = 12) -> str:
    """A level of counts, one of transformers and one of a tunstall dictionary, a transformer on top."""
    train = TINY_TRAIN.format(steps=steps)
    counted = 'backend = "counted"\norder = 2\n'
    return (
        HEAD.format(name="mixed", segment=200)
        + level("M1", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, counted)
        + level("M2", 'kind = "equal-info"\nbits = 24\ncontext = "segment"', "arithmetic", 8, TINY_MODEL, train)
        + '[[level]]\nname = "M3"\n'
        + f"[level.model]\n{counted}"
        + '[level.windowing]\nkind = "longest"\n[level.coder]\nkind = "tunstall"\nvocabulary = 400\n'
        + f'[top]\nname = "M4"\n[top.model]\n{TINY_MODEL}[top.train]\n{train}'
    )
