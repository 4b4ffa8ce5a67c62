"""The plugin contract: one hook for each kind of part.

A plugin is a package with an entry point in the group ``stackc`` that names a module. The module
implements any of these hooks; each is handed a ``register(name, factory, config, summary)`` callback:

- ``name``: what recipes call the part; unique among the parts of its kind;
- ``factory``: called with a structured ``config`` when the part is used, and only then: heavy imports go inside;
- ``config``: an attrs class, every field keyword-only, with ``bits_version: ClassVar[int]`` (raised when the
  part's bits change); importing it must not import torch or numba. Fields are made by `stackc.api.bits`,
  `speed` or `globs`. It may have ``problems(alphabet, settings) -> list[str]``: what a recipe should be told (readers
  are asked with 256 and None);
- ``summary``: one line for ``stackc plugins list``;
- ``self_test`` (optional): try the part on this machine, in seconds, for ``stackc doctor``: returns a line on how it
  runs here, or raises `StackcError`. A static method ``doctor`` of the config does the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pluggy

from stackc.api.models import Device

hookspec = pluggy.HookspecMarker("stackc")
hookimpl = pluggy.HookimplMarker("stackc")


class Register(Protocol):
    """What each hook is handed."""

    def __call__(
        self,
        name: str,
        factory: Callable[[Any], Any],
        config: type,
        summary: str,
        *,
        self_test: Callable[[Device], str] | None = None,
    ) -> None:
        """Register one part."""


@hookspec
def stackc_register_models(register: Register) -> None:
    """Register model backends (`stackc.api.ModelBackend`): ``[level.model] backend = NAME``."""


@hookspec
def stackc_register_coders(register: Register) -> None:
    """Register coders (`stackc.api.Coder`): ``[level.coder] kind = NAME``.

    ``config`` has the coder's flags too: ``budget``, ``ends``, ``total``, ``needs_model``: ClassVar[bool].
    """


@hookspec
def stackc_register_windowings(register: Register) -> None:
    """Register windowings; the factory returns a `stackc.api.Windowing`: ``[level.windowing] kind = NAME``."""


@hookspec
def stackc_register_readers(register: Register) -> None:
    """Register corpus readers (`stackc.api.Reader`): ``[corpus] reader = NAME``.

    Files are named in fields made by `stackc.api.globs`: relative to the recipe's folder there, absolute here.
    """
