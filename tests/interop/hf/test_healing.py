"""Prompts that end anywhere are continued byte for byte, from tokens that a longer text has too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stackc
from recipes_of_tests import TEXT, bpe, corpus, words_of

torch = pytest.importorskip("torch", reason="needs the extra torch")
transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.hf import StackTokenizer  # noqa: E402

LONG = "test. " + TEXT * 2 + "Naïve 東京, 3.14!  Don't  know\n\n\twhy. "


@pytest.fixture(scope="module", params=["bpe", "phrases"])
def pieces(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StackTokenizer:
    """Pieces of parts of words, and of several words."""
    folder = tmp_path_factory.mktemp("pieces")
    corpus(folder)
    recipe = bpe() if request.param == "bpe" else words_of("phrases").replace("words = 1", "words = 4")
    (folder / "recipe.toml").write_text(recipe)
    stackc.build(folder / "recipe.toml", folder / "stack")
    return StackTokenizer.from_stack(folder / "stack")


def places(count: int) -> list[int]:
    return np.random.default_rng(5).integers(1, len(LONG), count).tolist()


def test_what_is_kept_begins_the_longer_text(tokenizer: StackTokenizer) -> None:
    whole = tokenizer(LONG).input_ids
    kept = [tokenizer.heal(LONG[:end]).input_ids[0] for end in places(60)]
    assert all(ids == whole[: len(ids)] or ids == [tokenizer.bos_token_id] for ids in kept)
    plain = [tokenizer(LONG[:end]).input_ids for end in places(60)]
    assert any(ids != whole[: len(ids)] for ids in plain)  # without healing, it is not so


def test_pieces_that_are_kept_begin_the_longer_text(pieces: StackTokenizer) -> None:
    whole = pieces(LONG).input_ids
    kept = [pieces.heal(LONG[:end]).input_ids[0] for end in places(60)]
    assert all(ids == whole[: len(ids)] or ids == [pieces.bos_token_id] for ids in kept)
    assert sum(map(len, kept)) > 0.4 * sum(len(pieces(LONG[:end]).input_ids) for end in places(60))


def continued(tokenizer: StackTokenizer, prompts: list[str], steps: int) -> list[str]:
    """Continuations by a model whose scores are random, two of each prompt."""
    healed = tokenizer.heal(prompts)
    inputs = healed.inputs()
    assert inputs["attention_mask"].sum(1).tolist() == list(map(len, healed.input_ids))
    ids = inputs["input_ids"].repeat_interleave(2, 0)
    draws = torch.Generator().manual_seed(1)
    for _ in range(steps):
        scores = torch.rand(len(ids), len(tokenizer), generator=draws)
        scores[:, tokenizer.vocab_size :] = -10.0
        before = scores.clone()
        ids = torch.cat([ids, healed(ids, scores).argmax(1, keepdim=True)], 1)
        assert torch.equal(scores, before)
    return [tokenizer.decode(row, skip_special_tokens=True) for row in ids]


def check_continued(tokenizer: StackTokenizer) -> None:
    prompts = ["It is a tru", "", "a ", "Naïve 東", *(LONG[max(0, end - 40) : end] for end in places(6))]
    texts = continued(tokenizer, prompts, 24)
    assert all(text.startswith(prompt) for text, prompt in zip(texts[::2], prompts, strict=True))
    assert all(text.startswith(prompt) for text, prompt in zip(texts[1::2], prompts, strict=True))
    assert texts[::2] != texts[1::2]


def test_any_prompt_is_continued_byte_for_byte(tokenizer: StackTokenizer) -> None:
    check_continued(tokenizer)


def test_any_prompt_is_continued_in_pieces(pieces: StackTokenizer) -> None:
    check_continued(pieces)


def test_added_tokens_stay(tokenizer: StackTokenizer) -> None:
    end = tokenizer.eos_token
    turn = f"It is a truth.{end}"
    (kept,) = tokenizer.heal(turn).input_ids
    assert kept == tokenizer(turn).input_ids
    (kept,) = tokenizer.heal(turn + "a w").input_ids
    assert kept[: len(tokenizer(turn).input_ids)] == tokenizer(turn).input_ids


def test_generate_uses_it_with_beams_too(tokenizer: StackTokenizer) -> None:
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=len(tokenizer), n_embd=8, n_layer=1, n_head=1, n_positions=64,
                                bos_token_id=tokenizer.bos_token_id, eos_token_id=None)
    ).eval()  # fmt: skip
    healed = tokenizer.heal(["It is a tru", "a wi"])
    for options in {"do_sample": True}, {"num_beams": 3, "do_sample": False}:
        made = model.generate(
            **healed.inputs(),
            logits_processor=[healed],
            max_new_tokens=20,
            pad_token_id=tokenizer.pad_token_id,
            **options,
        )
        texts = tokenizer.batch_decode(made, skip_special_tokens=True)
        assert texts[0].startswith("It is a tru")
        assert texts[1].startswith("a wi")


def test_a_prompt_without_a_token_needs_a_beginning(stack: Path) -> None:
    bare = StackTokenizer.from_stack(stack, bos_token=None)
    with pytest.raises(stackc.StackcError, match="no token is left of the prompt"):
        bare.heal("a")
