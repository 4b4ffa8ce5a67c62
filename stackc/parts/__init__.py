"""Plugins found, checked, and named in errors; their parts adapted to one shape."""
