"""The coder `phrases`: the rule of words, the parse against its twin, training, and all that can be wrong."""

from __future__ import annotations

import itertools
import lzma
import math
import re
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes_of_tests import TEXT
from registered import windowing
from stackc.api import (
    WORD_RULE,
    ArtifactError,
    CodingError,
    StackcError,
    Text,
    log2_fixed,
    read_tensors,
    write_tensors,
)  # fmt: skip
from stackc.api.word_borders import WIDE, find_words
from stackc.coding.trial import check_part
from stackc.parts.registry import registry
from stackc_phrases import PhrasesConfig, doctor, longest, twin
from stackc_phrases import coder as coder_of_phrases
from stackc_phrases.candidates import sampled
from stackc_phrases.coder import PhrasesCoder
from stackc_phrases.fitting import COST_BITS, Trainer, fitted
from stackc_phrases.pieces import FILE, Pieces
from stackc_phrases.words import words_of, words_of_piece

CONFIGS = {
    "longest": PhrasesConfig(vocabulary=600, objective="use", parse="longest", share=0.4, rounds=4),
    "optimal": PhrasesConfig(vocabulary=600, share=0.4, surcharge=0, rounds=4),
    "words": PhrasesConfig(vocabulary=500, parse="longest", words=1, rounds=3),
}


def text_of(*documents: bytes) -> Text:
    offsets = np.cumsum([0, *map(len, documents)], dtype=np.int64)
    return Text(symbols=np.frombuffer(b"".join(documents), np.uint8), offsets=offsets, source_bytes=int(offsets[-1]))


MORE = "It's not 1,024 of 4096; don't.  The naïve café...\n\n\tthey'll (x = 3)\r\n"
DATA = Path(__file__).parents[3] / "recipes" / "data" / "test.txt.xz"
NOVEL = lzma.decompress(DATA.read_bytes())[: 1 << 16]
ENGLISH = text_of(NOVEL, b"", (MORE * 20).encode(), TEXT.encode())


@pytest.fixture(scope="module")
def coders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PhrasesCoder]:
    made = {}
    for name, config in CONFIGS.items():
        folder = tmp_path_factory.mktemp(name)
        PhrasesCoder(config).fit(ENGLISH, 256, folder)
        made[name] = PhrasesCoder(config)
        made[name].load(folder)
    return made


def encode(coder: PhrasesCoder, *windows: bytes) -> list[list[int]]:
    bounds = np.cumsum([0, *map(len, windows)], dtype=np.int64)
    tokens, counts = coder.encode(np.frombuffer(b"".join(windows), np.uint8), bounds)
    ends = np.cumsum([0, *counts.tolist()])
    return [tokens[low:high].tolist() for low, high in itertools.pairwise(ends)]


def decode(coder: PhrasesCoder, tokens: list[int]) -> bytes:
    symbols, offsets = coder.pieces()
    return b"".join(symbols[offsets[token] : offsets[token + 1]].tobytes() for token in tokens)


AWKWARD = st.one_of(
    st.binary(max_size=80),
    st.lists(
        st.sampled_from([b" ", b" ", b"'", b"s", b"ll", b"'ll", b"'S", b"ve", b"T", b"\n", b"\r", b"\t", b"7", b"\xc3",
                         b".", b"a", b"\0", b" the", b" of the", b"It's", b" is a truth", b"  "]),
        max_size=90,
    ).map(b"".join),
)  # fmt: skip


# -- the rule of words


def borders(text: bytes) -> list[int]:
    places = np.zeros(len(text) + 1, np.int64)
    return places[: find_words(np.frombuffer(text, np.uint8), 0, len(text), places, 0)].tolist()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=AWKWARD, ahead=st.integers(0, 2 * WIDE))
def test_borders_are_those_of_the_regular_expression(data: bytes, ahead: int) -> None:
    """Also where a block of 64 bytes ends at any of them."""
    text = b"." * ahead + data
    words = words_of(text)
    assert b"".join(words) == text
    assert borders(text) == list(itertools.accumulate(map(len, words), initial=0))[:-1]


def test_all_short_texts_of_all_classes_are_cut_as_the_rule_says() -> None:
    for symbols in itertools.product(b"as'l .\n\t7\xe9", repeat=4):
        text = bytes(symbols)
        assert borders(text) == list(itertools.accumulate(map(len, words_of(text)), initial=0))[:-1]


def test_words_as_people_see_them() -> None:
    said = "It's what they'll\n\n   say, isn't it?  Don't 'sup o'clock x1234 ..."
    assert [word.decode() for word in words_of(said.encode())] == [
        "It", "'s", " what", " they", "'ll", "\n\n", "  ", " say", ",", " isn", "'t", " it", "?", " ", " Don", "'t",
        " '", "sup", " o", "'", "clock", " x", "1234", " ...",
    ]  # fmt: skip
    assert re.compile(WORD_RULE).groups == 0


