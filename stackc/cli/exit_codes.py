"""Exit codes of every command."""

from __future__ import annotations

WARNING = 1
"""The exit code of work that was done with losses, which were named."""


USER_ERROR = 2


INTERRUPTED = 130
