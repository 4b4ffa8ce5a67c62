"""The border between integers and floats, read from the code: what codes imports nothing of what trains."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

import stackc_torch

PACKAGE = Path(stackc_torch.__file__).parent
FROZEN = "stackc_torch.frozen"
FORBIDDEN = ("stackc_torch.training", "torch.nn")


def imported(path: Path) -> set[str]:
    """Every name that a file imports anywhere, and every attribute of torch that it uses."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return found


def modules(folder: Path) -> dict[str, Path]:
    files = folder.rglob("*.py")
    return {".".join(("stackc_torch", *path.relative_to(folder).with_suffix("").parts)): path for path in files}


def wrong(folder: Path, roots: Iterable[str]) -> list[str]:
    """Forbidden names in the modules that these import, directly or not. Packages' own files hold no code."""
    known, seen, left = modules(folder), set(), list(roots)
    found = []
    while left:
        name = left.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        names = imported(known[name])
        found += [f"{name}: {bad}" for bad in names if any(f"{bad}.".startswith(f"{f}.") for f in FORBIDDEN)]
        left += names
    return sorted(found)


def frozen_side(folder: Path) -> list[str]:
    """All of ``frozen/``, and what each network's twin and self-test reach: every route that codes."""
    return [
        name for name in modules(folder)
        if name.startswith(f"{FROZEN}.") or name.endswith((".self_test", ".twin"))
    ]  # fmt: skip


def test_what_codes_imports_nothing_of_what_trains() -> None:
    roots = frozen_side(PACKAGE)
    networks = {name for name in roots if not name.startswith(FROZEN)}
    assert networks >= {
        f"stackc_torch.{net}.{part}" for net in ("transformer", "gru") for part in ("twin", "self_test")
    }
    assert wrong(PACKAGE, roots) == []


@pytest.mark.parametrize(
    "line",
    [
        "from stackc_torch.training.rows import Rows",
        "def late():\n    import stackc_torch.training.loop",
        "from torch.nn import functional",
        "import torch.nn.functional as F",
        "import torch\npad = torch.nn.functional.pad",
        "from stackc_torch.transformer.network import layer",
    ],
)
@pytest.mark.parametrize("file", ["frozen/passes.py", "transformer/kernels.py", "gru/arithmetic.py"])
def test_a_breach_is_seen_however_it_is_written(tmp_path: Path, line: str, file: str) -> None:
    for path in PACKAGE.rglob("*.py"):
        copy = tmp_path / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text() + (f"\n{line}\n" if copy == tmp_path / file else ""))
    assert wrong(tmp_path, frozen_side(tmp_path)) != []