def test_the_rule_is_that_of_windows_of_one_word() -> None:
    assert windowing("words").rule == WORD_RULE


# -- the parse


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=AWKWARD)
def test_any_bytes_are_cut_as_the_twin_cuts_them(coders: dict[str, PhrasesCoder], name: str, data: bytes) -> None:
    coder = coders[name]
    pieces, _ = coder._ready()
    tokens = {text: token for token, text in enumerate(pieces.texts)}
    several = {text for text, words in zip(pieces.texts, pieces.words, strict=True) if words > 1}
    (found,) = encode(coder, data)
    assert decode(coder, found) == data
    if name == "optimal":
        assert found == twin.cheapest(tokens, several, pieces.costs.tolist(), data)
    else:
        assert found == twin.longest(tokens, several, data)


@pytest.mark.parametrize("parse", ["longest", "optimal"])
def test_phrases_across_blocks_are_cut_as_the_twin_cuts_them(parse: Any, tmp_path: Path) -> None:
    """Words are looked up 256 at a time: phrases of up to 16 words begin and end on both sides of every border."""
    extra = {b" a" * 16: (16, 20), b" a" * 5: (5, 20), b" a": (1, 6), b" the a": (2, 9), b" a b a b": (4, 13)}
    made = doctor.hand_made()
    pieces = Pieces(
        texts=[*made.texts, *extra],
        words=np.append(made.words, [words for words, _ in extra.values()]).astype(np.uint8),
        costs=np.append(made.costs, [cost << COST_BITS for _, cost in extra.values()]).astype(np.int32),
    )
    pieces.write(tmp_path)
    coder = PhrasesCoder(PhrasesConfig(vocabulary=len(pieces.texts), parse=parse))
    coder.load(tmp_path)
    tokens = {text: token for token, text in enumerate(pieces.texts)}
    several = {text for text, words in zip(pieces.texts, pieces.words, strict=True) if words > 1}
    words = np.array([" a", " b", " the", " of", " thethem", " x" + "y" * 15, " unthinkable", " ."])
    for seed, count in enumerate((255, 256, 257, 272, 300)):
        chance = [0.7, 0.1, 0.08, 0.04, 0.02, 0.02, 0.02, 0.02]
        text = "".join(np.random.default_rng(seed).choice(words, count, p=chance)).encode()
        assert len(words_of(text)) == count
        (found,) = encode(coder, text)
        if parse == "optimal":
            assert found == twin.cheapest(tokens, several, pieces.costs.tolist(), text)
        else:
            assert found == twin.longest(tokens, several, text)


