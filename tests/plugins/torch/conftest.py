"""Fixtures of the transformer's tests; what they hand out is in `torch_toys`."""

from __future__ import annotations

import pytest
import torch

import torch_toys


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def small():
    """The configuration of a network that trains in seconds."""
    return torch_toys.SMALL


@pytest.fixture
def tools():
    """The helpers of `torch_toys`."""
    return torch_toys
