"""A second process reads what the first wrote, before a stack with parts of third parties is called finished.

What depends on a process, such as `hash`, the order of a set or a generator without a seed, decodes well where it was
written and nowhere else. stackc's own parts are held to this by its tests.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stackc.api.errors import PartError
from stackc.api.files import temporary_folder
from stackc.recipe import Recipe
from stackc.recipe.sections import Chosen
from stackc.stack.manifest import MANIFEST
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack

SAMPLE = 2048
"""Bytes of text that travel from the one to the other."""

OWN = ("stackc", "")
"""Distributions whose parts are not tried: stackc's, and what is in this process alone."""


def check_second_process(folder: Path, manifest: dict[str, Any], recipe: Recipe, runtime: Runtime, text: bytes) -> None:
    """Compress some text with the stack that is about to be finished, and let another process decompress it.

    Nothing is done where only stackc's own parts run.

    Args:
        folder: the stack's parts; its manifest is not there yet.
        manifest: what it is going to be.
        text: some of what the stack was made for.

    Raises:
        PartError: the text does not come back. Names the parts of third parties.
    """
    suspects = foreign_parts(recipe, manifest)
    if not suspects or not text:
        return
    sample = text[:SAMPLE]
    with temporary_folder() as place:
        stack = place / "stack"
        stack.mkdir()
        for part in folder.resolve().iterdir():
            if part.is_dir():
                (stack / part.name).symlink_to(part)
        (stack / MANIFEST).write_text(json.dumps(manifest))
        written = io.BytesIO()
        Stack(stack, runtime).compress(io.BytesIO(sample), written)
        done = subprocess.run(
            [sys.executable, "-m", "stackc", "decompress", "-", "-o", "-", "--stack", str(stack)],
            input=written.getvalue(),
            capture_output=True,
            # Any seed of str.__hash__ but this process's own, as far as that can be told.
            env={**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"},
            check=False,
        )
    if done.returncode or done.stdout != sample:
        who = " and ".join(part.who for part in suspects)
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PartError(
            f"{who}: another process does not decode what this one wrote; answers must not depend on the process, as "
            f"hash(), the order of a set and a generator without a seed do{''.join(f' ({line})' for line in said)}"
        )


def foreign_parts(recipe: Recipe, manifest: dict[str, Any]) -> list[Chosen]:
    """Models and coders of third parties that run when the stack codes; a compiled level runs neither."""
    running: list[Chosen | None] = [recipe.top.model]
    for section, made in zip(recipe.levels, manifest["levels"], strict=True):
        if not made["compiled"]:
            running += [section.model, section.coder]
    return [chosen for chosen in running if chosen is not None and chosen.part.distribution not in OWN]
