"""The coders `bpe` and `sentencepiece`: no loss, what their libraries write, and all that can be wrong."""

from __future__ import annotations

import io
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes_of_tests import HEAD, TEXT, corpus
from stackc.api import ArtifactError, CodingError, PluginError, RecipeError, Text, write_tensors
from stackc.coding.trial import check_part
from stackc.interop.dictionary_texts import code_counts, texts_of_level
from stackc.interop.token_strings import byte_letters, token_pieces
from stackc.parts.registry import registry
from stackc.pipeline.build import build
from stackc.recipe import load_recipe
from stackc.stack.stack import Stack
from stackc.testing.piececoders import PieceCoderContract

CODERS: dict[str, dict[str, Any]] = {
    "bpe": {"vocabulary": 300},
    "unigram": {"vocabulary": 330},
    "sp-bpe": {"vocabulary": 330, "model": "bpe"},
}


def made(name: str, **fields: Any) -> Any:
    part = registry().get("coder", "bpe" if name == "bpe" else "sentencepiece")
    return part.factory(part.config(**{**CODERS[name], **fields}))


def text_of(*documents: bytes) -> Text:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return Text(symbols=np.frombuffer(b"".join(documents), np.uint8), offsets=offsets, source_bytes=int(offsets[-1]))


ENGLISH = text_of((TEXT * 5).encode(), "naïve ▁ \u2585 café\n\n".encode() * 9)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    ready = {}
    for name in CODERS:
        folder = tmp_path_factory.mktemp(name)
        made(name).fit(ENGLISH, 256, folder)
        ready[name] = made(name)
        ready[name].load(folder)
    return ready


def encode(coder: Any, data: bytes) -> list[int]:
    tokens, _ = coder.encode(np.frombuffer(data, np.uint8), np.array([0, len(data)]))
    found: list[int] = tokens.tolist()
    return found


def decode(coder: Any, tokens: list[int]) -> bytes:
    symbols, offsets = coder.pieces()
    return b"".join(symbols[offsets[token] : offsets[token + 1]].tobytes() for token in tokens)


AWKWARD = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from([b" ", b"\n", b"\0", b"\r\n", "▁".encode(), b"\xe2\x96", b"\xed\xa0\x80", b"<0x41>", b"<unk>",
                         b"</s>", "\ufffd".encode(), "\u2047".encode(), "\u2585".encode(), b"the", b"\xff", b"\t"]),
        max_size=25,
    ).map(b"".join),
)  # fmt: skip


@pytest.mark.parametrize("name", CODERS)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=AWKWARD)
def test_any_bytes_come_back(fitted: dict[str, Any], name: str, data: bytes) -> None:
    assert decode(fitted[name], encode(fitted[name], data)) == data


@pytest.mark.parametrize("name", CODERS)
def test_text_as_that_it_was_fitted_to_is_in_few_tokens(fitted: dict[str, Any], name: str) -> None:
    assert len(encode(fitted[name], TEXT.encode())) < len(TEXT) / 1.5


