"""`.stk` files: blocks that decode alone."""
