"""How loops are compiled, and where what was compiled is kept.

numba keeps machine code next to the file of a function and renews it only when that file changes, though constants and
kernels of other files are compiled in. Here it is kept for a digest of all source files that the kernel's module
imports, so that an edit of any of them counts and an edit of any other does not. Machine code that cannot be kept, or
read again, is compiled again: a full disk, a folder that cannot be written or a cache cut short by a crash costs
seconds, never the work.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import pickle
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import attrs
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.registry import CPUDispatcher
from numba.core.runtime import rtsys
from numba.core.sigutils import normalize_signature

from stackc.api.errors import StackcError
from stackc.api.late import LATE
from stackc.api.version import IMPORTED_NS

Function = TypeVar("Function", bound=Callable[..., object])

_UNREADABLE = (
    OSError, EOFError, ValueError, LookupError, AttributeError, ImportError, TypeError, pickle.PickleError,
)  # fmt: skip
"""Errors of reading a file that was cut short, or is no longer the one that numba wrote."""


def kernel(function: Function) -> Function:
    """Compile with numba when it is first called, keeping the function's type.

    Constants and kernels of other files are seen to change where the kernel's module imports them, through any number
    of files, at the level of the module, from its own package, from a module in the same folder or from stackc.

    Arguments are arrays, numbers and tuples of them: for other types numba asks its extensions, which are loaded only
    when something is compiled.
    """
    return _compiled(function)


def kernel_of(signature: Any, **options: Any) -> Callable[[Function], Function]:
    """Compile with numba at once, for exactly these types: importing takes that long, calling never does.

    Args:
        signature: see `numba.njit`.
        options: of `numba.njit`, such as fastmath.
    """

    def decorate(function: Function) -> Function:
        made: Any = _compiled(function, **options)
        made.compile(signature)
        made.disable_compile()
        kept: Function = made
        return kept

    return decorate


def inlined(function: Function) -> Function:
    """Compile into its callers: a call hands over every field of every array, which takes as long as ten steps.

    It has no compiled form of its own, and so may be called from kernels of any file without being compiled again.

    LLVM does it (`forceinline`). numba's own ``inline="always"`` copies the whole caller for each call of it, so a loop
    with fifty of them took four times as long to compile, and the code was no faster.

    What lets Python call a function takes a third of the time that compiling it does, and is made when it is called so.
    """
    made: Any = _compiled(function, None, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
    made.__class__ = _Inlined
    kept: Function = made
    return kept


class _Inlined(CPUDispatcher):  # type: ignore[misc]  # numba has no types
    def __call__(self, *arguments: Any) -> Any:
        """From Python: compiled once more, for Python. numba's own call would jump to address zero."""
        if "_for_python" not in vars(self):
            self._for_python = _compiled(self.py_func, None)
        return self._for_python(*arguments)


def composed(make: Callable[..., Function], *kernels: Any) -> Function:
    """Compile a loop around kernels that are known only when it is made, and keep it as any other is kept.

    numba keeps a function that is given functions as arguments, or finds them in a closure, for one process alone: it
    names them by numbers that each process draws again. Here they are named by module and name, and the sources of
    their modules count as those of the loop.

    Args:
        make: a function of a module, which returns the loop: a function nested in it that calls the kernels.
        kernels: the arguments of `make`, each a `kernel` or `inlined` function of a module.
    """
    loop = make(*kernels)
    names = [f"{one.py_func.__module__}.{one.py_func.__qualname__}" for one in kernels]
    # numba names the files after the function. With names of their own two loops around different kernels do not take
    # each other's code for outdated.
    loop.__qualname__ = f"{make.__name__}_{hashlib.sha256(' '.join(names).encode()).hexdigest()[:16]}"
    # All that a function ever makes has the same name, so nothing could be kept under it.
    return _compiled(loop, None if any("<locals>" in name for name in names) else kernels)


def _compiled(function: Function, kernels: tuple[Any, ...] | None = (), **options: Any) -> Function:
    """Compile with numba when it is first called; kept, unless `kernels`, those of its closure, is None."""
    if numba.config.DISABLE_JIT:
        # Integers of numpy do not wrap around as machine words do: in plain Python kernels would give other bits.
        raise StackcError("NUMBA_DISABLE_JIT is set, and stackc codes by compiled loops only: unset NUMBA_DISABLE_JIT")
    made: Any = numba.njit(nogil=True, **options)(function)
    # numba imports the packages that extend it at the first call of anything; of those that are installed by chance one
    # alone may take longer than all of a short command. A compilation imports them in any case.
    made._compilation_chain_init_hook = _no_extensions
    if kernels is not None:
        # No folder that may be written to, or no source: compiled in every process.
        with contextlib.suppress(RuntimeError, OSError):
            made._cache = _Cache(function, kernels)
    kept: Function = made
    return kept


