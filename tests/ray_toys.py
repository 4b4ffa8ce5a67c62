"""Shards that take their worker with them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import attrs

from stackc.api.errors import CodingError
from stackc.pipeline.encoding import Shard, ShardEncoder


@attrs.frozen(kw_only=True)
class Dying(ShardEncoder):
    """Kills its worker at shard 2, the first time; every try is noted in the folder TRIED."""

    def __call__(self, shard: Shard) -> str:
        again = _note(shard)
        if shard[0] == 2 and not again:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(shard)


@attrs.frozen(kw_only=True)
class Deadly(ShardEncoder):
    """Kills every worker at shard 2."""

    def __call__(self, shard: Shard) -> str:
        if shard[0] == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(shard)


@attrs.frozen(kw_only=True)
class Refusing(ShardEncoder):
    """Raises what a user can cause, at shard 3."""

    def __call__(self, shard: Shard) -> str:
        if shard[0] == 3:
            raise CodingError("shard 3 is refused")
        return super().__call__(shard)


@attrs.frozen(kw_only=True)
class Noting(ShardEncoder):
    """Notes every try."""

    def __call__(self, shard: Shard) -> str:
        _note(shard)
        return super().__call__(shard)


def _note(shard: Shard) -> bool:
    """Whether the shard was tried before."""
    tries = sorted(Path(os.environ["TRIED"]).glob(f"{shard[0]}-*"))
    (Path(os.environ["TRIED"]) / f"{shard[0]}-{len(tries)}").touch()
    return bool(tries)
