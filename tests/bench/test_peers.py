"""The peers of `stackc bench` as they are installed: what they restore, and what they are given."""

from __future__ import annotations

import copy
import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench_toys import row
from recipes_of_tests import TEXT
from stackc.bench import benchmark
from stackc.bench.codecs import Codec, TextCodec, Zpaq
from stackc.bench.entrants import PEERS, Peer, chosen


def test_a_primer_and_the_file_are_one_block_of_zpaq() -> None:
    """Of blocks of 64 MB, the file's own would have seen only the end of a long primer."""
    (_, peer, _), asked = chosen(["zpaq"])[0], []
    codec = Zpaq(**{**peer.settings, "module": "zlib", "variant": "5"})
    codec._library = SimpleNamespace(compress=lambda data, **settings: asked.append(settings) or data)
    for size in (1000, (1 << 26) - 4096, (1 << 26) - 4095, 1 << 27, 140_000_000, 1 << 40):
        fresh = copy.deepcopy(codec._settings)
        codec.reach(size)
        codec.encode(b"")
        codec._settings = fresh
    level = {"level": 5, "threads": 1}
    assert asked == [level, level, *({"method": f"5{block}", "threads": 1} for block in (7, 8, 8, 11))]


COMPRESSORS = ["bzip2", "xz:0", "zstd:19", "brotli:5", "ppmd", "kanzi:7", "zpaq:3"]


@pytest.fixture(scope="module")
def real(place: Path) -> dict[str, Any]:
    """One run with real peers, on text with more in it than ASCII."""
    odd = "naïve — “quoted”\r\n\n\t日本語 " + TEXT * 3
    (place / "odd").write_text(odd, encoding="utf-8", newline="")
    against = [
        *COMPRESSORS, "tiktoken", "tokenizers", "gigatoken", "fastokens", "tokie", "sentencepiece",
        "sentencepiece:unigram",
    ]  # fmt: skip
    primer = place / "primer"
    return benchmark(place / "pair", place / "odd", against=against, level="M1", repeats=1, primed_by=primer)


def installed(name: str) -> None:
    for package in PEERS[name.partition(":")[0]].packages:
        pytest.importorskip(package)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_compressors_restore(real: dict[str, Any], name: str) -> None:
    installed(name)
    assert row(real, name)["restored"] is True
    assert row(real, name)["bits_per_byte"] < 4
    assert 0 < row(real, name)["primed_bytes"] <= row(real, name)["compressed_bytes"]


@pytest.mark.parametrize("name", ["ppmd", "ppmd:2", "kanzi", "zpaq"])
def test_context_mixers_restore_whatever_they_are_given(name: str) -> None:
    installed(name)
    ((_, peer, variant),) = chosen([name])
    codec = open_codec(peer, variant)
    noise = np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8).tobytes()
    for data in (b"a\0", TEXT.encode() + noise + bytes(3000)):  # a last zero byte is not written by PPMd
        codec.reach(len(data))
        encoded = codec.encode(codec.prepare(data))
        assert len(encoded) <= len(data) + 500, "a zpaq file begins with the program that decodes it"
        assert codec.restore(codec.decode(encoded)) == data


def test_kanzi_is_given_one_block_for_primer_and_file() -> None:
    installed("kanzi")
    ((_, peer, variant),) = chosen(["kanzi:1"])
    codec = open_codec(peer, variant)
    half = np.random.default_rng(0).integers(0, 256, 5 << 20, dtype=np.uint8).tobytes()
    assert codec.size(codec.encode(half * 2)) > 1.9 * len(half), "its own blocks have 4 MiB and see no repetition"
    codec.reach(2 * len(half))
    assert codec.size(codec.encode(half * 2)) < 1.1 * len(half)


def open_codec(peer: Peer, variant: str | None) -> Codec:
    module, _, name = peer.codec.partition(":")
    codec: Codec = getattr(importlib.import_module(module), name)(**peer.settings, variant=variant)
    return codec


@pytest.mark.parametrize("name", ["gigatoken", "fastokens", "tokie"])
def test_peers_that_read_the_file_of_tokenizers_make_its_tokens(real: dict[str, Any], name: str) -> None:
    installed(name)
    theirs, reference = row(real, name), row(real, "tokenizers")
    assert theirs["skipped"] is None
    assert theirs["restored"] is True
    assert (theirs["tokens"], theirs["vocabulary"]) == (reference["tokens"], reference["vocabulary"])


def test_tiktoken_and_tokenizers_have_one_vocabulary(real: dict[str, Any]) -> None:
    installed("tiktoken")
    both = [row(real, name) for name in ("tiktoken", "tokenizers")]
    assert [one["restored"] for one in both] == [True, True]
    assert both[0]["tokens"] == both[1]["tokens"] < real["bytes"] / 1.5
    assert both[0]["vocabulary"] == both[1]["vocabulary"] <= 512


def test_sentencepiece_restores_and_says_what_it_refuses(real: dict[str, Any]) -> None:
    installed("sentencepiece")
    assert row(real, "sentencepiece")["restored"] is True
    assert row(real, "sentencepiece")["vocabulary"] == 512
    assert row(real, "sentencepiece:unigram")["skipped"].startswith("cannot be trained: Vocabulary size")


class Unchanged(TextCodec):
    def encode(self, prepared: list[str]) -> list[str]:
        return prepared

    decode = encode


def test_bytes_that_are_no_text_do_not_come_back_from_a_tokenizer_of_text() -> None:
    codec = Unchanged()
    assert codec.restore(codec.prepare(b"caf\xc3\xa9")) == b"caf\xc3\xa9"
    assert codec.restore(codec.prepare(b"caf\xe9")) != b"caf\xe9"


def test_a_peers_start_up_is_its_own() -> None:
    """Nothing that the stack needs is imported in a peer's worker, and no peer by who only lists them."""
    peers = sorted({package for peer in PEERS.values() for package in peer.packages})
    for module, heavy in (("worker", ["numpy", "numba", "attrs", "rich"]), ("entrants", peers), ("run", ["numba"])):
        code = f"import sys, stackc.bench.{module}\nsys.exit(str(set({heavy}) & set(sys.modules) or ''))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
        assert done.stderr.strip() == "", module


def test_every_peer_has_a_codec() -> None:
    """The classes exist and do all that a codec does, whether or not the library is installed."""
    for peer in PEERS.values():
        module, _, name = peer.codec.partition(":")
        if not module.startswith("stackc."):  # the fakes
            continue
        codec = getattr(importlib.import_module(module), name)
        assert issubclass(codec, Codec), peer.name
        assert not codec.__abstractmethods__, peer.name
        assert peer.default is None or peer.default in peer.variants
