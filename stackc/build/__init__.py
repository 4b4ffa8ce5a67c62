"""Builds: recipes into stacks, stage by stage."""

from __future__ import annotations

from stackc.build.display import Display
from stackc.build.pipeline import build

__all__ = ["Display", "build"]
