"""Finds plugins, checks that they keep the contract, and gives their parts by kind and name.

Entry points of the group ``stackc`` are loaded one by one, because pluggy's own loader stops at the first
that fails. There are two kinds of faults:

- a plugin that does not load or registers wrongly is *set aside* with its reason, and the rest works
  (``STACKC_STRICT_PLUGINS=1`` makes it an error);
- a misspelt hook, a hook with a wrong signature or a second part of one name would fail silently, so each of them is
  an error (`PluginError`) whenever parts are requested.

Nothing here imports torch or numba; a part's factory does, when it is called.
"""

from __future__ import annotations

import difflib
import dis
import functools
import importlib.metadata
import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pluggy

from stackc.api import hooks
from stackc.api.errors import PluginError
from stackc.api.models import Device
from stackc.api.register import Register
from stackc.api.version import CONTRACT, contract_problem
from stackc.parts.part import Broken, Part, Source
from stackc.parts.rules import registration_problems

HOOKS = {
    "model": "stackc_register_models",
    "coder": "stackc_register_coders",
    "windowing": "stackc_register_windowings",
    "reader": "stackc_register_readers",
}
"""The hook of every kind of part."""

GROUP = "stackc"
"""The group of entry points."""

_FIELD = type(attrs.field())
"""The type of a field while its class is being made: no name that the class body uses may be of it."""

_DECLARING = ("bits", "speed", "globs")
"""Functions that declare fields, of `stackc.api`."""