def test_bpe_merges_as_the_library_does(tmp_path: Path) -> None:
    """With the merges of the library's own byte-level BPE, on text without a byte beyond ASCII."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    peer = Tokenizer(models.BPE())
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, min_frequency=2, initial_alphabet=alphabet, show_progress=False)
    peer.train_from_iterator([TEXT * 5 + "\n\n\t  It's 421 ... (42)  \n" * 9], trainer)
    tokens = {letter: byte for byte, letter in enumerate(byte_letters())}
    merges = []
    for left, right in json.loads(peer.to_str())["model"]["merges"]:
        merges.append((tokens[left], tokens[right]))
        tokens[left + right] = len(tokens)
    write_tensors(tmp_path / "bpe.safetensors", {"merges": np.array(merges, np.int32)})
    own = made("bpe", vocabulary=400)
    own.load(tmp_path)
    data = f"It's  42 (421)\t\r\n\n  {TEXT}...\0"
    assert encode(own, data.encode()) == [tokens[piece] for piece in peer.encode(data).tokens]


def test_sentencepiece_writes_what_the_library_writes(fitted: dict[str, Any]) -> None:
    for name in ("unigram", "sp-bpe"):
        coder = fitted[name]
        assert encode(coder, TEXT.encode()) == coder._processor.encode(TEXT)


def test_a_library_that_loses_text_is_found_out(fitted: dict[str, Any]) -> None:
    """A window that is not restored is coded in byte pieces."""
    coder = made("unigram")
    coder.__dict__.update(fitted["unigram"].__dict__)

    class Lossy:
        def encode(self, texts: list[str], num_threads: int) -> Any:
            return [[0] for _ in texts]  # the unknown piece

    coder._processor = Lossy()
    assert encode(coder, b"text") == [coder._bytes[byte] for byte in b"text"]


# -- what is wrong


@pytest.mark.parametrize("name", CODERS)
def test_not_fitted_or_not_bytes(name: str, tmp_path: Path) -> None:
    with pytest.raises(CodingError, match="fit it to a text"):
        encode(made(name), b"x")
    with pytest.raises(CodingError, match="not an alphabet of 300"):
        made(name).fit(ENGLISH, 300, tmp_path)


def test_text_without_characters(tmp_path: Path) -> None:
    raw = text_of(b"\xff\x00" * 500)
    with pytest.raises(
        CodingError, match="cannot be trained to 330 tokens on this text: it has no characters"
    ) as caught:
        made("unigram").fit(raw, 256, tmp_path)
    assert "\n" not in str(caught.value)
    assert ".cc" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    made("bpe").fit(raw, 256, tmp_path)
    coder = made("bpe")
    coder.load(tmp_path)
    assert decode(coder, encode(coder, b"\xff\x00\xff")) == b"\xff\x00\xff"


@pytest.mark.parametrize("name", ["unigram", "sp-bpe"])
def test_more_characters_than_tokens(name: str, tmp_path: Path) -> None:
    """The least vocabulary is told, and it is enough; no line of the library's own source is quoted."""
    text = text_of("".join(map(chr, range(0x4E00, 0x4F00))).encode() * 3)
    with pytest.raises(CodingError) as caught:
        made(name, vocabulary=300).fit(text, 256, tmp_path)
    assert str(caught.value) == (
        "sentencepiece cannot be trained to 300 tokens on this text: its bytes and common characters alone are 513; "
        "give a vocabulary of as many or more, or a lower coverage"
    )
    made(name, vocabulary=513).fit(text, 256, tmp_path)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("INTERNAL: src/x.cc(7) [(a) <= (b)] Vocabulary size too high (9).", "Vocabulary size too high (9); try"),
        ("INTERNAL: src/x.cc(7) [!a.empty()]", "it does not say why; try"),
        ("Not found: no disk", "Not found: no disk; try"),
    ],
)
def test_other_failures_of_sentencepiece_are_told_without_its_source(reason: str, said: str) -> None:
    from stackc_subword.sentencepiece_coder import _why_not

    assert _why_not(reason).startswith(said)


@pytest.mark.parametrize(
    ("merges", "reason"),
    [
        (np.array([[0, 256]], np.int32), "not there yet"),
        (np.array([[-1, 3]], np.int32), "not there yet"),
        (np.array([[0, 1]], np.int64), "no merges"),
        (np.array([0, 1], np.int32), "no merges"),
        (np.array([[97, 98 + i] for i in range(60)], np.int32), "316 tokens, more than the 300"),
        (np.array([[0, 0], *([256 + i, 256 + i] for i in range(40))], np.int32), "more than 16777216 bytes"),
    ],
)
def test_merges_that_are_none(merges: Any, reason: str, tmp_path: Path) -> None:
    write_tensors(tmp_path / "bpe.safetensors", {"merges": merges})
    with pytest.raises(ArtifactError, match=reason):
        made("bpe").load(tmp_path)


