"""Exit codes that all commands share."""

from __future__ import annotations

WARNING = 1
"""The work was done, but with losses, which were reported."""

USER_ERROR = 2

INTERRUPTED = 130
