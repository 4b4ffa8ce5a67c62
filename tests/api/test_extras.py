"""What a part says whose package is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackc.api import PluginError, require


def test_a_module_that_is_there() -> None:
    assert require("json", "hf", "any") is json


def test_a_module_that_is_missing_names_the_part_and_what_to_install() -> None:
    with pytest.raises(PluginError, match=r'^part rans needs nowhere_at_all: pip install "stackc\[hf\]"$'):
        require("nowhere_at_all", "hf", "rans")


def test_a_package_of_a_submodule_is_named() -> None:
    with pytest.raises(PluginError, match=r"^part rans needs nowhere_at_all: "):
        require("nowhere_at_all.inner", "hf", "rans")


def test_another_distribution_can_be_named() -> None:
    with pytest.raises(PluginError, match=r': pip install "my-plugin\[fast\]"$'):
        require("nowhere_at_all", "my-plugin[fast]", "rans")


def test_what_a_module_needs_itself_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there.py").write_text("import nowhere_at_all\n")
    (tmp_path / "broken_there.py").write_text("raise ImportError('libx.so:\\n no such file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PluginError, match="part rans needs half_there, and that nowhere_at_all: "):
        require("half_there", "hf", "rans")
    with pytest.raises(PluginError, match=r"broken_there, which does not import \(libx\.so: no such file\): "):
        require("broken_there", "hf", "rans")
