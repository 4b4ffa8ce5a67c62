"""docs/how-to/write-a-plugin.md says what is there: its code is the package's, its signatures are the live ones."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fresh import Environment
from stackc.api import hooks as hookspecs
from stackc.api import normalise
from stackc.parts.compiled import checked_step, compiled_rows
from stackc.parts.registry import HOOKS
from stackc.scaffold import VARIANTS, files, write
from stackc.testing.training import step_rows

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "how-to" / "write-a-plugin.md").read_text()
PACKAGE = DOCS / "tutorial" / "stackc-rans"
SHOWN = re.findall(r"<!-- signatures: ([\w.]+) -->\n```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
PROTOCOLS = {
    "Coder", "CoderFlags", "WindowEncoder", "WindowDecoder", "BitSource", "LaneCoder", "LaneEncoder", "LaneDecoder",
    "WholeWindowCoder", "WholeWindows", "DictionaryCoder", "PieceCoder", "FittedCoder", "FittedUnderModel", "Intervals",
    "ModelBackend", "Predictor", "BitwisePredictor", "Reader",
}  # fmt: skip


def fragments(name: str) -> list[str]:
    block = rf"<!-- of: {re.escape(name)} -->\n(?:<!-- not run: .+? -->\n)?```python\n(.*?)^```$"
    return re.findall(block, PAGE, re.DOTALL | re.MULTILINE)


def test_the_module_that_the_page_grows_is_the_package() -> None:
    """Whoever types the blocks one below the other has the whole file."""
    grown = "\n\n".join(fragments("stackc_rans.py"))
    assert grown == (PACKAGE / "stackc_rans.py").read_text()


def test_the_tests_that_the_page_shows_are_the_package_s() -> None:
    shown = fragments("tests/test_stackc_rans.py")
    assert shown
    assert all(block in (PACKAGE / "tests" / "test_stackc_rans.py").read_text() for block in shown)


@pytest.mark.parametrize(("name", "kind"), [("stackc-rans", "coder"), ("my-lines", "windowing")])
def test_a_scaffold_with_the_page_s_blocks_in_its_files_passes_its_tests(name: str, kind: str, tmp_path: Path) -> None:
    """Every file that the scaffold's code is in is one that the page says to replace: none keeps the old names."""
    folder = write(name, kind, tmp_path / "new")
    written = [path.relative_to(folder).as_posix() for path in folder.rglob("*.py")]
    assert len(written) == 2
    for path in written:
        assert f"Replace `{path}` by " in PAGE
        (folder / path).write_text("\n\n".join(fragments(path)))
    environment = Environment(tmp_path / "venv")
    assert " passed" in environment.run(folder, "pytest", "-q", "-p", "no:cacheprovider")


def signatures(source: str) -> dict[str, str]:
    """The functions and declared attributes of some code and its classes: name -> parameters and result, or type."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(textwrap.dedent(source))):
        if isinstance(node, ast.FunctionDef):
            result = ast.unparse(node.returns) if node.returns else ""
            found[node.name] = f"({ast.unparse(node.args)}) -> {result}"
        if isinstance(node, ast.AnnAssign) and node.value is None:
            found[ast.unparse(node.target)] = ast.unparse(node.annotation)
    return found


def live(path: str) -> Any:
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize(("path", "block"), SHOWN, ids=[path for path, _ in SHOWN])
def test_signatures_are_the_live_ones(path: str, block: str) -> None:
    assert signatures(block) == signatures(inspect.getsource(live(path)))


def test_every_hook_and_every_part_has_its_signature_there() -> None:
    shown = dict(SHOWN)
    assert set(signatures(shown["stackc.api.hooks"])) == set(HOOKS.values())
    assert {path.rpartition(".")[2] for path in shown} == PROTOCOLS | {"hooks"}
    assert isinstance(hookspecs, types.ModuleType)


def test_the_loop_of_a_bitwise_model_is_the_scaffold_s() -> None:
    shown = fragments("my_bits_loops.py")
    assert shown
    assert all(block in files("my-bits", "model", "bitwise")["my_bits_loops.py"] for block in shown)
    assert "--kind model --variant bitwise" in PAGE
    assert "BitwiseContract" in PAGE


def test_the_page_s_kernels_are_the_step_of_the_scaffold_s_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write("my-model", "model", tmp_path)
    (method,) = fragments("my_model.py")
    (folder / "my_model_steps.py").write_text("".join(fragments("my_model_steps.py")))
    module = (folder / "my_model.py").read_text().replace("    def take(", f"{method}\n    def take(")
    (folder / "my_model.py").write_text(
        module.replace("    ArtifactError,\n", "    ArtifactError,\n    CompiledStep,\n")
    )
    monkeypatch.syspath_prepend(folder)
    rows = normalise(np.random.default_rng(1).integers(0, 999, (6, 5)))
    rows.flags.writeable = False
    predictor = importlib.import_module("my_model").LastSymbolPredictor(rows)
    symbols = np.random.default_rng(2).integers(0, 5, 50)
    found = compiled_rows(checked_step(predictor, "my-model"), predictor.start(3), symbols, 2, 5)
    np.testing.assert_array_equal(found, step_rows(predictor, symbols))


def test_the_tutorial_s_bitwise_model_is_what_the_scaffold_writes() -> None:
    """Whose tests are run in an environment of its own, in tests/scaffold."""
    package = DOCS / "tutorial" / "stackc-order-two"
    for path, content in files("stackc-order-two", "model", "bitwise").items():
        if path.endswith(".py"):
            assert (package / path).read_text() == content, f"{path}: write it anew with stackc plugins new"
        assert (package / path).exists()


@pytest.mark.parametrize(("variant", "kind"), VARIANTS.items())
def test_every_variant_has_its_scaffold_there(variant: str, kind: str) -> None:
    assert f"--kind {kind} --variant {variant}" in PAGE


@pytest.mark.parametrize("kind", list(HOOKS))
def test_every_kind_has_its_scaffold_there(kind: str) -> None:
    assert f"--kind {kind}" in PAGE
    assert f"{kind.capitalize()}Contract" in PAGE