def test_two_merges_of_one_text_are_one_token(tmp_path: Path) -> None:
    merges = np.array([[97, 98], [98, 99], [256, 99], [97, 257], [258, 258]], np.int32)
    write_tensors(tmp_path / "bpe.safetensors", {"merges": merges})
    coder = made("bpe")
    coder.load(tmp_path)
    assert coder.texts[256:] == [b"ab", b"bc", b"abc", b"abcabc"]
    assert decode(coder, encode(coder, b"abcabc abc bc")) == b"abcabc abc bc"


def test_hostile_models_are_errors_or_lose_nothing(tmp_path: Path) -> None:
    """Bytes of a model changed at random: it is refused, or codes without loss."""
    made("unigram").fit(ENGLISH, 256, tmp_path)
    path = tmp_path / "sentencepiece.model"
    good, rng = path.read_bytes(), np.random.default_rng(5)
    refused = 0
    for _ in range(150):
        bad = bytearray(good)
        for at in rng.integers(0, len(bad), rng.integers(1, 9)):
            bad[at] = rng.integers(256)
        path.write_bytes(bad)
        coder = made("unigram")
        try:
            coder.load(tmp_path)
        except ArtifactError:
            refused += 1
            continue
        assert decode(coder, encode(coder, TEXT.encode() + b"\xff")) == TEXT.encode() + b"\xff"
    assert 0 < refused < 150


