"""A script in the manner of transformers' `run_clm.py`: python tests/clients/causal_model.py FOLDER TRUST

It loads a tokenizer from its folder, a text from texts.txt, maps it in two processes, joins lines to blocks, trains,
saves, and loads what it saved. Prints a line of JSON.
"""

from __future__ import annotations

import json
import sys
from itertools import chain
from typing import Any

from datasets import load_dataset
from tiny_models import tiny
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Trainer,
    TrainingArguments,
    default_data_collator,
    pipeline,
)

BLOCK, STEPS = 32, 8


def blocks(rows: dict[str, list[list[int]]]) -> dict[str, Any]:
    """Blocks of equal size from all columns of a batch, and labels."""
    joined = {name: list(chain(*values)) for name, values in rows.items()}
    cut = {
        name: [ids[start : start + BLOCK] for start in range(0, len(ids) - BLOCK + 1, BLOCK)]
        for name, ids in joined.items()
    }
    return cut | {"labels": cut["input_ids"]}


def main(folder: str, trust: str) -> None:
    trusted = trust == "1"
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True, revision="main", trust_remote_code=trusted)
    text = load_dataset("text", data_files={"train": "texts.txt"}, keep_linebreaks=True, cache_dir="cache")["train"]
    rows = text.map(lambda batch: tokenizer(batch["text"]), batched=True, num_proc=2, remove_columns=["text"])
    model = tiny(tokenizer)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer))
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            "out", max_steps=STEPS, save_steps=STEPS // 2, use_cpu=True, report_to="none", disable_tqdm=True,
            logging_steps=1, learning_rate=1e-2,
        ),
        train_dataset=rows.map(blocks, batched=True, num_proc=2),
        processing_class=tokenizer,
        data_collator=default_data_collator,
    )  # fmt: skip
    trainer.train()
    trainer.save_model()
    for saved in "out", f"out/checkpoint-{STEPS // 2}":
        again = AutoTokenizer.from_pretrained(saved, trust_remote_code=trusted)
        assert again("It is a truth").input_ids == tokenizer("It is a truth").input_ids
    writer = pipeline("text-generation", model=AutoModelForCausalLM.from_pretrained("out"), tokenizer=again)
    written = writer("It is a truth", max_new_tokens=8, add_special_tokens=False)[0]["generated_text"]
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    print(json.dumps({"tokenizer": type(again).__name__, "losses": losses, "written": written}))


if __name__ == "__main__":
    main(*sys.argv[1:])
