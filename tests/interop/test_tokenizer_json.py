"""A level as a tokenizer.json: the same ids without stackc."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import attrs
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import stackc
from recipes_of_tests import bpe, corpus, counting, counting_twice, words_of
from stackc.cli import main
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.interop import tokenizer_json as module
from stackc.interop.rounded_ties import tied_words
from stackc.interop.token_strings import byte_letters, numbered, token_pieces
from stackc.interop.tokenizer_json import Extras, over_characters, tokenizer_json

tokenizers = pytest.importorskip("tokenizers", reason="needs the extra subword")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("json")
    corpus(folder)
    (folder / "recipe.toml").write_text(bpe())
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


def test_the_command_writes_what_tokenizers_reads(stack: Path, tmp_path: Path) -> None:
    out = tmp_path / "tokenizer.json"
    done = CliRunner().invoke(main, ["export", str(stack), "--to", "tokenizer-json", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "301 ids; the stack's ids on" in done.stderr
    made = tokenizers.Tokenizer.from_file(str(out))
    opened = stackc.load(stack)
    for text in ("It is a truth", "naïve 東京 wife", "  two  blanks", ""):
        assert made.encode(text).ids == opened.encode(text.encode()).tolist()
        assert made.decode(made.encode(text).ids) == text
    assert made.token_to_id("<|endoftext|>") == 300
    again = CliRunner().invoke(main, ["export", str(stack), "--to", "tokenizer-json", "-o", str(out)])
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1)


def test_any_text_has_the_same_ids(stack: Path) -> None:
    opened = stackc.load(stack)
    made = tokenizers.Tokenizer.from_str(tokenizer_json(opened).text)

    @settings(deadline=None, derandomize=True, max_examples=300)
    @given(st.text(max_size=40) | st.text("abe ' \t\n\r.,1é東\x7f\x80\xa0", max_size=40))
    def check(text: str) -> None:
        assert made.encode(text, add_special_tokens=False).ids == opened.encode(text.encode()).tolist()

    check()


def test_a_difference_is_shown_and_nothing_is_written(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "over_characters", lambda pattern: r"[\s\S]")
    with pytest.raises(stackc.StackcError, match=r"M1: a tokenizer.json gives other ids at '.+'; use StackTokenizer"):
        tokenizer_json(stackc.load(stack))
    done = CliRunner().invoke(main, ["export", str(stack), "--to", "tokenizer-json", "-o", str(tmp_path / "t.json")])
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])


def test_a_folder_is_written_without_what_would_differ(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    monkeypatch.setattr(module, "over_characters", lambda pattern: r"[\s\S]")
    done = CliRunner().invoke(main, ["export", str(stack), "--to", "hf-tokenizer", "-o", str(tmp_path / "t")])
    assert done.exit_code == 0, done.output
    assert "no tokenizer.json (M1: a tokenizer.json gives other ids at" in done.stderr
    assert not (tmp_path / "t" / "tokenizer.json").exists()


def test_odd_texts_that_differ_are_said(stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "over_characters", lambda pattern: r"[\s\S]")
    monkeypatch.setattr(module, "_own_texts", lambda stack, segment: iter(()))
    made = tokenizer_json(stackc.load(stack))
    assert made.compared == 0
    done = CliRunner().invoke(main, ["export", str(stack), "--to", "tokenizer-json", "-o", str(tmp_path / "t.json")])
    assert "ids; the stack's ids on odd texts, for it has no test text" in done.stderr
    assert any(remark.startswith("ids differ on '") for remark in made.remarks)


LISTED = "tunstall", "arithmetic", "phrases, longest"
"""Coders whose longest match a tokenizer.json makes too."""

CODERS = "tunstall", "arithmetic", "lexicon", "bpe", "phrases", "phrases, longest", "sentencepiece"


@pytest.mark.parametrize("coder", CODERS)
def test_windows_of_one_word(tmp_path: Path, coder: str) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(words_of(coder))
    stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    opened = stackc.load(tmp_path / "stack")
    written = tokenizer_json(opened)
    assert not any(remark.startswith("ids differ") for remark in written.remarks)
    made = tokenizers.Tokenizer.from_str(written.text)
    letters = np.random.default_rng(1).integers(0, 26, 1030) + ord("a")
    long = "".join(map(chr, letters.tolist()))
    differs = made.encode(long).ids != opened.encode(long.encode()).tolist()
    said = [remark for remark in written.remarks if remark.startswith("words ")]
    if coder in LISTED:
        assert said[0].startswith("words of thousands of letters")
    elif coder != "phrases":  # whose windows are segments
        assert said == ["words longer than 1,024 bytes may differ: the stack's windows end there"]
    assert not differs or coder not in (*LISTED, "phrases")

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(st.text(max_size=40) | st.text("abelLs' \t\n\r.,1é東\x7f\x80\xa0\x0b", max_size=40))
    def check(text: str) -> None:
        assert made.encode(text, add_special_tokens=False).ids == opened.encode(text.encode()).tolist()

    check()
    # The strings of what encoding writes are one thing, whoever names them: scripts ask for the ids of answer letters.
    named = token_pieces(opened.levels, opened.token_alphabet())
    for text in ("s", "x", "'", "It is a truth"):
        for token in made.encode(text).ids:
            assert named[token] == made.id_to_token(token)
            assert named.count(named[token]) == 1


CONTRACTIONS = "don't it's we'll he'd I'm O'Neil's they've you're. " * 30


def contracted(folder: Path) -> Path:
    """A stack of windows of one word with equal information, of a text whose words often end after an apostrophe.

    All that could follow ``'s`` in its window is masked, so that a whole range of codes has that text.
    """
    corpus(folder)
    for name in ("train-a", "test"):
        (folder / f"{name}.txt").write_text(CONTRACTIONS)
    (folder / "recipe.toml").write_text(words_of("arithmetic"))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


def test_of_codes_with_one_text_the_written_one_has_it(tmp_path: Path) -> None:
    opened = stackc.load(contracted(tmp_path))
    pieces = token_pieces(opened.levels, opened.token_alphabet("M1"))
    assert len(set(pieces)) == len(pieces)
    texts = [opened.decode([token]) for token in range(1, len(pieces))]
    often = {text: texts.count(text) for text in (b"'s", b"'t", b"'ll")}
    assert all(count > 1 for count in often.values()), often
    letters = byte_letters()
    for token, text in enumerate(texts, 1):
        plain = "".join(letters[byte] for byte in text)
        assert pieces[token] == (plain if texts.index(text) == token - 1 else plain + numbered(token))
    for text in often:
        assert pieces[int(opened.encode(b"x" + text)[-1])] == text.decode()
    made = tokenizers.Tokenizer.from_str(tokenizer_json(opened).text)
    for text in (CONTRACTIONS, "x's y't 'tis 's\n'S"):
        assert made.encode(text).ids == opened.encode(text.encode()).tolist()
        assert made.decode(made.encode(text).ids) == text


def test_tokens_of_several_levels_have_the_text_of_the_one_that_is_written(tmp_path: Path) -> None:
    """A code of the second level whose tokens encoding never writes does not take the text from the one it writes."""
    opened = stackc.load(contracted(tmp_path))
    level = opened.levels[0]
    codes = [token for token in range(1, level.token_alphabet) if opened.decode([token]) == b"'s"]
    own, other = codes[0], codes[1]
    size = level.token_alphabet
    singles = Dictionary(np.zeros(size + 1, np.int32), np.arange(-1, size, dtype=np.int32), size)
    above = SimpleNamespace(texts=singles, window_tokens=1, token_alphabet=size + 1, name="M2")
    pieces = token_pieces([level, above], size + 1)  # type: ignore[list-item]
    assert (pieces[own + 1], pieces[other + 1]) == ("'s", f"'s{numbered(other + 1)}")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stack of unigram pieces, of a text that is full of rows of one character."""
    pytest.importorskip("sentencepiece", reason="needs the extra subword")
    folder = tmp_path_factory.mktemp("rows")
    corpus(folder)
    lengths = np.random.default_rng(5).integers(1, 90, (3, 200)).tolist()
    line = "".join(f"{'-' * a} {'=' * b}\n{'x' * c}\n" for a, b, c in zip(*lengths, strict=True))
    for name in ("train-a", "test"):
        (folder / f"{name}.txt").write_text(line)
    (folder / "recipe.toml").write_text(words_of("sentencepiece"))
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


