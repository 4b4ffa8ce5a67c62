"""The model backend ``hf``: causal language models of Hugging Face `transformers`. Needs the extra ``hf``.

Importing this package imports neither torch nor transformers.
"""

from __future__ import annotations

from typing import Any

from stackc.api import Register, hookimpl, require
from stackc_torch.hf.config import Hf


def _hf(config: Hf) -> Any:
    require("torch", "torch", "hf")
    require("transformers", "hf", "hf")
    from stackc_torch.hf.backend import HfBackend

    return HfBackend(config)


@hookimpl
def stackc_register_models(register: Register) -> None:
    register("hf", _hf, Hf, "any causal language model of transformers; codes on the same machine only")
