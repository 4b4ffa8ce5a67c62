"""Text from a prompt: which tokens keep it, and what the top model draws."""
