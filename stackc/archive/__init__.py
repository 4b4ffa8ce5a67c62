"""`.stk` files: blocks that decode independently."""
