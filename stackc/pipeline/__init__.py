"""Builds: recipes into stacks, stage by stage."""

from __future__ import annotations

from stackc.pipeline.build import build
from stackc.pipeline.display import Display

__all__ = ["Display", "build"]