def test_words_that_only_rounding_decides_do_not_lose_the_file(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.json"
    done = CliRunner().invoke(main, ["export", str(rows), "--to", "tokenizer-json", "-o", str(out)])
    assert done.exit_code == 0, done.output
    said = re.search(r"ids of the test text differ in (\d+) such words, (\d+) times: '", done.stderr)
    assert said is not None, done.stderr
    made, opened = tokenizers.Tokenizer.from_file(str(out)), stackc.load(rows)
    text = (rows.parent / "test.txt").read_text()
    words = re.findall(opened.levels[0].spec.windowing.rule or "", text)
    assert "".join(words) == text
    differing = [word for word in words if made.encode(word).ids != opened.encode(word.encode()).tolist()]
    assert (len(set(differing)), len(differing)) == (int(said[1]), int(said[2]))
    same = len(text) - sum(map(len, differing))
    assert f"the stack's ids on {same:,} bytes of its test text" in done.stderr
    for word in differing:  # both cuts have the same pieces, or pieces that cost the same
        sums = []
        for ids in made.encode(word).ids, opened.encode(word.encode()).tolist():
            sums.append(math.fsum(json.loads(out.read_text())["model"]["vocab"][token][1] for token in ids))
        assert sums[0] == pytest.approx(sums[1], rel=1e-5)


def test_other_scores_are_no_rounding(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = stackc.load(rows)
    coder = opened.levels[0].spec.coder
    plain = coder.plain()
    scores = np.where(np.diff(coder.pieces()[1]) > 4, plain.scores - 2, plain.scores)
    monkeypatch.setattr(coder, "plain", lambda: attrs.evolve(plain, scores=scores))
    with pytest.raises(stackc.StackcError, match=r"M1: a tokenizer\.json gives other ids at"):
        tokenizer_json(opened)


def test_only_the_sums_as_each_side_rounds_them_excuse_other_ids() -> None:
    lengths = np.array([1, 1, 2, 2, 1, 1])
    scores = np.array([-1.0, -1.0 - 2**-40, -2.0, -2.5, -9.0, -9.0])
    letter = np.array([ord("a"), ord("a")], np.uint8).tobytes()
    both = r"[\s\S]+"
    assert tied_words(letter, [0, 0], [0, 1], lengths, scores, both) == [b"aa"]  # equal in float32, better in float64
    assert tied_words(letter, [0, 0], [2], lengths, scores, both) == [b"aa"]
    assert tied_words(letter, [0, 1], [0, 0], lengths, scores, both) is None  # the worse one in float64
    assert tied_words(letter, [0, 0], [3], lengths, scores, both) is None  # the coder's is worse in float32
    assert tied_words(letter * 2, [2, 2], [0, 2, 0], lengths, scores, r"..") is None  # cut across words
    spelt = "éaa".encode()
    assert tied_words(spelt, [4, 5, 0, 0], [4, 5, 0, 1], lengths, scores, both) == [spelt]


def test_every_form_has_the_same_end_of_text(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="needs the extra hf")
    hf = pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(words_of("tunstall"))
    stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    text = (tmp_path / "train-a.txt").read_text()
    for choice, end in ("next", 400), ("zero", 0):
        out = tmp_path / choice
        for to, name in ("bin", f"{choice}.bin"), ("tokenizer-json", f"{choice}.json"), ("hf-tokenizer", choice):
            options = ["--to", to, "--eos-id", choice, "-o", str(tmp_path / name)] + ["--eos"] * (to == "bin")
            assert CliRunner().invoke(main, ["export", str(tmp_path / "stack"), *options]).exit_code == 0
        meta = json.loads((tmp_path / f"{choice}.bin.json").read_text())
        data = np.fromfile(tmp_path / f"{choice}.bin", meta["dtype"]).tolist()
        ids = data[: data.index(end) + 1]  # of the first document
        own = hf.StackTokenizer.from_pretrained(out)
        plain = transformers.PreTrainedTokenizerFast.from_pretrained(out)
        for tokenizer in own, plain:
            assert tokenizer(f"{text}<|endoftext|>").input_ids == ids
            assert tokenizer.eos_token_id == end == meta["eos"]
            assert tokenizer.pad_token_id == (401 if choice == "next" else 400)  # never 0
        for path in tmp_path / f"{choice}.json", out / "tokenizer.json":
            made = tokenizers.Tokenizer.from_file(str(path))
            assert made.token_to_id("<|endoftext|>") == end
            assert made.encode(f"{text}<|endoftext|>").ids == ids


@pytest.mark.parametrize(("recipe", "said"), [(counting, "its windows are not words"), (counting_twice, "first level")])
def test_what_cannot_be_written_says_why(tmp_path: Path, recipe: object, said: str) -> None:
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(recipe())  # type: ignore[operator]
    stackc.build(tmp_path / "recipe.toml", tmp_path / "stack")
    opened = stackc.load(tmp_path / "stack")
    with pytest.raises(stackc.StackcError, match=re.escape(said)):
        tokenizer_json(opened)


def test_patterns_over_bytes_and_over_characters() -> None:
    assert over_characters(r"[a\x80-\xff]+| ") == r"[a\x{80}-\x{10FFFF}]+| "
    for pattern in (r"\xe9", "é", r"[\x80-\xbf]"):
        with pytest.raises(stackc.StackcError, match="tells apart bytes above 0x7f"):
            over_characters(pattern)


def test_added_tokens_keep_their_ids(stack: Path) -> None:
    opened = stackc.load(stack)
    extras = Extras(added={300: ("<end>", {"special": True}), 301: ("<x>", {"lstrip": True})}, after="<end>")
    made = tokenizers.Tokenizer.from_str(tokenizer_json(opened, extras=extras).text)
    assert made.encode("a <x>").ids == [*opened.encode(b"a").tolist(), 301, 300]
    with pytest.raises(stackc.StackcError, match="'<x>' cannot have the id 307"):
        tokenizer_json(opened, extras=Extras(added={307: ("<x>", {})}))


def test_a_folder_loads_without_stackc(stack: Path, tmp_path: Path) -> None:
    hf = pytest.importorskip("stackc.hf", reason="needs the extra hf", exc_type=stackc.StackcError)
    own = hf.StackTokenizer.from_stack(stack, special_tokens_pattern="bos_eos", bos_token="<s>")
    own.save_pretrained(tmp_path / "t")
    text = "It is <|endoftext|> é 東"
    code = (
        "import json, sys\nfrom transformers import AutoTokenizer\n"
        f"made = AutoTokenizer.from_pretrained({str(tmp_path / 't')!r})\n"
        f"found = [made({text!r}).input_ids, made('a', 'b').input_ids]\n"
        "found += [made('a', 'b c', return_token_type_ids=True).token_type_ids]\n"
        "found += [made.pad_token_id, made.eos_token_id, len(made)]\n"
        "print(json.dumps([found, 'stackc' in sys.modules]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = [own(text).input_ids, own("a", "b").input_ids]
    wanted += [own("a", "b c", return_token_type_ids=True).token_type_ids]
    wanted += [own.pad_token_id, own.eos_token_id, len(own)]
    assert json.loads(ran.stdout.splitlines()[-1]) == [wanted, False]
    again = hf.StackTokenizer.from_pretrained(tmp_path / "t")
    assert again(text).input_ids == own(text).input_ids
    trusted = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(tmp_path / "t", trust_remote_code=True)
    assert type(trusted).__name__ == "StackTokenizer"
