"""Data sets and the Trainer of Hugging Face over a stack's tokens."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
from click.testing import CliRunner

from recipes_of_tests import TEXT
from stackc.cli import main

transformers = pytest.importorskip("transformers", reason="needs the extra hf")
datasets = pytest.importorskip("datasets", reason="needs the extra datasets")

from stackc.hf import StackTokenizer  # noqa: E402

LINES = [TEXT[: 40 + i] for i in range(16)]


@pytest.fixture(scope="module")
def ending(stack: Path) -> StackTokenizer:
    return StackTokenizer.from_stack(stack, special_tokens_pattern="eos")


def loaded(folder: Path, kind: str) -> datasets.Dataset:
    """`LINES` from a file."""
    path = folder / f"lines.{kind}"
    if kind == "parquet":
        datasets.Dataset.from_dict({"text": LINES}).to_parquet(path)
    else:
        path.write_text("\n".join(LINES))
    return datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=str(folder / "cache"))


def mapped(tokenizer: StackTokenizer, rows: datasets.Dataset) -> datasets.Dataset:
    """By two processes."""
    return rows.map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=24),
        batched=True, batch_size=4, num_proc=2, remove_columns=["text"],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["text", "parquet"])
def test_processes_map_a_data_set_and_once_only(ending: StackTokenizer, tmp_path: Path, kind: str) -> None:
    own = copy.deepcopy(ending)
    rows = loaded(tmp_path, kind)
    made = mapped(own, rows)
    assert made["input_ids"][:] == own(LINES, truncation=True, max_length=24).input_ids
    assert own.convert_tokens_to_ids(own.tokenize(TEXT))  # fills caches
    assert mapped(own, rows).cache_files == made.cache_files != []


def test_use_does_not_change_what_is_hashed(stack: Path) -> None:
    hashed = datasets.fingerprint.Hasher.hash
    own = StackTokenizer.from_stack(stack)
    fresh, pickled = hashed(own), pickle.dumps(own)
    assert len(own.get_vocab()) == len(own)
    assert own.convert_tokens_to_ids(own.tokenize(TEXT)) == own(TEXT).input_ids
    assert hashed(own) == hashed(pickle.loads(pickled)) == hashed(copy.deepcopy(own)) == fresh
    assert len(pickle.dumps(own)) < len(pickled) + 100
    own.add_tokens(["<new>"])
    assert hashed(own) != fresh


def test_a_collator_leaves_the_ends_of_texts(ending: StackTokenizer) -> None:
    made = ending(LINES)
    assert {ids[-1] for ids in made.input_ids} == {ending.eos_token_id}
    collate = transformers.DataCollatorForLanguageModeling(ending, mlm=False)
    batch = collate([{"input_ids": ids} for ids in made.input_ids])
    assert ending.pad_token_id != ending.eos_token_id
    assert (batch["labels"] == ending.eos_token_id).sum() == len(LINES)
    assert ((batch["labels"] == -100) == (batch["input_ids"] == ending.pad_token_id)).all()


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("end", ["next", "zero"])
def test_padding_that_is_the_end_of_text_is_told_from_it_by_the_mask(stack: Path, end: str, side: str) -> None:
    """What scripts of training do: pad_token = eos_token. With ``eos_id="zero"`` both have the id 0."""
    own = StackTokenizer.from_stack(stack, level="M1", special_tokens_pattern="eos", eos_id=end, padding_side=side)
    assert own.pad_token_id not in (0, own.eos_token_id), "unless somebody says so"
    alone = [own(line).input_ids for line in LINES]
    own.pad_token = own.eos_token
    assert own.pad_token_id == own.eos_token_id == (0 if end == "zero" else own.vocab_size)
    longest = max(map(len, alone))
    assert len(set(map(len, alone))) > 1
    padded = own(LINES, padding=True)
    collated = transformers.DataCollatorWithPadding(own)([{"input_ids": ids} for ids in alone])
    for ids, row, mask in zip(alone, padded.input_ids, padded.attention_mask, strict=True):
        fill = longest - len(ids)
        zeros, ones = [0] * fill, [1] * len(ids)
        assert mask == (zeros + ones if side == "left" else ones + zeros)
        assert [one for one, kept in zip(row, mask, strict=True) if kept] == ids, "its end of text is no padding"
        assert ids[-1] == own.eos_token_id
        assert own.decode(row, skip_special_tokens=True) == own.decode(ids, skip_special_tokens=True)
    assert collated["attention_mask"].tolist() == padded.attention_mask
    assert collated["input_ids"].tolist() == padded.input_ids


def test_exported_rows_of_equal_size_train_a_model(stack: Path, tokenizer: StackTokenizer, tmp_path: Path) -> None:
    """As scripts for pre-training do it: a column of ids, read by name, and labels by the collator."""
    out = tmp_path / "rows.parquet"
    done = CliRunner().invoke(main, ["export", str(stack), "--to", "parquet", "--eos", "--block", "32", "-o", str(out)])
    assert done.exit_code == 0, done.output
    rows = datasets.load_dataset("parquet", data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert {len(ids) for ids in rows["input_ids"]} == {32}
    transformers.set_seed(0)
    model = transformers.LlamaForCausalLM(tiny(tokenizer))
    collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False)
    trainer = transformers.Trainer(model, settings(tmp_path), collate, rows)
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < 0.9 * losses[0]


def tiny(tokenizer: StackTokenizer) -> transformers.LlamaConfig:
    return transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip


def settings(folder: Path) -> transformers.TrainingArguments:
    return transformers.TrainingArguments(
        str(folder), max_steps=12, learning_rate=1e-2, logging_steps=1, use_cpu=True, report_to="none",
        disable_tqdm=True, save_strategy="no",
    )  # fmt: skip


def test_a_model_learns_on_it_and_writes(ending: StackTokenizer, tokenizer: StackTokenizer, tmp_path: Path) -> None:
    transformers.set_seed(0)
    model = transformers.LlamaForCausalLM(tiny(tokenizer))
    trainer = transformers.Trainer(
        model=model,
        args=settings(tmp_path),
        train_dataset=mapped(ending, loaded(tmp_path, "text")),
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False),
    )
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
    write = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
    assert write("It is", max_new_tokens=8)[0]["generated_text"].startswith("It is")
    prompt = tokenizer("It is", return_tensors="pt")
    model.generate(**prompt, max_new_tokens=8, do_sample=True, streamer=transformers.TextStreamer(tokenizer))
