"""A stack, a text, and peers that misbehave: shared by the tests of `stackc bench`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import stackc
import stackc.bench
from bench_toys import FAKES
from recipes_of_tests import HEAD, TEXT, corpus, level
from stackc.bench.entrants import PEERS

RECIPE = (
    HEAD.format(name="pair", segment=200)
    + level("M1", 'kind = "equal-info"\nbits = 9', "arithmetic", 9, 'backend = "unigram"')
    + level("M2", 'kind = "equal-info"\nbits = 10', "static-unigram", 10)
    + '[top]\nname = "M3"\n[top.model]\nbackend = "unigram"\n'
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a stack and a text, and the fakes among the peers."""
    folder = tmp_path_factory.mktemp("bench")
    corpus(folder)
    (folder / "pair.toml").write_text(RECIPE)
    stackc.build(folder / "pair.toml", folder / "pair")
    (folder / "text").write_text("Held out: " + TEXT * 5)
    (folder / "primer").write_text("Seen before: " + TEXT * 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for name, peer in FAKES.items():
            patch.setitem(PEERS, name, peer)
        yield folder
