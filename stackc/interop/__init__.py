"""Tokens and tokenizers for other programs."""
