"""Characters, words and ids of a row, asked for as of a fast tokenizer's."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackc.api.errors import StackcError

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.hf import StackTokenizer  # noqa: E402

TEXT = "naïve 東京 wife"

WORDS = st.lists(
    st.text("abé東 .\U0001f600", min_size=1, max_size=5).filter(lambda word: bool(word.strip())), min_size=1, max_size=6
)


def marked(stack: Path, **options: Any) -> StackTokenizer:
    return StackTokenizer.from_stack(stack, bos_token="<s>", special_tokens_pattern="bos_eos", **options)


def test_offsets_count_characters(tokenizer: StackTokenizer) -> None:
    made = tokenizer(TEXT, return_offsets_mapping=True)
    low = TEXT.index("wife")
    mine = [span for span in made.offset_mapping if low < span[1]]
    assert "wife" in TEXT[mine[0][0] : mine[-1][1]]
    assert (made.offset_mapping[0][0], mine[-1][1]) == (0, len(TEXT))
    for number, (start, end) in zip(made.input_ids, made.offset_mapping, strict=True):
        assert start < end
        text = tokenizer.decode([number])
        if made.offset_mapping.count((start, end)) == 1 and "\ufffd" not in text:  # one token of whole characters
            assert text == TEXT[start:end]


def test_offsets_count_bytes_on_request(stack: Path, tmp_path: Path) -> None:
    own = StackTokenizer.from_stack(stack, offsets="bytes")
    spans = own(TEXT, return_offsets_mapping=True).offset_mapping
    assert spans[-1][1] == len(TEXT.encode())
    own.save_pretrained(tmp_path / "t")
    again = StackTokenizer.from_pretrained(tmp_path / "t")
    assert again(TEXT, return_offsets_mapping=True).offset_mapping == spans
    characters = own(TEXT).encodings[0].offsets  # those of an encoding always count characters
    assert characters == StackTokenizer.from_stack(stack)(TEXT, return_offsets_mapping=True).offset_mapping
    with pytest.raises(StackcError, match="'characters' or 'bytes', found 'chars'"):
        StackTokenizer.from_stack(stack, offsets="chars")


def test_wrong_folders_and_patterns_are_refused(stack: Path, tmp_path: Path) -> None:
    with pytest.raises(StackcError, match=r"special_tokens_pattern: expected one of .*'bos_eos', found 'bos-eos'"):
        StackTokenizer.from_stack(stack, special_tokens_pattern="bos-eos")
    with pytest.raises(
        StackcError, match=r"from_pretrained opens what save_pretrained wrote, StackTokenizer.from_stack"
    ):
        StackTokenizer.from_pretrained(stack)


def test_a_folder_that_is_written_again_keeps_no_file_of_the_tokenizer_before(stack: Path, tmp_path: Path) -> None:
    tokenizer, folder = StackTokenizer.from_stack(stack), tmp_path / "t"
    tokenizer.save_pretrained(folder)
    (folder / "tokenizer.json").write_text("{}")
    tokenizer.save_pretrained(folder)
    assert not (folder / "tokenizer.json").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "tokenizer.json").write_text("{}")
    with pytest.raises(StackcError, match="is of another tokenizer; move it, or save to another folder"):
        tokenizer.save_pretrained(tmp_path / "other")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["tokenizer.json"]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(text=st.text("ab é東\U0001f600\n", max_size=24))
def test_characters_and_ids_find_each_other(tokenizer: StackTokenizer, text: str) -> None:
    made = tokenizer(text)
    spans = [made.token_to_chars(at) for at in range(len(made.input_ids))]
    covered = sorted({place for low, high in spans for place in range(low, high)})
    assert covered == list(range(len(text)))
    for place in range(len(text)):
        at = made.char_to_token(place)
        assert spans[at].start <= place < spans[at].end
        assert not any(low <= place < high for low, high in spans[:at])


@pytest.mark.parametrize("side", ["left", "right"])
def test_pairs_padding_and_marks(stack: Path, side: str) -> None:
    own = marked(stack)
    rows = own(["It is", "a"], ["a truth", "universally so"], padding=True, padding_side=side)
    for row in range(2):
        sequences, ids = rows.sequence_ids(row), rows.input_ids[row]
        assert len(sequences) == len(ids) == len(rows.tokens(row)) == len(rows.word_ids(row))
        assert rows.tokens(row) == own.convert_ids_to_tokens(ids)
        assert rows.encodings[row].attention_mask == rows.attention_mask[row]
        texts = [("It is", "a truth"), ("a", "universally so")][row]
        for number, text in enumerate(texts):
            mine = [one for one, sequence in zip(ids, sequences, strict=True) if sequence == number]
            assert own.decode(mine) == text
        special = [one in own.all_special_ids for one in ids]
        assert [sequence is None for sequence in sequences] == special
        assert rows.encodings[row].special_tokens_mask == [int(one) for one in special]
        at = rows.char_to_token(row, 2, 1)
        assert rows.token_to_sequence(row, at) == 1
    assert rows.n_sequences == 2


def test_rows_of_what_was_cut_off_know_their_place(stack: Path) -> None:
    own = marked(stack)
    text = "It is a truth universally acknowledged. " * 2
    rows = own(
        text, truncation=True, max_length=9, stride=2, return_overflowing_tokens=True, return_offsets_mapping=True
    )
    assert len(rows.input_ids) > 2
    for row, spans in enumerate(rows.offset_mapping):
        assert rows.encodings[row].offsets == spans
    assert max(high for spans in rows.offset_mapping for _, high in spans) == len(text)


def test_words_of_a_text(tokenizer: StackTokenizer) -> None:
    text = "It is  a truth, é!"
    made = tokenizer(text)
    words = ["It", "is", "a", "truth", ",", "é", "!"]
    assert [text[slice(*made.word_to_chars(number))] for number in range(len(words))] == words
    for number, (low, high) in enumerate(made.word_to_chars(number) for number in range(len(words))):
        assert {made.char_to_word(place) for place in range(low, high)} == {number}
    assert made.char_to_word(2) is None
    found = [word for word in made.word_ids() if word is not None]
    assert found == sorted(found)
    for number in set(found):
        span = made.word_to_tokens(number)
        assert all(made.token_to_word(at) in {number, None} for at in range(span.start, span.end))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(words=WORDS)
def test_words_that_were_given(tokenizer: StackTokenizer, words: list[str]) -> None:
    made = tokenizer(words, is_split_into_words=True, return_offsets_mapping=True)
    assert made.input_ids == tokenizer(" ".join(words)).input_ids
    numbers = made.word_ids()
    for number, (low, high) in zip(numbers, made.offset_mapping, strict=True):
        assert number is None or 0 <= low < high <= len(words[number])
    assert [one for one in numbers if one is not None] == sorted(one for one in numbers if one is not None)


def test_batches_and_pairs_of_words(tokenizer: StackTokenizer) -> None:
    one, two = ["It", "is"], ["a", "truth", "so"]
    rows = tokenizer([one, two], is_split_into_words=True, padding=True)
    assert tokenizer.batch_decode(rows.input_ids, skip_special_tokens=True) == ["It is", "a truth so"]
    assert [set(rows.word_ids(row)) - {None} <= set(range(3)) for row in range(2)] == [True, True]
    pair = tokenizer([(one, two)], is_split_into_words=True)
    assert tokenizer.decode(pair.input_ids[0]) == "It isa truth so"
    assert pair.sequence_ids(0) == sorted(pair.sequence_ids(0))
    assert tokenizer([], is_split_into_words=True).input_ids == []
    with pytest.raises(StackcError, match="is_split_into_words: a text of type str: pass lists of words"):
        tokenizer("It is", is_split_into_words=True)


def test_the_mask_of_what_an_assistant_says(stack: Path) -> None:
    own = StackTokenizer.from_stack(stack)
    own.chat_template = (
        "{% for one in messages %}{{ one.role }}: {% if one.role == 'assistant' %}{% generation %}{{ one.content }}"
        "{% endgeneration %}{% else %}{{ one.content }}{% endif %}\n{% endfor %}"
    )
    talk = [{"role": "user", "content": "é 東?"}, {"role": "assistant", "content": "It is a truth."}]
    made = own.apply_chat_template(talk, return_dict=True, return_assistant_tokens_mask=True)
    mask, ids = made["assistant_masks"], made["input_ids"]
    assert len(mask) == len(ids)
    said = own.decode([one for one, mine in zip(ids, mask, strict=True) if mine])
    assert "It is a truth." in said
    assert "東" not in said


def test_an_encoding_travels_to_another_process(stack: Path) -> None:
    made = StackTokenizer.from_stack(stack)(TEXT)
    again = pickle.loads(pickle.dumps(made))
    assert again.encodings[0].offsets == made.encodings[0].offsets
