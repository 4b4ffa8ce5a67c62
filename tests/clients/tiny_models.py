"""Models of a moment for the clients, and tokenizers from what a user has: a stack, or a folder for `AutoTokenizer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

from stackc.hf import StackTokenizer


def tokenizer_of(path: str) -> Any:
    """A `StackTokenizer` of a stack; what transformers makes of a folder without trust in it."""
    stack = (Path(path) / "manifest.json").is_file()
    return StackTokenizer.from_stack(path) if stack else AutoTokenizer.from_pretrained(path)


def tiny(tokenizer: Any) -> LlamaForCausalLM:
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return LlamaForCausalLM(config)
