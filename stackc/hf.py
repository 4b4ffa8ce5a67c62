"""A level as a tokenizer of transformers: the public name of `stackc.interop.hf`."""

from stackc.interop.hf import StackTokenizer

__all__ = ["StackTokenizer"]