def _no_extensions() -> None:
    pass


_SECRETS = b"_numba_hashsecret_"
"""Symbols to which machine code that hashes texts refers. `_HASHING` defines them, and such code may not import it."""

_HASHING = "numba.cpython.hashing"


class _Kept(CompileResultCacheImpl):  # type: ignore[misc]  # numba has no types
    """The machine code of one function: kept under the stamp of all its sources, which stands in the machine code's
    file too.

    numba writes index and machine code one after the other: of two processes with different sources one might leave
    the index and the other the code.
    """

    def __init__(self, function: FunctionType, kernels: tuple[Any, ...] = ()) -> None:
        digests = [sources_digest(one) for one in (function, *(one.py_func for one in kernels))]
        self._digest = digests[0] if len(digests) == 1 else hashlib.sha256(b"".join(digests)).digest()
        super().__init__(function)

    @property
    def locator(self) -> _Stamped:
        return _Stamped(super().locator, self._digest)

    def reduce(self, made: Any) -> Any:
        return self._digest, made.codegen.magic_tuple(), super().reduce(made)

    def rebuild(self, target: Any, kept: Any) -> Any:
        digest, machine, made = kept
        if (digest, machine) != (self._digest, target.codegen().magic_tuple()):
            return None
        if _SECRETS in made[0][-1][0]:
            importlib.import_module(_HASHING)
        return super().rebuild(target, made)


class _Stamped:
    """numba's choice of a folder, with a stamp of more than one file."""

    def __init__(self, chosen: Any, digest: bytes) -> None:
        self._chosen, self._digest = chosen, digest

    def get_source_stamp(self) -> Any:
        return self._chosen.get_source_stamp(), self._digest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chosen, name)


class _Cache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """numba's cache of one function, without which the function still works."""

    def __init__(self, function: Any, kernels: tuple[Any, ...]) -> None:
        self._impl_class = functools.partial(_Kept, kernels=kernels)
        self._kernels = kernels
        super().__init__(function)

    def _index_key(self, signature: Any, codegen: Any) -> Any:
        # The stamp has the sources of the kernels. What numba adds to the key names them by numbers.
        return (signature, codegen.magic_tuple()) if self._kernels else super()._index_key(signature, codegen)

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            # numba's own `load_overload` first loads all that compiling needs, which takes ten times as long as reading
            # machine code. That only calls the runtime.
            rtsys.initialize(target)
            made = self._load_overload(signature, target)
        except _UNREADABLE:
            with contextlib.suppress(OSError):
                self.flush()
            return None
        # Two processes that compile for different types at the same time may give both one file.
        wanted, _ = normalize_signature(signature)
        return made if made is None or tuple(made.signature.args) == tuple(wanted) else None

    def save_overload(self, signature: Any, made: Any) -> None:
        with contextlib.suppress(OSError):
            super().save_overload(signature, made)


_STACKC = str(Path(__file__).parents[2])
_INSTALLED = str(Path(numba.__file__).parents[1])

_UNSEEN = re.compile(
    r"^([ \t]*)(?:(?:async[ \t]+)?def\b|if (?:typing\.)?TYPE_CHECKING:).*\n(?:\1[ \t]+.*\n|[ \t]*\n|\1\).*\n)*",
    re.MULTILINE,
)
"""Functions, and what stands there for type checkers alone: a kernel does not see what is imported in them."""

_IMPORTS = re.compile(
    r"(?:^|[;:])[ \t]*(?:from[ \t]*(\.*[\w.]*)[ \t]+import\b[ \t]*(\((?:[^()#]|#.*)*\)|(?:\\\r?\n|[^;\n])*)"
    r"|import[ \t]+((?:\\\r?\n|[^;\n])*))",
    re.MULTILINE,
)
"""Imports as they are written: a parser takes 30 times as long, and what is found too much in a string does no harm."""


@attrs.frozen
class _Roots:
    """The modules whose sources count for a kernel.

    Attributes:
        home: the folder that holds the kernel's package.
        top: the package; "": every file of the folder counts.
    """

    home: str
    top: str

    @classmethod
    def of(cls, path: str, module: str) -> _Roots:
        """Of the file of a module."""
        up = module.count(".") + (os.path.basename(path) == "__init__.py")
        home = os.path.abspath(path)
        for _ in range(up + 1):
            home = os.path.dirname(home)
        # A folder of installed packages holds all the others too.
        installed = home == _INSTALLED or os.path.basename(home) in ("site-packages", "dist-packages")
        return cls(home, module.partition(".")[0] if installed else "")

    def folder(self, module: str) -> str | None:
        """The folder to look for a module in; None: it does not count."""
        top = module.partition(".")[0]
        return _STACKC if top == "stackc" else self.home if self.top in ("", top) else None


