"""The structure of stackc, read from its own code: who imports whom, and the tree with one line per folder.

    python scripts/structure.py            # print the tree
    python scripts/structure.py --write    # write it into README.md and docs/architecture.md

Nothing of stackc is imported, so this works on any state of the code. `tests/test_layers.py` holds the code to it.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

ORDER = (
    "api", "parts", "coding", "recipe", "archive", "stack", "pipeline", "scaffold", "testing", "interop", "report",
    "bench", "doctor", "hf", "cli", "__main__",
)  # fmt: skip
"""Top-level modules of stackc: each imports only those that stand before it."""

FACE = "stackc"
"""The lazy public face imports from every folder, and nothing inside imports it."""

PAGES = ("README.md", "docs/architecture.md")
BEGIN, END = "<!-- tree: begin -->", "<!-- tree: end -->"


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of stackc and of the first-party plugins, by its dotted name."""
    found = {}
    for base, pattern in ((root, "stackc/**/*.py"), (root / "plugins", "**/*.py")):
        for path in sorted(base.glob(pattern)):
            found[".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path, known: Iterable[str], package: str = "") -> set[str]:
    """The known modules that a file imports anywhere: at its top, in functions, and for types alone.

    Args:
        package: the package that the file belongs to, for imports with leading dots.
    """
    known = known if isinstance(known, set) else set(known)
    found = set()
    for node in _imports_of(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in known else base for name in inner}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            found.add(node)
    return found & known


@functools.cache
def _imports_of(text: str) -> list[ast.ImportFrom | ast.Import | str]:
    """The import statements of a source text, and the modules that its calls of `import_module` name.

    Kept by text: the tests read trees that differ from this one in a single file.
    """
    found: list[ast.ImportFrom | ast.Import | str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom | ast.Import):
            found.append(node)
        elif isinstance(node, ast.Call) and _imports_by_name(node.func) and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                found.append(argument.value)
    return found


def _imports_by_name(function: ast.expr) -> bool:
    """Whether a call of it imports the module that its first argument names."""
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def graph(root: Path = ROOT) -> dict[str, set[str]]:
    """Who imports whom, module by module."""
    paths = modules(root)
    known, found = set(paths), {}
    for name, path in paths.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        found[name] = imports(path, known, package) - {name}
    return found


def upward(edges: dict[str, set[str]]) -> list[str]:
    """Imports of a top-level module that stands later in `ORDER`, and imports of the face."""
    found = []
    for name, targets in edges.items():
        if name.split(".")[0] != FACE or name == FACE:
            continue
        place = ORDER.index(name.split(".")[1])
        for target in sorted(targets):
            parts = target.split(".")
            if target == FACE or (parts[0] == FACE and ORDER.index(parts[1]) > place):
                found.append(f"{name} imports {target}")
    return found


def nested(edges: dict[str, set[str]]) -> list[str]:
    """Folders that import a folder inside them and are imported by it, each with such an import upward.

    Of the package itself only the order of its folders counts, `ORDER`.
    """
    packages = {name.rpartition(".")[0] for name in edges}
    down: set[tuple[str, str]] = set()
    up: dict[tuple[str, str], str] = {}
    for name, targets in edges.items():
        inner = name if name in packages else name.rpartition(".")[0]
        for target in sorted(targets):
            outer = target if target in packages else target.rpartition(".")[0]
            if FACE not in (inner, outer) and outer.startswith(f"{inner}."):
                down.add((inner, outer))
            elif FACE not in (inner, outer) and inner.startswith(f"{outer}."):
                up[outer, inner] = f"{name} imports {target}"
    return [up[pair] for pair in sorted(down & set(up))]


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other in a loop (Tarjan 1972: strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(edges.get(name, ())):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            at = stack.index(name)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1:
                found.append(sorted(group))

    for name in edges:
        if name not in index:
            visit(name)
    return found


def summary(path: Path) -> str:
    """The first sentence of a module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"\.\s|\.$", " ".join(text.split("\n\n")[0].split()))[0]


def tree(root: Path = ROOT) -> Iterator[str]:
    """The tree: a line per folder and per top-level module, in the order in which they may import each other."""
    yield from _lines(root / "stackc", [name for name in ORDER if name != "__main__"])
    yield from _lines(root / "plugins", sorted(path.name for path in (root / "plugins").glob("stackc_*")))


def _lines(base: Path, names: list[str]) -> Iterator[str]:
    yield f"{base.name}/"
    for name in names:
        folder = base / name
        if not folder.is_dir():
            yield _line(1, f"{name}.py", folder.with_suffix(".py"))
            continue
        yield _line(1, f"{name}/", folder / "__init__.py")
        for inner in sorted(path.parent for path in folder.glob("*/__init__.py")):
            yield _line(2, f"{inner.name}/", inner / "__init__.py")


def _line(depth: int, name: str, path: Path) -> str:
    return f"{'  ' * depth + name:<22}{summary(path)}"


def page(text: str) -> str:
    """A page with the tree between its marks."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n```text\n" + "\n".join(tree()) + f"\n```\n{END}" + rest.partition(END)[2]


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        for name in PAGES:
            (ROOT / name).write_text(page((ROOT / name).read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n".join(tree()))
