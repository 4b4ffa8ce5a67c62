"""A recipe built into a stack, stage by stage."""
