"""sentence-transformers over a stack's tokenizer: python tests/clients/sentence_embeddings.py STACK_OR_FOLDER

A tiny encoder learns that sentences belong together, is saved, and loaded again. Prints a line of JSON: the losses, and
the largest difference between embeddings before and after.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from tiny_models import tokenizer_of
from transformers import BertConfig, BertModel, set_seed

STEPS = 8


def main(path: str) -> None:
    tokenizer = tokenizer_of(path)
    trust = (Path(path) / "manifest.json").is_file()
    set_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    folder = f"encoder-{trust}"
    BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    options = {"processor_kwargs": {"trust_remote_code": True}} if trust else {}
    model = SentenceTransformer(modules=[Transformer(folder, max_seq_length=32, **options), Pooling(32)], device="cpu")
    pairs = {
        "anchor": [f"a truth {number}" for number in range(32)],
        "positive": [f"truth {number} it is" for number in range(32)],
    }
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            f"out-{trust}", max_steps=STEPS, use_cpu=True, report_to="none", logging_steps=1, save_strategy="no",
            per_device_train_batch_size=8, learning_rate=5e-3, disable_tqdm=True,
        ),
        train_dataset=Dataset.from_dict(pairs),
        loss=MultipleNegativesRankingLoss(model),
    )  # fmt: skip
    trainer.train()
    model.save_pretrained(f"saved-{trust}")
    again = SentenceTransformer(f"saved-{trust}", device="cpu", trust_remote_code=trust)
    texts = ["naïve 東京", "It is a truth"]
    print(
        json.dumps(
            {
                "losses": [row["loss"] for row in trainer.state.log_history if "loss" in row],
                "difference": float(np.abs(model.encode(texts) - again.encode(texts)).max()),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
