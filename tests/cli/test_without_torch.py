"""An installation without the extra ``torch``: what works, and what the rest says."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs
import numpy as np
import pytest

from fresh import Environment
from golden_stacks import DATA
from golden_stacks import FOLDER as GOLDEN
from recipes_of_tests import corpus, counting, two_level
from stackc import Stack
from stackc.coding.host import host

INSTALL = 'needs torch: pip install "stackc[torch]"'
DRIVER = """
import json, sys
from click.testing import CliRunner
from stackc.cli import main

made = [CliRunner().invoke(main, command, env=variables) for command, variables in json.loads(sys.argv[1])]
assert not {"torch", "tensorboard"} & set(sys.modules)
for one in made:
    if one.exception and not isinstance(one.exception, SystemExit):
        raise one.exception
print(json.dumps([(one.exit_code, one.stdout, one.stderr) for one in made]))
"""


@attrs.frozen
class Result:
    """What a command ended with."""

    code: int
    out: str
    err: str


Run = Callable[..., list[Result]]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("environment") / "venv", without=("torch", "tensorboard"))


@pytest.fixture
def run(environment: Environment, tmp_path: Path) -> Run:
    """Run commands in the environment, all in one process, which takes its time to start."""
    (tmp_path / "in.txt").write_bytes(DATA)

    def call(*commands: str, **variables: str) -> list[Result]:
        given = json.dumps([(command.split(), variables) for command in commands])
        done = subprocess.run([environment.python, "-c", DRIVER, given], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return [Result(*one) for one in json.loads(done.stdout)]

    return call


def test_counted_stacks_need_no_torch(run: Run, tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "counting.toml").write_text(counting().replace('device = "cpu"', 'device = "auto"'))
    made = run(
        "build counting.toml --out made --quiet",
        "inspect made --verify",
        "eval made test.txt",
        "encode made in.txt -o in.npy",
        "decode made in.npy -o decoded.txt",
        "compress in.txt --stack made",
        "verify in.txt.stk --stack made",
        "decompress in.txt.stk --stack made -o back.txt",
        "generate made --prompt It --tokens 3",
        "report made -o report.html",
        "export made --to bin -o made.bin",
        "export made --to parquet -o made.parquet",
        "export made --to hf-tokenizer -o tokenizer",
    )
    assert [one.code for one in made] == [0] * len(made), made
    assert (tmp_path / "decoded.txt").read_bytes() == (tmp_path / "back.txt").read_bytes() == DATA
    assert not (tmp_path / "made" / "logs" / "tensorboard").exists()


def test_compiled_levels_of_networks_need_no_torch(run: Run, tmp_path: Path) -> None:
    """The golden stack "two" is made of transformers: M1 is compiled, M2 is stepped."""
    stack = shutil.copytree(GOLDEN / "two", tmp_path / "two")
    encode, decode, inspect = run(
        "encode two in.txt -o in.npy --level M1", "decode two in.npy -o back.txt --level M1", "inspect two"
    )
    assert encode.code == decode.code == inspect.code == 0
    assert (tmp_path / "back.txt").read_bytes() == DATA
    assert np.array_equal(np.load(tmp_path / "in.npy"), Stack(stack).encode(DATA, "M1"))


def test_what_needs_torch_says_how_to_install_it(run: Run, tmp_path: Path) -> None:
    corpus(tmp_path)
    shutil.copytree(GOLDEN / "two", tmp_path / "two")
    (tmp_path / "two.toml").write_text(two_level())
    commands = {
        "build two.toml --out made": "M1: part transformer",
        "build two.toml --out made --device cuda": "--device cuda",
        "encode two in.txt -o in.npy": "M2: part transformer",
        "compress in.txt --stack two": "M3: part transformer",
        "decompress two.stk --stack two -o back.txt": "M3: part transformer",
        "generate two --prompt It": "M3: part transformer",
    }
    shutil.copyfile(GOLDEN / "two.stk", tmp_path / "two.stk")
    before = set(tmp_path.iterdir())
    for command, one in zip(commands, run(*commands), strict=True):
        assert (one.code, one.err) == (2, f"error: {commands[command]} {INSTALL}\n"), command
    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"made"}
    assert not (tmp_path / "made" / "corpus").exists()
    (ranks,) = run("build two.toml --out made", RANK="1", WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="1")
    assert (ranks.code, ranks.err) == (2, f"error: rank 1: a build by several processes {INSTALL}\n")


def test_plugins_are_listed_and_checked(run: Run) -> None:
    help_, listed, counted, transformer, hf = run(
        "--help", "plugins list", "plugins check counted", "plugins check transformer", "plugins check hf"
    )
    assert help_.code == listed.code == counted.code == 0
    assert "transformer" in listed.out
    assert listed.err == ""
    assert (transformer.code, transformer.err) == (2, "error: transformer failed the check\n")
    assert f"        part transformer {INSTALL}\n" in transformer.out
    assert f"        part hf {INSTALL}\n" in hf.out


def test_doctor_skips_the_checks_that_need_torch(run: Run) -> None:
    doctor, cuda = run("doctor", "doctor --device cuda")
    assert doctor.code == 0, doctor
    lines = doctor.out.splitlines()
    assert "no torch" in lines[0]
    skipped = [line for line in lines if line.startswith("skip")]
    assert [line.partition(" (")[0] for line in skipped] == [
        f"skip    model {name}: part {name} {INSTALL}" for name in ("gru", "transformer")
    ]
    assert lines[-1].startswith("all checks passed, 2 checks skipped (")
    assert (cuda.code, cuda.err) == (2, "error: failed: device\n")
    assert cuda.out.splitlines()[-1].startswith(f"FAILED  device: --device cuda {INSTALL}")


def test_a_host_is_named_with_torch_and_without(environment: Environment) -> None:
    code = "from stackc.coding.host import host; print(host('same-machine'))"
    done = subprocess.run([environment.python, "-c", code], capture_output=True, text=True, check=True)
    here = host("same-machine")
    assert " torch " in here
    assert done.stdout == here.partition(" torch ")[0] + "\n"