@pytest.mark.parametrize("vocabulary", [0, 70_000], ids=["16 bits", "32 bits"])
def test_words_that_are_remembered_are_cut_as_the_twin_cuts_them(
    vocabulary: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words of every length, of one token and of many, met again after others took their places; also at the end."""
    monkeypatch.setattr(longest, "NEAR_BITS", 2)
    monkeypatch.setattr(longest, "FAR_BITS", 3)
    pieces = doctor.hand_made()
    pieces.write(tmp_path)
    coder = PhrasesCoder(PhrasesConfig(vocabulary=vocabulary or len(pieces.texts), parse="longest"))
    coder.load(tmp_path)
    tokens = {text: token for token, text in enumerate(pieces.texts)}
    several = {text for text, words in zip(pieces.texts, pieces.words, strict=True) if words > 1}
    words = [b" " + (start * 40)[:size] for size in range(1, 40) for start in (b"the", b"un", b"z", b"\xe9")]
    order = np.random.default_rng(0).permutation(2 * len(words)) % len(words)
    windows = [b"".join(words[number] for number in some) for some in order.reshape(-1, 4)]
    expected = [twin.longest(tokens, several, window) for window in windows]
    for _ in range(2):
        assert encode(coder, *windows) == expected
    for missing in (1, 7, 23):  # the text ends soon after its last words
        last = windows[-1][:-missing]
        assert encode(coder, *windows[:-1], last) == [*expected[:-1], twin.longest(tokens, several, last)]


def test_the_vocabulary_holds_words_and_phrases(coders: dict[str, PhrasesCoder]) -> None:
    for name, coder in coders.items():
        pieces, _ = coder._ready()
        assert len(pieces.texts) == CONFIGS[name].vocabulary
        assert (pieces.words.max() > 1) == (CONFIGS[name].words > 1)
        for text, words in zip(pieces.texts, pieces.words.tolist(), strict=True):
            assert words == 1 or len(words_of_piece(text)) == words
        (found,) = encode(coder, TEXT.encode())
        assert len(found) < len(TEXT) / 2


def test_windows_of_one_word_hold_one_word(coders: dict[str, PhrasesCoder]) -> None:
    """Cut by words, no token holds more than one; cut not at all, a phrase does, and only from word to word."""
    coder = coders["longest"]
    pieces, _ = coder._ready()
    words = words_of(TEXT.encode())
    alone = [token for tokens in encode(coder, *words) for token in tokens]
    assert {int(pieces.words[token]) for token in alone} == {1}
    (whole,) = encode(coder, TEXT.encode())
    ends = set(itertools.accumulate(map(len, words)))
    at = 0
    for token in whole:
        assert pieces.words[token] == 1 or at in {0, *ends}
        at += len(pieces.texts[token])
        assert pieces.words[token] == 1 or at in ends
    assert len(whole) < len(alone)


@pytest.mark.parametrize("parse", ["longest", "optimal"])
def test_golden_cuts(parse: Any, tmp_path: Path) -> None:
    pieces = doctor.hand_made()
    pieces.write(tmp_path)
    coder = PhrasesCoder(PhrasesConfig(vocabulary=300, parse=parse))
    coder.load(tmp_path)
    (found,) = encode(coder, doctor.SAID.encode())
    assert "|".join(pieces.texts[token].decode() for token in found) == doctor.GOLDEN[parse]
    tokens = {text: token for token, text in enumerate(pieces.texts)}
    several = {text for text, words in zip(pieces.texts, pieces.words, strict=True) if words > 1}
    if parse == "optimal":
        assert found == twin.cheapest(tokens, several, pieces.costs.tolist(), doctor.SAID.encode())
    else:
        assert found == twin.longest(tokens, several, doctor.SAID.encode())


def test_the_self_test_sees_another_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "are right" in doctor.examine()
    monkeypatch.setitem(doctor.GOLDEN, "optimal", "It")
    with pytest.raises(StackcError, match="the optimal parse gave"):
        doctor.examine()


def test_what_was_coded_before_changes_nothing(
    coders: dict[str, PhrasesCoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coder that has learnt other words, until its table was full, cuts as a fresh one does."""
    monkeypatch.setattr(coder_of_phrases, "SLOTS", 1)
    rng = np.random.default_rng(3)
    for name in ("longest", "optimal"):
        coders[name]._pieces.write(tmp_path)  # type: ignore[union-attr]
        coder = PhrasesCoder(CONFIGS[name])
        coder.load(tmp_path)
        wanted = encode(coder, NOVEL[:5000])
        for _ in range(3):
            letters = rng.integers(97, 123, 30_000).astype(np.uint8)
            letters[rng.random(30_000) < 0.2] = 32
            made = encode(coder, letters.tobytes())
            assert decode(coder, made[0]) == letters.tobytes()
            full = coder._lexicons[0].full
            assert encode(coder, NOVEL[:5000]) == wanted
        assert full, "the table was too large for this test"


# -- training


def test_logarithms_are_those_of_floats() -> None:
    numbers = [1, 2, 3, 10, 255, 1 << 31, (1 << 31) + 12345, (1 << 40) - 1, (1 << 61) + 9]
    for number in numbers:
        assert log2_fixed(number) == pytest.approx(math.log2(number) * 2**COST_BITS, abs=1.01)


def test_tables_that_are_too_small_drop_the_rarest() -> None:
    """Frequent words are found as well, and what is fitted is still complete."""
    config = attrs.evolve(CONFIGS["optimal"], candidates=1 << 12)
    pieces = fitted(ENGLISH, config)
    every = fitted(ENGLISH, CONFIGS["optimal"])
    assert pieces.problem(config.vocabulary) is None
    common = set(every.texts[256:300])
    assert len(common & set(pieces.texts)) > 30


@pytest.mark.parametrize("name", CONFIGS)
def test_a_text_without_anything_leaves_the_bytes(name: str) -> None:
    for train in (text_of(), text_of(b""), text_of(b"\xff")):
        assert fitted(train, CONFIGS[name]).texts == [bytes([byte]) for byte in range(256)]


def test_a_contraction_at_a_border_makes_no_doubtful_phrase() -> None:
    """`'s` is two words where no letter comes before it, and one where one does: the same bytes are one piece."""
    train = text_of(*[b"'s the end"] * 300, *[b"it's the end"] * 300)
    pieces = fitted(train, PhrasesConfig(vocabulary=400, share=1.0, surcharge=0))
    assert pieces.problem(400) is None
    assert b"it's the end" in pieces.texts


def test_phrases_have_their_share_and_a_surcharge_makes_fewer_tokens() -> None:
    sizes = {}
    for share, surcharge in ((0.0, 0), (0.05, 0), (0.2, 0), (0.2, 8)):
        trainer = Trainer(ENGLISH, PhrasesConfig(vocabulary=600, share=share, surcharge=surcharge))
        pieces = trainer.run()
        assert int((pieces.words > 1).sum()) <= share * 600
        sizes[share, surcharge] = int(trainer.parts.uses.sum() + trainer.several.uses.sum())
    assert sizes[0.2, 8] < sizes[0.2, 0] < sizes[0.0, 0]
    assert sizes[0.05, 0] < sizes[0.0, 0]


def test_a_sample_is_spread_over_the_text() -> None:
    chunk = 1 << 16
    train = text_of(*(bytes([65 + i]) * chunk for i in range(20)))
    found, offsets = sampled(train, 5 * chunk)
    assert np.unique(found).tolist() == [65, 69, 73, 77, 81]
    assert offsets.tolist() == [i * chunk for i in range(6)]
    assert sampled(train, 1 << 30)[0].tobytes() == train.symbols.tobytes()


# -- what is wrong


def test_not_fitted_or_not_bytes(tmp_path: Path) -> None:
    with pytest.raises(CodingError, match="fit it to a text"):
        encode(PhrasesCoder(CONFIGS["longest"]), b"x")
    with pytest.raises(CodingError, match="not an alphabet of 300"):
        PhrasesCoder(CONFIGS["longest"]).fit(ENGLISH, 300, tmp_path)


def changed(name: str, value: Any) -> Any:
    def change(tensors: dict[str, Any]) -> None:
        tensors[name] = value(tensors[name]) if callable(value) else value

    return change


def at(index: int, value: int) -> Any:
    def change(tensor: Any) -> Any:
        tensor = tensor.copy()
        tensor[index] = value
        return tensor

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed("pieces", lambda data: data[:-1]), "do not add up"),
        (changed("pieces", lambda data: data.astype(np.int32)), "no pieces"),
        (changed("pieces", at(7, 8)), "not the 256 bytes"),
        (changed("lengths", at(300 - 40, 0)), "do not add up"),
        (changed("lengths", lambda data: data.reshape(1, -1)), "no lengths"),
        (changed("words", lambda data: data[:-1]), "words and costs of"),
        (changed("words", at(257, 0)), "fewer than one or more than 16 words"),
        (changed("words", at(257, 200)), "fewer than one or more than 16 words"),
        (changed("words", at(257, 2)), "piece 257 is not 2 words"),
        (changed("words", at(261, 3)), "piece 261 is not 3 words"),
        (changed("words", at(9, 2)), "not the 256 bytes"),
        (changed("costs", at(3, 0)), "a cost outside"),
        (changed("costs", at(3, -5)), "a cost outside"),
        (changed("costs", at(3, 2**31 - 1)), "a cost outside"),
        (changed("costs", lambda data: data.astype(np.int64)), "no costs"),
    ],
)
def test_tables_that_are_none(change: Any, reason: str, tmp_path: Path) -> None:
    doctor.hand_made().write(tmp_path)
    tensors = dict(read_tensors(tmp_path / FILE))
    change(tensors)
    write_tensors(tmp_path / FILE, tensors)
    with pytest.raises(ArtifactError, match=reason) as caught:
        PhrasesCoder(PhrasesConfig(vocabulary=300)).load(tmp_path)
    assert "\n" not in str(caught.value)


