"""Orders of rank 0 to the other ranks of a build: to compare their arguments, to train, to end.

The other ranks only train: all other stages run on rank 0 alone.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stackc.api.files import kept_in
from stackc.pipeline.ranks.world import PATIENCE, RankError, World

_SIGN = re.compile(r"\.ranks-[0-9a-f]{32}")

ALIKE = "start all ranks with the same arguments"


class Orders:
    """Orders of rank 0, numbered consecutively. Without other ranks they have no effect.

    Args:
        ranks: this process and the others.
        folder: the stack's folder, which all ranks share.
        given: returns the values that must be the same on every rank, by name: "recipe" and "device".
    """

    def __init__(self, ranks: World, folder: Path, given: Callable[[], dict[str, str]]) -> None:
        self._ranks, self._folder, self._given = ranks, folder, given
        self._number = 0

    def give(self, what: dict[str, Any]) -> None:
        """Rank 0: send an order to all others."""
        if self._ranks.store is not None:
            with contextlib.suppress(RuntimeError):  # no other rank is left
                self._ranks.store.set(f"order/{self._number}", json.dumps(what))
        self._number += 1

    def received(self) -> Iterator[dict[str, Any]]:
        """The others: the orders to train, until rank 0 is done.

        Raises:
            RankError: rank 0 stopped or was lost.
        """
        while (order := self._receive())["do"] in ("compare", "train"):
            if order["do"] == "train":
                yield order
                continue
            other = [what for what, value in self._given().items() if order[what] != value]
            if not (self._folder / order["sign"]).exists():
                other.append("folder")
            self._ranks.store.set(f"answer/{self._number - 1}/{self._ranks.rank}", json.dumps(other))
        if order["do"] == "stop":
            raise RankError("rank 0 stopped", quiet=True)

    def compare(self) -> None:
        """Rank 0: check that the others have the same arguments, before anything is read.

        Paths of one folder may differ between machines, so folders are compared by a new file with a unique name.

        Raises:
            RankError: another rank was given another recipe, device or folder.
        """
        if self._ranks.ranks == 1:
            return
        sign = self._folder / f".ranks-{uuid.uuid4().hex}"
        with kept_in(self._folder), self._ranks.together():
            for old in self._folder.iterdir():
                if _SIGN.fullmatch(old.name):  # left by a killed build: this build holds the lock
                    old.unlink()
            sign.touch(exist_ok=False)
            try:
                self.give({"do": "compare", "sign": sign.name, **self._given()})
                keys = {rank: f"answer/{self._number - 1}/{rank}" for rank in range(1, self._ranks.ranks)}
                self._ranks.store.wait(list(keys.values()), PATIENCE)
                answers = {rank: json.loads(self._ranks.store.get(key)) for rank, key in keys.items()}
            finally:
                sign.unlink(missing_ok=True)
        one_folder = f"all ranks need the same folder, {self._folder}, on a file system that their machines share"
        for what, remedy in (("recipe", ALIKE), ("device", ALIKE), ("folder", one_folder)):
            others = [str(rank) for rank, other in answers.items() if what in other]
            if others:
                raise RankError(f"rank {', '.join(others)}: its {what} differs from that of rank 0; {remedy}")

    def _receive(self) -> dict[str, Any]:
        key = f"order/{self._number}"
        self._number += 1
        try:
            self._ranks.store.wait([key], PATIENCE)
            order: dict[str, Any] = json.loads(self._ranks.store.get(key))
        except RuntimeError as error:
            raise self._ranks.lost() from error
        return order
