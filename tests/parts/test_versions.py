"""A part whose code or bits change while its `bits_version` does not."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from stackc.parts.part import Part
from stackc.parts.versions import notice

MODULE = """
from typing import ClassVar
import attrs
@attrs.frozen(kw_only=True)
class Config:
    bits_version: ClassVar[int] = {bits_version}
STEP = {step}
"""


@pytest.fixture
def part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the part of a module as it is on disk now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    # An edit within a second that leaves the size would not count.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(step: int, bits_version: int = 1, version: str = "0.1.0") -> Part:
        (tmp_path / "noted_part.py").write_text(MODULE.format(step=step, bits_version=bits_version))
        sys.modules.pop("noted_part", None)
        importlib.invalidate_caches()
        config = importlib.import_module("noted_part").Config
        return Part(
            kind="coder", name="noted", factory=config, config=config, summary="", plugin="noted",
            distribution="noted-part", version=version,
        )  # fmt: skip

    yield make
    sys.modules.pop("noted_part", None)


def test_changed_code_is_noticed_until_the_number_rises(part: Any) -> None:
    assert notice(part(1), "a") == ""
    assert notice(part(1), "a") == ""
    for _ in range(2):  # it is the first check that counts, not the last one
        said = notice(part(2), "a")
        assert said.startswith("NOTICE: its code changed (since noted-part 0.1.0 was first checked)")
        assert "the small recipe gives the same bits" in said
    assert "no bits were compared" in notice(part(2), None)
    assert "it writes other bits than before" in notice(part(2), "b")
    assert notice(part(1), "a") == "", "taken back"
    assert notice(part(2, bits_version=2), "b") == ""
    assert "bits_version is still 2" in notice(part(3, bits_version=2), "b")


def test_a_new_version_of_the_package_is_compared_once(part: Any) -> None:
    assert notice(part(1), "a") == ""
    assert "since noted-part 0.1.0" in notice(part(2, version="0.2.0"), "b")
    assert notice(part(2, version="0.2.0"), "b") == ""


def test_neither_a_damaged_record_nor_a_home_that_cannot_be_written_is_an_error(
    part: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert notice(part(1), "a") == ""
    (record,) = (tmp_path / "cache" / "stackc" / "checked").iterdir()
    record.write_text("{")
    assert notice(part(2), "b") == ""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert notice(part(3), "c") == ""


def test_parts_of_stackc_and_toys_are_left_alone(part: Any, tmp_path: Path) -> None:
    for distribution in "", "stackc":
        assert notice(attrs.evolve(part(1), distribution=distribution), "a") == ""
    assert not (tmp_path / "cache").exists()