def test_too_many_pieces_and_equal_ones(tmp_path: Path) -> None:
    pieces = doctor.hand_made()
    pieces.write(tmp_path)
    with pytest.raises(ArtifactError, match="271 pieces, more than the 260 of the recipe"):
        PhrasesCoder(PhrasesConfig(vocabulary=260)).load(tmp_path)
    attrs.evolve(pieces, texts=[*pieces.texts[:-1], b" the"]).write(tmp_path)
    with pytest.raises(ArtifactError, match="two pieces are equal"):
        PhrasesCoder(PhrasesConfig(vocabulary=300)).load(tmp_path)


def test_hostile_files_are_errors_or_lose_nothing(coders: dict[str, PhrasesCoder], tmp_path: Path) -> None:
    """Bytes of a file changed at random: it is refused, or codes without loss."""
    for name in ("longest", "optimal"):
        coders[name]._pieces.write(tmp_path)  # type: ignore[union-attr]
        good, rng = (tmp_path / FILE).read_bytes(), np.random.default_rng(5)
        refused = 0
        for _ in range(60):
            bad = bytearray(good)
            for place in rng.integers(0, len(bad), rng.integers(1, 4)):
                bad[place] = rng.integers(256)
            (tmp_path / FILE).write_bytes(bad)
            coder = PhrasesCoder(CONFIGS[name])
            try:
                coder.load(tmp_path)
            except ArtifactError:
                refused += 1
                continue
            assert decode(coder, encode(coder, NOVEL[:3000])[0]) == NOVEL[:3000]
        assert 0 < refused < 60


def test_the_part_checks() -> None:
    verdict = check_part(registry().get("coder", "phrases"))
    assert verdict.problems == []
    assert "tables fitted" in verdict.notes[0]