@pytest.mark.parametrize(("kind", "package"), [("bpe", "tokenizers"), ("sentencepiece", "sentencepiece")])
def test_without_the_package(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    part = registry().get("coder", kind)
    with pytest.raises(PluginError, match=rf'part {kind} needs {package}: pip install "stackc\[{kind}\]"'):
        part.factory(part.config())


@pytest.mark.parametrize("kind", ["bpe", "sentencepiece"])
def test_the_part_checks(kind: str) -> None:
    verdict = check_part(registry().get("coder", kind))
    assert verdict.problems == []
    assert "tables fitted" in verdict.notes[0]


# -- in a stack


def recipe(folder: Path, coder: str, windowing: str = 'kind = "whole"', more: str = "") -> Path:
    corpus(folder)
    text = HEAD.format(name="subword", segment=400)
    text += f"[[level]]\n[level.windowing]\n{windowing}\n[level.coder]\n{coder}\n{more}"
    (folder / "r.toml").write_text(f'{text}[top]\n[top.model]\nbackend = "unigram"\n')
    return folder / "r.toml"


KINDS = {"bpe": 'kind = "bpe"\nvocabulary = 300', "sentencepiece": 'kind = "sentencepiece"\nvocabulary = 320'}


@pytest.fixture(scope="module", params=KINDS)
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    folder = tmp_path_factory.mktemp(request.param)
    return build(load_recipe(recipe(folder, KINDS[request.param])), folder / "out")


DATA = TEXT.encode() + b"\xff\0 end"


def test_a_stack_of_pieces(stack: Stack) -> None:
    level = stack.levels[0]
    assert level.token_alphabet == stack.recipe.top.alphabet == level.spec.vocabulary
    assert stack.decode(stack.encode(DATA)) == DATA
    assert np.concatenate(list(stack.encode_stream([DATA[:100], DATA[100:]]))).tolist() == stack.encode(DATA).tolist()
    assert b"".join(stack.decode_stream(iter([stack.encode(DATA)]))) == DATA
    figures = stack.evaluate([DATA])
    assert figures.round_trip
    assert figures.levels[0].token_bits == pytest.approx(np.log2(level.token_alphabet))
    packed, back = io.BytesIO(), io.BytesIO()
    stack.compress(io.BytesIO(DATA), packed)
    stack.decompress(io.BytesIO(packed.getvalue()), back)
    assert back.getvalue() == DATA


@pytest.mark.parametrize(
    "prompt", [b"", b"It is a tru", b"universally ack", b"\xff\xe2\x96", b"\0", TEXT.encode()[:400]]
)
def test_generated_text_starts_with_the_prompt(stack: Stack, prompt: bytes) -> None:
    for seed in range(3):
        assert stack.generate(prompt, tokens=6, seed=seed).startswith(prompt)


def test_texts_of_tokens(stack: Stack) -> None:
    level = stack.levels[0]
    pieces = token_pieces([level], level.token_alphabet)
    assert len(set(pieces)) == level.token_alphabet
    assert sum("the" in piece for piece in pieces) >= 1
    name = stack.recipe.levels[0].name
    listed = list(texts_of_level(stack, name, code_counts(stack, name), limit=20))
    assert all(one.data and one.count for one in listed)
    assert [one.count for one in listed] == sorted((one.count for one in listed), reverse=True)


def test_pieces_below_a_level_of_windows(tmp_path: Path) -> None:
    """What the level above reads are the V tokens; a prompt passes through both."""
    more = '[[level]]\n[level.windowing]\nkind = "equal-info"\nbits = 18\n[level.coder]\nkind = "static-unigram"\n'
    path = recipe(tmp_path, KINDS["bpe"], more=more + "[level.tokens]\nbits = 9\n")
    loaded = load_recipe(path)
    assert [section.alphabet for section in loaded.levels] == [256, 300]
    made = build(loaded, tmp_path / "out")
    assert made.decode(made.encode(DATA)) == DATA
    assert made.generate(b"It is a tru", tokens=4, seed=1).startswith(b"It is a tru")


def problems(path: Path) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    return str(caught.value)


def test_recipes_that_cannot_work(tmp_path: Path) -> None:
    found = problems(recipe(tmp_path, 'kind = "bpe"\nvocabulary = 256', more="[level.tokens]\nbits = 8\n"))
    assert "level.1.coder.vocabulary: 256 is below 257" in found
    found = problems(recipe(tmp_path, KINDS["bpe"], more="[level.tokens]\nbits = 8\n"))
    assert "level.1.tokens: has no effect: coder 'bpe' sets its own vocabulary; remove it" in found
    found = problems(recipe(tmp_path, KINDS["sentencepiece"], 'kind = "equal-info"\nbits = 16'))
    assert "coder 'sentencepiece' cannot keep to the 16 bits that windowing 'equal-info' gives a window" in found
    found = problems(recipe(tmp_path, KINDS["bpe"], more='[level.model]\nbackend = "unigram"\n'))
    assert "level.1.model: coder 'bpe' needs no model; remove it" in found
    more = f'[[level]]\n[level.windowing]\nkind = "whole"\n[level.coder]\n{KINDS["sentencepiece"]}\n'
    found = problems(recipe(tmp_path, KINDS["bpe"], more=more))
    assert "level.2.coder.kind: 'sentencepiece' codes bytes, and this level reads 300 symbols" in found


def test_the_suite_finds_what_is_wrong(fitted: dict[str, Any]) -> None:
    class Forgetful:
        """Drops the last symbol of every window."""

        budget, ends, total, needs_model = False, True, True, False

        def pieces(self) -> Any:
            return np.arange(256), np.arange(257)

        def encode(self, symbols: Any, bounds: Any) -> Any:
            kept = [symbols[low : high - 1] for low, high in itertools.pairwise(bounds)]
            return np.concatenate([np.empty(0, np.uint32), *kept]).astype(np.uint32), np.array([len(k) for k in kept])

    class Suite(PieceCoderContract):
        def fitted(self) -> Any:
            return Forgetful()

    Suite().test_pieces_are_runs_of_symbols()
    with pytest.raises(AssertionError):
        Suite().test_windows_are_coded_alone()
