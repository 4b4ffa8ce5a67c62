"""Bits by block: all of them, in the block of the symbol's first byte, whatever the levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stackc
from recipes_of_tests import HEAD, corpus, counting_twice, zipped
from stackc.api.errors import ArtifactError
from stackc.coding.documents import Encoding
from stackc.stack.blocks import BLOCK, Blocks, BlockTally, load_blocks
from stackc.stack.stack import Stack


def pieces() -> str:
    coder = '[level.coder]\nkind = "bpe"\nvocabulary = 300\n'
    return (
        HEAD.format(name="pieces", segment=500)
        + f'[[level]]\n[level.windowing]\nkind = "whole"\n{coder}'
        + '[top]\n[top.model]\nbackend = "unigram"\n'
    )


def build(folder: Path, text: str) -> Stack:
    corpus(folder)
    (folder / "recipe.toml").write_text(text)
    return stackc.build(folder / "recipe.toml", folder / "stack")


@pytest.mark.parametrize("text", [counting_twice(), zipped(), pieces()], ids=["counted", "gzip", "bpe"])
def test_blocks_hold_all_bits_of_every_model(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents shorter, longer and much longer than a block, and an empty one."""
    monkeypatch.setattr("stackc.stack.blocks.BLOCK", 64)
    stack = build(tmp_path, text)
    documents = [b"It is a truth", b"", b"universally acknowledged, that a single man " * 9, b"x" * 64]
    found = stack.evaluate(documents)
    blocks = found.blocks
    assert blocks.source_bytes.tolist() == [13, *[64] * 6, len(documents[2]) - 384, 64]
    assert blocks.document.tolist() == [0, *[2] * 7, 3]
    assert list(blocks.bits) == [row.name for row in found.levels if row.model_bits_per_byte is not None]
    for row in found.levels:
        if row.name in blocks.bits:
            assert row.model_bits_per_byte is not None
            assert blocks.bits[row.name].sum() == pytest.approx(row.model_bits_per_byte * found.source_bytes)
    assert "blocks" not in found.to_dict()


def test_a_token_belongs_to_the_block_in_which_it_begins(tmp_path: Path) -> None:
    """Read off the pieces themselves."""
    stack = build(tmp_path, pieces())
    text = (tmp_path / "train-a.txt").read_bytes()[: 3 * BLOCK]
    text = (text * 9)[: 2 * BLOCK + 5]
    blocks = stack.evaluate([text]).blocks
    bits = np.zeros(3)
    at = 0
    costs = 24 - np.log2(next(iter(stack.top.score(np.array([0]))))[0].astype(float))  # of a unigram model
    for token in stack.levels[0].encode(np.frombuffer(text, np.uint8)).tokens:
        bits[at // BLOCK] += costs[token]
        at += len(stack.levels[0].decode(np.array([token])).symbols)
    assert at == len(text)
    assert blocks.bits["M2"] == pytest.approx(bits)


class Fake:
    """A level whose windows have so many tokens each; None: any number."""

    def __init__(self, window_tokens: int | None) -> None:
        self.window_tokens = window_tokens


@pytest.mark.parametrize(("per", "expected"), [(2, [3.0, 1.0]), (None, [4.0, 0.0])])
def test_tokens_of_a_window_share_its_bytes_evenly(per: int | None, expected: list[float]) -> None:
    """Two windows of two tokens, the second of four bytes, one before the border of blocks: its last token is behind.

    If windows may have any number of tokens, all four share the document.
    """
    tally = BlockTally(np.array([0, BLOCK + 3]))
    coded = Encoding(tokens=np.zeros(4, np.uint8), offsets=np.array([0, 4]), starts=np.array([0, BLOCK - 1]))
    tally.ascend(Fake(per), coded, np.array([0, BLOCK + 3]))  # type: ignore[arg-type]
    assert tally.add("top", [np.ones(4)]) == 4.0
    assert tally.blocks().bits["top"].tolist() == expected


def test_blocks_survive_the_disk_and_damage_is_seen(tmp_path: Path) -> None:
    sizes = np.array([3, 4], np.int64)
    whole = Blocks(document=np.array([0, 1]), source_bytes=sizes, bits={"M1": np.array([0.5, 8.0])})
    whole.save(tmp_path)
    found = load_blocks(tmp_path)
    assert found is not None
    assert (found.document.tolist(), found.source_bytes.tolist()) == ([0, 1], [3, 4])
    assert found.bits["M1"].tolist() == [0.5, 8.0]
    assert load_blocks(tmp_path / "none") is None
    for bits in (np.array([1.0]), np.array([1.0, np.nan])):
        Blocks(document=np.array([0, 1]), source_bytes=sizes, bits={"M1": bits}).save(tmp_path)
        with pytest.raises(ArtifactError, match="not readable blocks"):
            load_blocks(tmp_path)
