"""The switches of torch that all threads share."""

from __future__ import annotations

import torch

from stackc_torch.frozen.numerics import exact_products


def test_exact_products_stay_exact_until_the_last_user_has_gone():
    switch = torch.backends.cuda.matmul
    before = switch.allow_tf32
    switch.allow_tf32 = True
    try:
        first, second = exact_products(), exact_products()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert not switch.allow_tf32  # the second is at work
        second.__exit__(None, None, None)
        assert switch.allow_tf32
    finally:
        switch.allow_tf32 = before
