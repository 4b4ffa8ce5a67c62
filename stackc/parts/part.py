"""A registered part, the source of a plugin, and a plugin that was set aside."""

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
        distribution: the installed package that it belongs to; "" if the plugin was given as an object.
        version: of the distribution.
        self_test: tries the part on this machine and says in a line how it runs; None if the part has no test.
    """

    kind: str
    name: str
    factory: Callable[[Any], Any]
    config: Any
    summary: str
    plugin: str
    distribution: str
    version: str
    self_test: Callable[[Device], str] | None = None

    @property
    def bits_version(self) -> int:
        """The version of the bits that it writes; the part's author raises it when they change."""
        return int(self.config.bits_version)


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
    """A plugin whose parts are not available, and why. `fatal`: it breaks the contract; otherwise it only failed."""

    source: Source
    reason: str
    fatal: bool
    error: BaseException | None = attrs.field(default=None, eq=False, repr=False)

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"