_OWN = _Roots(_STACKC, "stackc")

_digests: dict[str, tuple[object, bytes]] = {}
"""By module, with its spec, which is another if it was loaded again."""


def sources_digest(function: FunctionType) -> bytes:
    """SHA-256 of all files that a function's module imports, through any number of files, as `kernel` says.

    Raises:
        OSError: a file that cannot be read, or has changed since this process began: what was imported may be older.
    """
    name = function.__module__ or ""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    known = _digests.get(name)
    if known is None or spec is None or known[0] is not spec:
        # Of a script that runs as __main__ only the spec knows the name.
        known = _digests[name] = spec, _digest(name if spec is None else spec.name, function.__code__.co_filename)
    return known[1]


def _digest(name: str, path: str) -> bytes:
    hashes = [module.encode() + sha256 for module, sha256 in sorted(_sources(name, path).items())]
    return hashlib.sha256(b"".join(hashes)).digest()


def _sources(name: str, path: str) -> dict[str, bytes]:
    """SHA-256 of the files that count for the kernels of a module, by module."""
    roots = _Roots.of(path, name)
    files, hashes = {name: path, __name__: __file__}, {}
    todo = list(files)
    while todo:
        name = todo.pop()
        source = _source(files[name], name, _OWN if name.partition(".")[0] == "stackc" else roots)
        hashes[name] = source.sha256
        todo += [one for one in source.imports if one not in files]
        files = source.imports | files
    return hashes


@attrs.frozen
class _Source:
    """A source file as it was when it was read.

    Attributes:
        changed: time of its last change, and its size.
        imports: files that it imports and that count, by the names of the modules.
    """

    changed: tuple[int, int]
    sha256: bytes
    imports: dict[str, str]


_read: dict[tuple[str, _Roots], _Source] = {}


def _source(path: str, name: str, roots: _Roots) -> _Source:
    """The source file of the module `name`; read again where it changed."""
    status = os.stat(path)
    if IMPORTED_NS <= status.st_mtime_ns <= time.time_ns():
        raise OSError(f"{path}: changed since this process began")
    changed = status.st_mtime_ns, status.st_size
    known = _read.get((path, roots))
    if known is None or known.changed != changed:
        with open(path, "rb") as file:
            content = file.read()
        package = name if os.path.basename(path) == "__init__.py" else name.rpartition(".")[0]
        imports: dict[str, str] = {}
        for base, names in _imported(content.decode(errors="replace"), package):
            imports |= _files(base, names, roots)
        known = _read[path, roots] = _Source(changed, hashlib.sha256(content).digest(), imports)
    return known


def _imported(text: str, package: str) -> Iterator[tuple[str, list[str]]]:
    """(module, names imported from it) of every import at a module's level."""
    for found in _IMPORTS.finditer(_UNSEEN.sub("", text + "\n")):
        base, names, modules = found.groups()
        if base is None:
            yield from ((words[0], []) for one in modules.split(",") if (words := one.split()))
            continue
        if base.startswith("."):
            inner = base.lstrip(".")
            above = package.split(".")
            above = above[: len(above) + 1 - (len(base) - len(inner))]
            base = ".".join([*above, inner]) if inner else ".".join(above)
        plain = re.sub(r"#.*|[()\\]", "", names)
        yield base, [words[0] for one in plain.split(",") if (words := one.split())]


def _files(base: str, names: list[str], roots: _Roots) -> dict[str, str]:
    """The files behind an import of names from a module, by module; no files if they do not count."""
    folder = roots.folder(base)
    if folder is None or base.partition(".")[0] in sys.stdlib_module_names:
        return {}
    stem = os.path.join(folder, *base.split("."))
    file = _file(stem)
    if base == "stackc.api":
        # Late names, such as the primitives of `stackc.api.bitwise`, are compiled in too, and no written import leads
        # to their modules.
        names = [LATE.get(one, one).removeprefix("stackc.api.") for one in names]
    if names and os.path.isdir(stem):
        inner = {f"{base}.{one}": path for one in names if (path := _file(f"{stem}/{one}")) is not None}
        # Modules that are imported by name from a package count without the package: it imports all that it offers.
        if len(inner) == len(names) or file is None:
            return inner
        return inner | {base: file}
    return {} if file is None else {base: file}


def _file(stem: str) -> str | None:
    """The file of a package or module."""
    return next((path for path in (f"{stem}/__init__.py", f"{stem}.py") if os.path.isfile(path)), None)
