"""A second process decodes what the first encoded, before a stack with third-party parts is finished.

A part that depends on its process, through `hash`, the order of a set or a generator without a seed, decodes in the
process that encoded and in no other: no check inside one process can find that. stackc's own parts are not checked in
builds, because its tests do it.
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
"""Bytes of text that the second process decodes."""

OWN = ("stackc", "")
"""Distributions whose parts are not checked: stackc's, and parts that are registered in this process only."""


def check_second_process(folder: Path, manifest: dict[str, Any], recipe: Recipe, runtime: Runtime, text: bytes) -> None:
    """Compress some text with the stack that is about to be finished, and decompress it in another process.

    Does nothing if only stackc's own parts run.

    Args:
        folder: the stack's parts, still without a manifest.
        manifest: the manifest that is going to be written.
        text: a sample of the corpus.

    Raises:
        PartError: the text is not restored. Names the third-party parts.
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
            # A seed of str.__hash__ that differs from this process's, as far as that is known.
            env={**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"},
            check=False,
        )
    if done.returncode or done.stdout != sample:
        who = " and ".join(part.who for part in suspects)
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise PartError(
            f"{who}: another process cannot decode the output of this one; parts must not depend on the process, as "
            f"hash(), the order of a set and a generator without a seed do{''.join(f' ({line})' for line in last)}"
        )


def foreign_parts(recipe: Recipe, manifest: dict[str, Any]) -> list[Chosen]:
    """Third-party models and coders that run when the stack codes; a compiled level runs neither."""
    running: list[Chosen | None] = [recipe.top.model]
    for section, made in zip(recipe.levels, manifest["levels"], strict=True):
        if not made["compiled"]:
            running += [section.model, section.coder]
    return [chosen for chosen in running if chosen is not None and chosen.part.distribution not in OWN]
