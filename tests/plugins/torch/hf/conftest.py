"""A model that most tests of the backend `hf` share."""

from __future__ import annotations

import pytest
import torch

from hf_toys import GPT2
from stackc_torch.hf.config import Hf
from stackc_torch.hf.making import fresh


@pytest.fixture
def gpt2():
    torch.manual_seed(1)
    return fresh(Hf(settings=GPT2, context=8), 5)
