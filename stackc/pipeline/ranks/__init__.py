"""Training by several processes: the ranks, and the orders of rank 0."""
