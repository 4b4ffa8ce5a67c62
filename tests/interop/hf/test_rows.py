"""Rows of ids: padded, cut, with what is left over, and with the bytes that each id stands for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipes_of_tests import TEXT
from stackc.api.errors import StackcError

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.hf import StackTokenizer  # noqa: E402

MIXED = "It is a truth\0 \U0001f600 é"


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_padded_cut_and_placed(tokenizer: StackTokenizer, side: str) -> None:
    texts = [MIXED, "", "a<|endoftext|>b"]
    made = tokenizer(texts, padding=True, padding_side=side, return_offsets_mapping=True)
    assert tokenizer.batch_decode(made.input_ids, skip_special_tokens=True) == [MIXED, "", "ab"]
    for row, mask, where in zip(made.input_ids, made.attention_mask, made.offset_mapping, strict=True):
        assert len(row) == len(mask) == len(where) == len(made.input_ids[0])
    assert sum(made.attention_mask[0]) == len(tokenizer(MIXED).input_ids)
    cut = tokenizer(MIXED, truncation=True, max_length=4, return_offsets_mapping=True)
    assert cut.input_ids == tokenizer(MIXED).input_ids[:4]
    assert len(cut.offset_mapping) == 4


def test_offsets_cover_the_text(tokenizer: StackTokenizer) -> None:
    spans = sorted(set(tokenizer([TEXT, MIXED], return_offsets_mapping=True).offset_mapping[1]))
    assert [low for low, _ in spans] == [0, *(high for _, high in spans[:-1])]
    assert spans[-1][1] == len(MIXED)


def test_pairs_and_marks_around_texts(stack: Path) -> None:
    own = StackTokenizer.from_stack(stack, bos_token="<s>", special_tokens_pattern="bos_eos")
    bare = own("ab", add_special_tokens=False).input_ids
    made = own("ab", return_offsets_mapping=True, return_special_tokens_mask=True)
    assert made.input_ids == [own.bos_token_id, *bare, own.eos_token_id]
    assert made.offset_mapping[0] == made.offset_mapping[-1] == (0, 0)
    assert made.special_tokens_mask == [1, *[0] * len(bare), 1]
    both = own(["ab"], ["tell"], add_special_tokens=False, return_offsets_mapping=True)
    assert both.input_ids == [bare + own("tell", add_special_tokens=False).input_ids]
    assert both.offset_mapping[0][-1][1] == 4
    cut = own(["ab" * 20], truncation=True, max_length=5, return_offsets_mapping=True)
    assert len(cut.input_ids[0]) == len(cut.offset_mapping[0]) == 5


@pytest.mark.parametrize("side", ["left", "right"])
def test_texts_without_tokens_of_the_level_have_offsets(tokenizer: StackTokenizer, side: str) -> None:
    def offsets(texts: Any) -> Any:
        return tokenizer(texts, return_offsets_mapping=True, padding=True, padding_side=side).offset_mapping

    assert offsets("") == []
    assert offsets([]) == []
    assert offsets(["", ""]) == [[], []]
    assert offsets("<|endoftext|>") == [(0, 13)]
    assert offsets(["<|endoftext|>", ""]) == [[(0, 13)], [(0, 0)]]


def words(tokenizer: StackTokenizer, pattern: str) -> Any:
    """A tokenizer of the Rust library whose token of "w5" is 5, with marks where `tokenizer` has them."""
    import tokenizers

    fast = tokenizers.Tokenizer(
        tokenizers.models.WordLevel(
            {f"w{i}": i for i in range(64)}
            | {"<|endoftext|>": tokenizer.eos_token_id, "<|pad|>": tokenizer.pad_token_id}
        )
    )
    fast.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    end = " <|endoftext|>" if pattern == "eos" else ""
    fast.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"$A{end}",
        pair=f"$A{end} $B:1{end and end + ':1'}",
        special_tokens=[("<|endoftext|>", tokenizer.eos_token_id)],
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=fast, eos_token="<|endoftext|>", pad_token="<|pad|>",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


@pytest.mark.parametrize("pattern", ["none", "eos"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_what_is_left_over_comes_in_rows_as_of_fast_tokenizers(stack: Path, pattern: str, side: str) -> None:
    own = StackTokenizer.from_stack(stack, special_tokens_pattern=pattern)
    fast = words(own, pattern)
    own.truncation_side = fast.truncation_side = own.padding_side = fast.padding_side = side
    sizes = st.lists(st.integers(0, 12), min_size=1, max_size=4)

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(st.data(), sizes, st.integers(1, 6), st.booleans(), st.booleans())
    def check(data: st.DataObject, firsts: list[int], room: int, paired: bool, tensors: bool) -> None:
        seconds = [data.draw(st.integers(0, 4)) for _ in firsts] if paired else None
        options: dict[str, Any] = {
            "max_length": room + (2 if pattern == "eos" else 0) + (4 if paired else 0),
            "stride": data.draw(st.integers(0, room - 1)),
            "truncation": "only_first" if paired else True,
            "padding": True,
            "return_overflowing_tokens": True,
            "return_special_tokens_mask": True,
            "return_token_type_ids": True,
            "return_tensors": "np" if tensors else None,
        }
        mine = own([list(range(n)) for n in firsts], seconds and [list(range(n)) for n in seconds], **options)
        spelled = [" ".join(f"w{i}" for i in range(n)) for n in firsts]
        theirs = fast(spelled, seconds and [" ".join(f"w{i}" for i in range(n)) for n in seconds], **options)
        assert set(mine) == set(theirs)
        for key, value in theirs.items():
            assert (mine[key].tolist() if tensors else mine[key]) == (value.tolist() if tensors else value), key

    check()


@pytest.mark.parametrize("side", ["left", "right"])
def test_rows_of_one_text_overlap_and_keep_their_places(stack: Path, side: str) -> None:
    own = StackTokenizer.from_stack(stack, special_tokens_pattern="bos", truncation_side=side, padding_side=side)
    options: dict[str, Any] = {"truncation": True, "max_length": 12, "stride": 3, "padding": True}
    made = own(TEXT, return_overflowing_tokens=True, return_offsets_mapping=True, return_tensors="pt", **options)
    bare = own(TEXT, return_offsets_mapping=True, add_special_tokens=False)
    whole = list(zip(bare.input_ids, bare.offset_mapping, strict=True))
    rows = []
    for ids, mask, where in zip(made.input_ids, made.attention_mask, made.offset_mapping, strict=True):
        held = [
            (number, tuple(span))
            for number, span in zip(ids[mask == 1].tolist(), where[mask == 1].tolist(), strict=True)
        ]
        assert held.pop(0) == (own.bos_token_id, (0, 0))
        assert not where[mask == 0].any()
        rows.append(held)
    assert made.overflow_to_sample_mapping.tolist() == [0] * len(rows)
    if side == "left":
        rows.reverse()
    assert all(later[:3] == row[-3:] for row, later in pairwise(rows))
    assert [*rows[0], *(one for row in rows[1:] for one in row[3:])] == whole


def test_truncation_of_pairs_is_that_of_the_base_class(stack: Path) -> None:
    tokenizer = StackTokenizer.from_stack(stack)

    @settings(deadline=None, derandomize=True)
    @given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 18), st.sampled_from(["left", "right"]))
    def check(first: int, second: int, length: int, side: str) -> None:
        tokenizer.truncation_side = side
        one, two = list(range(first)), list(range(100, 100 + second))
        cut = tokenizer.truncate_sequences(one, two, first + second - length, "longest_first")[:2]
        assert tokenizer([one], [two], truncation=True, max_length=length).input_ids == [cut[0] + (cut[1] or [])]

    check()


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ((TEXT, TEXT), {"return_overflowing_tokens": True}, "use truncation='only_first' or 'only_second'"),
        ((TEXT,), {"return_overflowing_tokens": True, "stride": 8}, "stride 8: a row has room for 8 ids"),
        ((TEXT, TEXT), {"truncation": "only_second"}, "max_length 8: too small"),
        ((TEXT,), {"truncation": "only_second"}, "max_length 8: too small"),
        (([TEXT, TEXT], TEXT), {}, "pass one per text"),
        (([TEXT, TEXT], [TEXT]), {}, "pass one per text"),
        (([["a", "b", "c"]],), {}, "a text of type list"),
        (([None],), {}, "a text of type NoneType"),
        (("a",), {"is_split_into_words": True}, "pass lists of words"),
        (("a",), {"sanitize_control_tokens": True}, "remove the template's tokens"),
    ],
)
def test_what_cannot_be_is_one_line(tokenizer: StackTokenizer, given: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(StackcError, match=said) as caught:
        tokenizer(*given, **{"truncation": True, "max_length": 8} | options)
    assert "\n" not in str(caught.value)
