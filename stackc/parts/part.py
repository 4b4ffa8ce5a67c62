"""One registered part, where it comes from, and a plugin that was set aside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from stackc.api.models import Device


@attrs.frozen(kw_only=True)
class Part:
    """One registered part.

    Attributes:
        kind: "model", "coder", "windowing" or "reader".
        name: what recipes call it.
        factory: ``factory(config)`` makes the part; may import heavy packages.
        config: its configuration class.
        summary: one line.
        plugin: the entry point that registered it.
        distribution: the installed package it came with; "" where it was handed over as an object.
        version: of the distribution.
        self_test: tries the part on a device and says in a line how it runs there; None: it has none.
    """

    kind: str
    name: str
    factory: Callable[[Any], Any]
    config: type
    summary: str
    plugin: str
    distribution: str
    version: str
    self_test: Callable[[Device], str] | None = None

    @property
    def bits_version(self) -> int:
        """Raised by the part's author when the bits it writes change."""
        return int(self.config.bits_version)  # type: ignore[attr-defined]


@attrs.frozen(kw_only=True)
class Source:
    """Where a plugin comes from; `load` imports it."""

    plugin: str
    distribution: str
    version: str
    load: Callable[[], object]

    def __str__(self) -> str:
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"plugin '{self.plugin}'{origin}"


@attrs.frozen(kw_only=True)
class Broken:
    """A plugin whose parts are not available, and why. `fatal`: it breaks the contract, it did not merely fail."""

    source: Source
    reason: str
    fatal: bool
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"
