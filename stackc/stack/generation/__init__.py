"""Text from a prompt: the tokens that may continue it, and the draws of the top model."""
