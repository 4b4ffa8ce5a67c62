"""The coder `phrases` against gigatoken and SentencePiece: encoding, decoding and training, in one run and one thread.

    pip install gigatoken
    python tests/benchmarks/phrases_speed.py --fit TEXT --code TEXT [--rounds 7]
    python tests/benchmarks/phrases_speed.py --fit TEXT --train-against-sentencepiece

Vocabularies of 65,536 are fitted to the first text; the second should be one that no vocabulary was fitted to. What is
compared takes turns, and the figures are medians of processor time, warm: the same text was coded before. A peer's
threads count, since processor time is that of the process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("RAYON_NUM_THREADS", "1")

import numpy as np

from stackc.api import Text, Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.registry import registry

SEGMENT = 65_535


def text_of(path: Path, most: int | None) -> Text:
    data = np.fromfile(path, np.uint8, -1 if most is None else most)
    return Text(symbols=data, offsets=np.array([0, len(data)], np.int64), source_bytes=len(data))


def level_of(kind: str, train: Text, folder: Path, **fields: Any) -> Level:
    part = registry().get("coder", kind)
    config = part.config(**fields)
    folder.mkdir()
    part.factory(config).fit(train, 256, folder)
    coder = part.factory(config)
    coder.load(folder)
    vocabulary: int = fields["vocabulary"]
    return Level(
        LevelSpec(
            name=kind,
            alphabet=256,
            segment=SEGMENT,
            windowing=Windowing(bits=None, symbols=None),
            coder=coder,
            flags=config,
            token_bits=(vocabulary - 1).bit_length(),
            vocabulary=vocabulary,
        )
    )


def gigatoken_of(train: Text, vocabulary: int, folder: Path) -> Any:
    """Byte-level BPE with GPT-2's cutting, trained by `tokenizers`, loaded by gigatoken."""
    from gigatoken import Tokenizer as Fast
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    slow = Tokenizer(models.BPE())
    slow.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    whole = train.symbols.tobytes().decode("utf-8", "ignore")
    slow.train_from_iterator([whole[at : at + SEGMENT] for at in range(0, len(whole), SEGMENT)], trainer)
    slow.save(str(folder / "tokenizer.json"))
    return Fast(folder / "tokenizer.json")


def turns(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of processor time of each job."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for job in jobs.values():
        job()
    for _ in range(rounds):
        for name, job in jobs.items():
            begun = time.process_time()
            job()
            seconds[name].append(time.process_time() - begun)
    return {name: statistics.median(some) for name, some in seconds.items()}


def coding(fit: Text, code: Text, vocabulary: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        levels = {
            "longest": level_of("phrases", fit, folder / "a", vocabulary=vocabulary, parse="longest"),
            "optimal": level_of("phrases", fit, folder / "b", vocabulary=vocabulary),
        }
        giga = gigatoken_of(fit, vocabulary, folder)
    data = code.symbols.tobytes()
    coded = {kind: level.encode(code.symbols).tokens for kind, level in levels.items()}
    theirs = giga.encode(data)
    jobs: dict[str, Callable[[], Any]] = {"gigatoken encode": lambda: giga.encode(data)}
    jobs["gigatoken decode"] = lambda: giga.decode(theirs)
    for kind, level in levels.items():
        assert level.decode(coded[kind]).symbols.tobytes() == data
        jobs[f"{kind} encode"] = lambda level=level: level.encode(code.symbols)  # type: ignore[misc]
        jobs[f"{kind} decode"] = lambda level=level, kind=kind: level.decode(coded[kind])  # type: ignore[misc]
    seconds = turns(jobs, rounds)
    sizes = {"gigatoken": len(theirs), **{kind: len(tokens) for kind, tokens in coded.items()}}
    print(f"{len(data):,} bytes, V = {vocabulary:,}")
    for job, taken in seconds.items():
        kind, what = job.split()
        ratio = seconds[f"gigatoken {what}"] / taken
        print(f"{job:18} {len(data) / 1e6 / taken:8.1f} MB/s  x{ratio:5.2f}  {len(data) / sizes[kind]:.3f} bytes/token")


def training(fit: Text, vocabulary: int) -> None:
    seconds = {}
    with tempfile.TemporaryDirectory() as name:
        small = Text(symbols=fit.symbols[: 1 << 16], offsets=np.array([0, 1 << 16]), source_bytes=1 << 16)
        for kind, fields in {
            "sentencepiece": {"model": "unigram"},
            "phrases": {},
            "phrases, longest": {"objective": "use", "parse": "longest"},
            "phrases, one word": {"words": 1},
        }.items():
            part = registry().get("coder", kind.split(",")[0])
            if kind.startswith("phrases"):  # compiled once for all processes, so not counted
                part.factory(part.config(vocabulary=1000, **fields)).fit(small, 256, Path(name))
            config = part.config(vocabulary=vocabulary, sample=1 << 34, **fields)
            begun = time.process_time()
            part.factory(config).fit(fit, 256, Path(name))
            seconds[kind] = time.process_time() - begun
            print(f"{kind:18} {seconds[kind]:8.1f} s  x{seconds['sentencepiece'] / seconds[kind]:6.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--code", type=Path, nargs="*", default=[])
    parser.add_argument("--fit-bytes", type=int)
    parser.add_argument("--vocabulary", type=int, default=65_536)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--train-against-sentencepiece", action="store_true")
    given = parser.parse_args()
    fit = text_of(given.fit, given.fit_bytes)
    if given.train_against_sentencepiece:
        training(fit, given.vocabulary)
    for path in given.code:
        coding(fit, text_of(path, None), given.vocabulary, given.rounds)


if __name__ == "__main__":
    main()
