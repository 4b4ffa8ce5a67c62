"""Builds: recipes into stacks, stage by stage."""

from __future__ import annotations

from stackc.pipeline.display import Display
from stackc.pipeline.build import build

__all__ = ["Display", "build"]
