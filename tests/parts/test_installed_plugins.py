"""Plugins as installed packages: broken ones, damaged metadata, and what listing them imports."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap
import types
from typing import Any

import pytest

from stackc.api import hookimpl
from stackc.parts.part import Source
from stackc.parts.registry import Registry, installed, registry

# -- as installed packages


def run(code: str, path: pathlib.Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {**os.environ, **environment}
    if path is not None:
        inherited["PYTHONPATH"] = str(path)
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, env=inherited)


def install(folder: pathlib.Path, name: str, source_code: str) -> None:
    """A package with an entry point, as pip would leave it."""
    (folder / f"{name}.py").write_text(source_code)
    info = folder / f"{name}-9.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.1\n")
    (info / "entry_points.txt").write_text(f"[stackc]\n{name} = {name}\n")


def test_broken_third_party_package_leaves_the_commands_alive(tmp_path: pathlib.Path) -> None:
    install(tmp_path, "broken_toy", "import a_package_that_is_not_there\n")
    listing = "from stackc.cli import main; main(['plugins', 'list'])"
    done = run(listing, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "arithmetic" in done.stdout
    assert "set aside: plugin 'broken_toy' (broken_toy 9.1): ModuleNotFoundError" in done.stderr
    strict = run(listing, tmp_path, STACKC_STRICT_PLUGINS="1")
    assert strict.returncode == 2
    assert "error: plugin 'broken_toy' (broken_toy 9.1): ModuleNotFoundError" in strict.stderr


def test_misspelt_hook_of_a_third_party_package_is_an_error_but_help_works(tmp_path: pathlib.Path) -> None:
    install(tmp_path, "misspelt_toy", "def stackc_register_coder(register): pass\n")
    done = run("from stackc.cli import main; main(['plugins', 'list'])", tmp_path)
    assert done.returncode == 2
    assert "arithmetic" in done.stdout
    assert "stackc_register_coders(register)" in done.stderr
    assert "Traceback" not in done.stderr
    assert run("from stackc.cli import main; main(['--help'])", tmp_path).returncode == 0


def test_neither_the_registry_nor_any_configuration_imports_torch_or_numba() -> None:
    done = run(
        """
        import sys
        from stackc.parts.registry import registry
        assert len(registry().parts()) >= 10
        assert not registry().broken, registry().broken
        print(sorted({"torch", "numba", "zstandard", "rich"} & set(sys.modules)))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_core_imports_no_plugin_package() -> None:
    import stackc

    names = {source.load.__self__.value for source in installed() if source.distribution == "stackc"}  # type: ignore[attr-defined]
    assert len(names) >= 5
    for path in pathlib.Path(stackc.__path__[0]).rglob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                assert words[1].split(".")[0] not in names, f"{path}: {line}"


def test_plugins_import_only_the_public_names_of_stackc() -> None:
    for source in installed():
        if source.distribution != "stackc":
            continue
        package = __import__(source.load.__self__.value)  # type: ignore[attr-defined]
        for path in pathlib.Path(package.__path__[0]).rglob("*.py"):
            for line in path.read_text().splitlines():
                words = line.split()
                if words[:1] in (["import"], ["from"]) and words[1].split(".")[0] == "stackc":
                    assert words[1] == "stackc.api", f"{path}: {line}"


def test_stackc_s_own_plugins_come_first() -> None:
    """So that of two parts of one name the newcomer is to blame, whatever it is called."""
    own = [source.distribution == "stackc" for source in installed()]
    assert own == sorted(own, reverse=True)
    assert any(own)


def test_a_register_that_is_called_wrongly_is_told_so_without_names_of_ours() -> None:
    @hookimpl
    def stackc_register_windowings(register: Any) -> None:
        register("blank", lambda config: None)

    module = types.ModuleType("toy")
    vars(module).update(stackc_register_windowings=stackc_register_windowings)
    reason = Registry([Source(plugin="toy", distribution="", version="", load=lambda: module)]).broken[0].reason
    assert reason == "TypeError: register() missing 2 required positional arguments: 'config' and 'summary'"


# -- packages of others whose metadata is damaged


@pytest.mark.parametrize(
    "files",
    [
        {"METADATA": b"Metadata-Version: 2.1\nName: other\nVersion: 1\n", "entry_points.txt": b"[a.b]\nnot a line\n"},
        {"METADATA": b"Metadata-Version: 2.1\nName: other\nVersion: 1\n", "entry_points.txt": b"[stackc]\nx = \xff\n"},
        {"entry_points.txt": b"[other-1.dist-info]\nnot a line\n"},
        {"entry_points.txt": b"[stackc]\nother-1.dist-info = nowhere\n"},
    ],
    ids=["a line", "no UTF-8", "no name", "no name but a plugin"],
)
def test_a_damaged_package_is_set_aside_and_named(
    files: dict[str, bytes], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = registry()  # kept for the rest of the process, so it is made before
    info = tmp_path / "other-1.dist-info"
    info.mkdir()
    for name, content in files.items():
        (info / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = Registry(installed())
    found.check()
    assert {(part.kind, part.name) for part in found.parts()} >= {("coder", "arithmetic"), ("reader", "text")}
    own = [part for part in found.parts() if part.distribution == "stackc"]
    assert len(own) == len({(part.kind, part.name) for part in right.parts() if part.distribution == "stackc"})
    [broken] = found.broken
    assert "other-1.dist-info" in str(broken)
    assert "(None None)" not in str(broken)
    assert "\n" not in str(broken)
