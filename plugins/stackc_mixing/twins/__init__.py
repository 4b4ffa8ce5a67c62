"""The models in plain Python integers: slow, readable, and the oracles of the kernels."""
