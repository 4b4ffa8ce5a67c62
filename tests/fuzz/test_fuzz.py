"""A short run of every fuzzer, the same every time; `python tests/fuzz/run.py --executions N` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz.doors import DOORS
from fuzz.mutations import reseal
from fuzz.targets import Container, Target, fuzz
from stackc.api.errors import StackcError

EXECUTIONS = {"payload": 150, "manifest": 300, "bitwise": 200, "primed": 60, "packs": 300, "outputs": 300, "rows": 300}


@pytest.fixture(scope="module")
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Target:
    made: Target = request.param(tmp_path_factory.mktemp("fuzz"))
    return made


@pytest.mark.parametrize("target", DOORS, ids=lambda target: target.name, indirect=True)
def test_hostile_bytes_end_in_our_own_error(target: Target) -> None:
    counted = fuzz(target, EXECUTIONS.get(target.name, 600), seed=0)
    assert counted["bugs"] == 0
    assert counted["accepted"] + counted["refused"] == counted["executions"]
    assert counted["accepted"], "damage that is never accepted tries nothing behind the first check"


@pytest.mark.parametrize("target", DOORS, ids=lambda target: target.name, indirect=True)
def test_right_inputs_are_taken_and_kept_bugs_are_not(target: Target) -> None:
    for number, data in enumerate(target.seeds()):
        if target.name not in ("tensors", "store", "marks"):  # these read many kinds of file, each only its own
            target.run(data, random.Random(number))
    for data in target.kept():
        with pytest.raises(StackcError):
            target.run(data, random.Random(0))


def test_resealed_files_are_right_again(tmp_path: Path) -> None:
    container = Container(tmp_path)
    for data in container.seeds():
        assert reseal(data) == data
