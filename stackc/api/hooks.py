"""The plugin contract: one hook for each kind of part.

A plugin is a package with an entry point in the group ``stackc`` that names a module. The module
implements any of these hooks; each is given a callback ``register(name, factory, config, summary, *, self_test=None)``:

- ``name``: what recipes call the part; unique among the parts of its kind;
- ``factory``: called with a structured ``config`` when the part is used, and only then: heavy imports go inside;
- ``config``: an attrs class, every field keyword-only, with ``bits_version: ClassVar[int]`` (raised when the
  part's bits change); importing it must not import torch or numba. Fields are made by `stackc.api.bits`,
  `speed` or `globs`. It may have ``problems(alphabet, settings) -> list[str]``: problems that only the part knows of,
  reported with the recipe's others (readers are asked with 256 and None);
- ``summary``: one line for ``stackc plugins list``;
- ``self_test(device: Device) -> str``: tries the part on this machine, in seconds, and says in a line how it runs here,
  for ``stackc doctor``; or raises `StackcError`. Like the factory, it imports heavy packages when it is called. Without
  it, a static method ``doctor`` of the configuration class is called, which contract 1.0 had instead.
"""

from __future__ import annotations

import pluggy

from stackc.api.register import Register

hookspec = pluggy.HookspecMarker("stackc")
hookimpl = pluggy.HookimplMarker("stackc")


@hookspec
def stackc_register_models(register: Register) -> None:
    """Register model backends (`stackc.api.ModelBackend`): ``[level.model] backend = NAME``."""


@hookspec
def stackc_register_coders(register: Register) -> None:
    """Register coders (`stackc.api.AnyCoder`: any of four kinds): ``[level.coder] kind = NAME``.

    ``config`` also has the coder's flags (`stackc.api.CoderFlags`), which are declared nowhere else.
    """


@hookspec
def stackc_register_windowings(register: Register) -> None:
    """Register windowings; the factory returns a `stackc.api.Windowing`: ``[level.windowing] kind = NAME``."""


@hookspec
def stackc_register_readers(register: Register) -> None:
    """Register corpus readers (`stackc.api.Reader`): ``[corpus] reader = NAME``.

    Files are named in fields made by `stackc.api.globs`: relative to the recipe's folder there, absolute here.
    """