_LOADS = ("LOAD_NAME", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF", "LOAD_FROM_DICT_OR_GLOBALS")
"""How a class body reads a name, in all versions of Python."""

STRICT_VARIABLE = "STACKC_STRICT_PLUGINS"


class BrokenPlugins(PluginError):
    """Plugins that break the contract: a line for each, and the two signatures of a hook that is wrong."""

    @property
    def lines(self) -> list[str]:
        return str(self).split("\n")


class _ContractBroken(Exception):
    """A hook that is misspelt or has a wrong signature, or a name that is taken."""


class Registry:
    """The parts of a set of plugins.

    Construct it from objects in tests: ``Registry.of(toy=module)``; elsewhere use `registry()`.

    Attributes:
        broken: the plugins whose parts are missing here, with reasons.
    """

    def __init__(self, sources: Iterable[Source]) -> None:
        self.sources = tuple(sources)
        self.broken: tuple[Broken, ...] = ()
        self._parts: dict[tuple[str, str], Part] = {}
        self._manager = pluggy.PluginManager("stackc")
        self._manager.add_hookspecs(hooks)
        for number, source in enumerate(self.sources):
            try:
                added = self._read(source, f"{number}:{source.plugin}")
            except _ContractBroken as error:
                self.broken += (Broken(source=source, reason=str(error), fatal=True),)
            except (Exception, SystemExit) as error:  # whatever a plugin does must not stop the others
                self.broken += (Broken(source=source, reason=_one_line(error), fatal=False, error=error),)
            else:
                self._parts |= {(part.kind, part.name): part for part in added}

    @classmethod
    def of(cls, plugins: Mapping[str, object] | None = None, /, **named: object) -> Registry:
        """A registry of these plugin objects alone, checked. Raises `PluginError` as `check` does."""
        objects = {**(plugins or {}), **named}
        made = cls(
            Source(plugin=name, distribution="", version="", load=functools.partial(_identity, plugin))
            for name, plugin in objects.items()
        )
        made.check()
        return made

    def check(self, strict: bool | None = None) -> None:
        """Raise `PluginError` if a plugin breaks the contract; with `strict`, also if one was set aside.

        Args:
            strict: default: whether STACKC_STRICT_PLUGINS is set to something other than 0.
        """
        if strict is None:
            strict = os.environ.get(STRICT_VARIABLE, "") not in ("", "0")
        wrong = [str(broken) for broken in self.broken if broken.fatal or strict]
        if wrong:
            raise BrokenPlugins("\n".join(wrong))

    def parts(self, kind: str | None = None) -> list[Part]:
        """All parts of a kind (default: of every kind), sorted by kind and name."""
        order = list(HOOKS)
        chosen = [part for part in self._parts.values() if kind in (None, part.kind)]
        return sorted(chosen, key=lambda part: (order.index(part.kind), part.name))

    def find(self, kind: str, name: str) -> Part | None:
        """The part of this kind and name, or None."""
        return self._parts.get((kind, name))

    def get(self, kind: str, name: str, distribution: str = "") -> Part:
        """The part of this kind and name.

        Args:
            distribution: the package that had it when an artifact was written, for the message.

        Raises:
            PluginError: there is no such part; the message lists the others, the nearest, and what may be missing.
        """
        part = self.find(kind, name)
        if part is None:
            raise PluginError(self.missing(kind, name, distribution))
        return part

    def missing(self, kind: str, name: str, distribution: str = "") -> str:
        """The message for a missing part."""
        names = [part.name for part in self.parts(kind)]
        text = f"no {kind} named {name!r}; installed: {', '.join(names) or 'none'}"
        near = difflib.get_close_matches(name, names, n=1)
        if near:
            text += f"; did you mean {near[0]!r}?"
        if distribution:
            text += f"; it came with {distribution}: pip install {distribution}"
        for broken in self.broken:
            text += f"; {broken.source} was set aside and may have had it ({broken.reason})"
        return text

    def _read(self, source: Source, key: str) -> list[Part]:
        """Load one plugin and collect its parts; none of them is kept unless all are right."""
        plugin = source.load()
        problem = contract_problem(plugin)
        if problem:
            raise PluginError(problem)
        _check_hooks(plugin)
        self._manager.register(plugin, key)
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        added: dict[tuple[str, str], Part] = {}
        for kind, hook in HOOKS.items():
            register = self._register(source, added, kind)
            self._manager.subset_hook_caller(hook, others)(register=register)
        return list(added.values())

    def _register(self, source: Source, added: dict[tuple[str, str], Part], kind: str) -> Register:
        """The ``register`` that a plugin is given: it checks one part and puts it into `added`."""

        def register(
            name: str,
            factory: Callable[[Any], Any],
            config: type,
            summary: str,
            *,
            self_test: Callable[[Device], str] | None = None,
        ) -> None:
            problems = registration_problems(kind, name, factory, config, summary, self_test)
            if problems:
                raise PluginError(f"{kind} {name!r} is registered wrongly: " + "; ".join(problems))
            taken = added.get((kind, name)) or self._parts.get((kind, name))
            if taken is not None:
                owner = f"plugin '{taken.plugin}'" + (f" ({taken.distribution})" if taken.distribution else "")
                raise _ContractBroken(
                    f"a second {kind} named {name!r}; {owner} has one already: rename one, or uninstall its package"
                )
            added[kind, name] = Part(
                kind=kind,
                name=name,
                factory=factory,
                config=config,
                summary=summary,
                plugin=source.plugin,
                distribution=source.distribution,
                version=source.version,
                # A config's `doctor` is how contract 1.0 had it; it makes a config import the code that it describes.
                self_test=self_test or getattr(config, "doctor", None),
            )

        register.__qualname__ = "register"  # the name that Python's own messages show
        return register


def _identity(plugin: object) -> object:
    return plugin


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ImportError) and error.name == "stackc.api":
        here = "{}.{}".format(*CONTRACT)
        text += (
            f"; made for another contract of stackc.api than {here}: install a newer stackc, or another version of it"
        )
    hidden = _hidden_by_field(error)
    if hidden in _DECLARING:
        text = (
            f"the configuration field {hidden!r} has the name of a function that declares the fields after it: "
            "write `from stackc.api import fields`, and fields.bits(...)"
        )
    elif hidden is not None:
        text = (
            f"the configuration field {hidden!r} has the name of what the fields after it use: import that under "
            f"another name, such as `import {hidden} as …` or `from … import {hidden} as …`"
        )
    return text if isinstance(error, PluginError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _hidden_by_field(error: BaseException) -> str | None:
    """The name that a field of a configuration class hides from the fields after it, if that is what went wrong."""
    if not isinstance(error, TypeError | AttributeError) or _FIELD.__name__ not in str(error):
        return None
    place = error.__traceback__
    while place is not None:
        frame = place.tb_frame
        loaded = (  # in the order in which they are used: the last one is what is not callable, or lacks something
            one.argval
            for one in dis.get_instructions(frame.f_code)
            if one.opname in _LOADS and one.offset < place.tb_lasti
        )
        hiding = [name for name in loaded if isinstance(frame.f_locals.get(name), _FIELD)]
        if hiding:
            return str(hiding[-1])
        place = place.tb_next
    return None


def _check_hooks(plugin: object) -> None:
    """Raise `_ContractBroken` for every hook that pluggy would ignore silently or refuse less clearly."""
    wrong = []
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        marked = getattr(function, "stackc_impl", None) if inspect.isroutine(function) else None
        if not inspect.isroutine(function) or not (isinstance(marked, dict) or name.startswith("stackc_")):
            continue
        hook = (marked or {}).get("specname") or name
        problem = _hook_problem(hook, function, bool(marked))
        if problem:
            wrong.append(problem)
    if wrong:
        raise _ContractBroken("\n".join(wrong))


def _hook_problem(hook: str, function: Callable[..., Any], marked: bool) -> str | None:
    """The problem of a function that implements `hook`, or seems to; with both signatures."""
    found = f"{hook}({', '.join(inspect.signature(function).parameters)})"
    if hook not in HOOKS.values():
        near = difflib.get_close_matches(hook, HOOKS.values(), n=1, cutoff=0.0)[0]
        return f"hook '{hook}' is not one of stackc's\n  expected: {near}(register)\n  found:    {found}"
    if not marked:
        return f"hook '{hook}' lacks @hookimpl (from stackc.api import hookimpl)\n  found:    {found}"
    parameters = inspect.signature(function).parameters.values()
    # pluggy never fills in a parameter that has a default, and refuses one that the hook does not have
    if [p.name for p in parameters if p.default is p.empty] != ["register"]:
        return f"hook '{hook}' has a wrong signature\n  expected: {hook}(register)\n  found:    {found}"
    return None


def installed() -> list[Source]:
    """The entry points of the group ``stackc``, stackc's own first, then by name; none is imported yet.

    Any package whose metadata cannot be read is a source that does not load.
    """
    try:
        points = [(point, point.dist) for point in importlib.metadata.entry_points(group=GROUP)]
        sources = [_source(point, dist) for point, dist in points]
    except Exception:  # one damaged package in the environment is enough
        sources = list(_one_by_one())
    # stackc's own first, so that the other is reported if two parts have one name.
    return sorted(sources, key=lambda source: (source.distribution != "stackc", source.plugin, source.distribution))


def _source(point: importlib.metadata.EntryPoint, dist: importlib.metadata.Distribution | None) -> Source:
    return Source(
        plugin=point.name,
        distribution=(dist and dist.name) or "",  # None if its metadata is missing
        version=(dist and dist.version) or "",
        load=point.load,
    )


def _one_by_one() -> Iterator[Source]:
    """Like `importlib.metadata.entry_points`, which one damaged package stops: the first of each name."""
    seen = set()
    for dist in importlib.metadata.distributions():
        try:
            name = re.sub(r"[-_.]+", "-", dist.name).lower()
            if name in seen:
                continue
            seen.add(name)
            found = [_source(point, dist) for point in dist.entry_points if point.group == GROUP]
        except Exception as error:
            where = Path(str(getattr(dist, "_path", dist.locate_file(""))))
            reason = f"{where}: its metadata or entry_points.txt cannot be read ({_one_line(error)})"
            yield Source(plugin=where.name, distribution="", version="", load=functools.partial(_unreadable, reason))
        else:
            yield from found


def _unreadable(reason: str) -> object:
    raise PluginError(f"{reason}; install that package again, or remove it")


@functools.lru_cache(maxsize=1)
def registry() -> Registry:
    """The parts of all installed plugins, loaded once.

    Raises:
        PluginError: a plugin breaks the contract (or was set aside, with STACKC_STRICT_PLUGINS=1).
    """
    made = Registry(installed())
    made.check()
    return made
