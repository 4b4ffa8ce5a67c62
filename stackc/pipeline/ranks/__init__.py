"""Training by many processes: who they are, and the orders of rank 0."""
