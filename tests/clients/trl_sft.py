"""TRL's SFTTrainer over a stack's tokenizer: python tests/clients/trl_sft.py STACK [level]

A tiny model learns from prompts with completions, then from conversations by what the assistant says alone. Prints one
line of JSON for each: the losses, and the text that the first row's labels hold.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from datasets import Dataset
from tiny_models import tiny
from trl import SFTConfig, SFTTrainer

from stackc.hf import StackTokenizer

TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] }}{{ eos_token }}{% endgeneration %}"
    "{% else %}{{ message['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""Roles are added tokens, so a prompt ends at one: whatever the level is, its tokens begin those with the answer."""

STEPS = 8


def learn(tokenizer: StackTokenizer, rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """Losses of a few steps, and the text of the first row's labels."""
    arguments = SFTConfig(
        "sft", max_steps=STEPS, learning_rate=1e-2, logging_steps=1, per_device_train_batch_size=4, use_cpu=True,
        bf16=False, report_to="none", save_strategy="no", disable_tqdm=True, **options,
    )  # fmt: skip
    data = Dataset.from_list(rows)
    trainer = SFTTrainer(tiny(tokenizer), arguments, train_dataset=data, processing_class=tokenizer)
    labels = trainer.train_dataset[0]["labels"]
    trainer.train()
    return {
        "losses": [row["loss"] for row in trainer.state.log_history if "loss" in row],
        "learned": tokenizer.decode([label for label in labels if label >= 0]),
    }


def main(stack: str) -> None:
    tokenizer = StackTokenizer.from_stack(stack)
    pairs = [{"prompt": f"Q: {n} or {n + 1}?\nAnswer:", "completion": f" it is {n}, acknowledged."} for n in range(16)]
    print(json.dumps(learn(tokenizer, pairs)))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|user|>", "<|assistant|>"]})
    tokenizer.chat_template = TEMPLATE
    talks = [
        {
            "messages": [
                {"role": "user", "content": f"What is {n}?"},
                {"role": "assistant", "content": f"A truth, {n} times."},
                {"role": "user", "content": "And more?"},
                {"role": "assistant", "content": "A good fortune."},
            ]
        }
        for n in range(16)
    ]
    print(json.dumps(learn(tokenizer, talks, assistant_only_loss=True)))


if __name__ == "__main__":
    main(*sys.argv[1:])
