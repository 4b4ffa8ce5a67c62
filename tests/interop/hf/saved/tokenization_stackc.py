from stackc.hf import StackTokenizer

__all__ = ["StackTokenizer"]
