"""The callback that a hook is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from stackc.api.models import Device


class Register(Protocol):
    """Registers one part; `stackc.api.hooks` says what the arguments are."""

    def __call__(
        self,
        name: str,
        factory: Callable[[Any], Any],
        config: type,
        summary: str,
        *,
        self_test: Callable[[Device], str] | None = None,
    ) -> None: ...
