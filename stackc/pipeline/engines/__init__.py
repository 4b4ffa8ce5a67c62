"""Where a corpus is read and its shards are encoded: here, in worker processes, or on a Ray cluster."""
