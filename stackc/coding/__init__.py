"""One level: symbols to tokens and back."""
