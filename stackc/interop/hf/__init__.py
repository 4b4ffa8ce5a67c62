"""A stack's level as the tokenizer of Hugging Face's `transformers` (the extra ``hf``).

from stackc.hf import StackTokenizer

tokenizer = StackTokenizer.from_stack("runs/counted_65k", level="M1")
tokenizer.save_pretrained("tokenizer")
"""

from __future__ import annotations

from stackc.api.errors import StackcError
from stackc.api.extras import need

transformers = need("transformers", "hf", "stackc.hf")
if int((found := transformers.__version__).partition(".")[0]) < 5:
    raise StackcError(f'stackc.hf requires transformers>=5 (found {found}): pip install "stackc[hf]"')

from stackc.interop.hf.tokenizer import StackTokenizer  # noqa: E402 - only after the check of the installed version

__all__ = ["StackTokenizer"]
