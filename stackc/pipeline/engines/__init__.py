"""Where shards of a corpus are encoded: here, or on a Ray cluster."""
