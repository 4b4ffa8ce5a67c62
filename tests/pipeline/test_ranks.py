"""Builds by several processes under torchrun: the losses of one, states that travel between them, and lost ranks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch.distributed

import stackc
from processes_of_tests import Ranks
from recipes_of_tests import HEAD, TINY_MODEL, TINY_TRAIN, corpus, two_level
from stackc.pipeline.ranks.orders import Orders
from stackc.pipeline.ranks.world import LOST, World, _start, ranks_of_environment

SCRIPT = """
import os, signal, sys
from stackc.cli import run
from stackc_torch.training.loop import Run
rank, step = int(sys.argv[1]), int(sys.argv[2])
inner = Run.one_step
def one_step(self):
    first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    if first and self.step == step and int(os.environ.get("RANK", "0")) == rank:
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(self)
Run.one_step = one_step
sys.argv[1:] = sys.argv[3:]
if os.environ.get("RANK") == "1" and "RANK_1_SAYS" in os.environ:
    said, instead = os.environ["RANK_1_SAYS"].split("=")
    sys.argv[sys.argv.index(said)] = instead
run()
"""

TOP_ONLY = HEAD.format(name="top", segment=200) + (
    f'[top]\nname = "M1"\n[top.model]\n{TINY_MODEL}[top.train]\n{TINY_TRAIN.format(steps=12)}'
)

SHARDED = ("lanes = 8", "lanes = 8\nshard_from = 1")
"""What turns a recipe of here into one whose models are shared out among the ranks; no hash changes."""


def written(folder: Path, recipe: str) -> None:
    """A corpus, unless there is one, the recipe and the script."""
    if not (folder / "valid.txt").exists():
        corpus(folder)
    (folder / "recipe.toml").write_text(recipe)
    (folder / "script.py").write_text(SCRIPT)


Build = Callable[..., tuple[int, str]]
"""Of a folder, a recipe, the name of the folder to build and the number of ranks: (exit code, stderr)."""


@pytest.fixture(scope="module")
def forked() -> Iterator[Ranks]:
    ranks = Ranks("stackc_torch.training.loop", "torch._dynamo")
    yield ranks
    ranks.close()


@pytest.fixture
def build(forked: Ranks) -> Build:
    """`stackc build` by several processes, where rank `killed[0]` dies before step `killed[1]`."""

    def call(folder: Path, recipe: str, out: str, ranks: int, killed: tuple[int, int] = (-1, -1)) -> tuple[int, str]:
        written(folder, recipe)
        arguments = [*map(str, killed), "build", "recipe.toml", "--out", out]
        codes, said = forked.run(folder, ranks, "script.py", *arguments)
        return next((code for code in codes if code), 0), said

    return call


def torchrun(
    folder: Path, recipe: str, out: str, ranks: int, killed: tuple[int, int] = (-1, -1), restarts: int = 0
) -> tuple[int, str]:
    """As `build`, under torchrun, which may start all ranks again when one has died; from then on none dies."""
    written(folder, recipe)
    start = [sys.executable]
    if ranks > 1:
        start += [
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={ranks}",
            f"--max-restarts={restarts}",
        ]
    arguments = [*start, "script.py", *map(str, killed), "build", "recipe.toml", "--out", out]
    done = subprocess.run(
        arguments, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=200
    )
    return done.returncode, done.stderr


def errors(said: str) -> list[str]:
    return [line for line in said.splitlines() if line.startswith("error: ")]


def losses(folder: Path) -> dict[tuple[str, int], float]:
    lines = [json.loads(line) for line in (folder / "logs" / "metrics.jsonl").read_text().splitlines()]
    found = {(line["stage"], line["step"]): line["loss"] for line in lines}
    assert len(found) == len(lines), "a step was done twice"
    return found


def test_two_ranks_have_the_losses_of_one(build: Build, tmp_path: Path) -> None:
    """Cuts, rounding and three models, one with byte-aware inputs; steps whose rows do not divide evenly."""
    recipe = two_level().replace("batch = 4", "batch = 6\naccumulate = 2")
    first_level, rest = recipe.split('name = "M2"')
    recipe = first_level + 'name = "M2"' + rest.replace("[level.train]\n", "[level.train]\nbyte_aware = true\n")
    sharded = recipe.replace(*SHARDED)
    for name, ranks, recipe_of_it in (("one", 1, sharded), ("two", 2, recipe), ("sharded", 2, sharded)):
        code, said = build(tmp_path, recipe_of_it, name, ranks)
        assert code == 0, said
        assert said.count("M3/model: done") == 1, "only rank 0 speaks"
        assert said.count("each of the 2 ranks holds a part") == (3 if name == "sharded" else 0), "alone nothing is"
    one = losses(tmp_path / "one")
    assert len(one) == 36
    first = {key: value for key, value in one.items() if key[0] == "M1/model"}
    for name in ("two", "sharded"):
        found = losses(tmp_path / name)
        assert {key: found[key] for key in first} == pytest.approx(first, rel=1e-4)
        # What the levels above read may differ in a token: their models are other models, not worse ones.
        assert found == pytest.approx(one, rel=2e-2)
        stack = stackc.load(tmp_path / name)
        data = (tmp_path / "test.txt").read_bytes()
        assert stack.decode(stack.encode(data)) == data
        assert stack.manifest["trained"]["M1/model"]["ranks"] == 2


def test_a_training_goes_on_with_more_ranks(build: Build, tmp_path: Path) -> None:
    """Two hold a part each until one is killed, then three."""
    sharded = TOP_ONLY.replace(*SHARDED)
    code, said = build(tmp_path, sharded, "parts", 2, (1, 6))
    assert code != 0
    assert errors(said) == [f"error: {LOST}"]
    assert not (tmp_path / "parts" / "manifest.json").exists()
    code, said = build(tmp_path, sharded, "parts", 3)
    assert code == 0, said
    assert "(resumed)" in said
    stackc.build(tmp_path / "recipe.toml", tmp_path / "whole")
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_training_goes_on_with_any_number_of_ranks(tmp_path: Path) -> None:
    """One process is killed, then one of two that hold a part each, then the only one again; three parts finish."""
    assert torchrun(tmp_path, TOP_ONLY, "whole", 1)[0] == 0
    assert torchrun(tmp_path, TOP_ONLY, "parts", 1, (0, 3))[0] == -signal.SIGKILL
    sharded = TOP_ONLY.replace(*SHARDED)
    code, said = torchrun(tmp_path, sharded, "parts", 2, (1, 6))
    assert code not in (0, -signal.SIGKILL)
    assert errors(said) == [f"error: {LOST}"]
    assert "exitcode  : 2 " in said, "what a rank leaves by, after the line, is not an abort"
    assert not (tmp_path / "parts" / "manifest.json").exists()
    assert torchrun(tmp_path, TOP_ONLY, "parts", 1, (0, 9))[0] == -signal.SIGKILL
    code, said = torchrun(tmp_path, sharded, "parts", 3)
    assert code == 0, said
    assert "(resumed)" in said
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)


def test_torchrun_restarts_a_build_that_lost_a_rank(tmp_path: Path) -> None:
    """Its store still holds the addresses and the orders of the ranks that are gone."""
    code, said = torchrun(tmp_path, TOP_ONLY, "out", 2, (1, 6), restarts=1)
    assert code == 0, said
    assert errors(said) == [f"error: {LOST}"]
    assert "(resumed)" in said
    assert (tmp_path / "out/manifest.json").exists()
    assert len(losses(tmp_path / "out")) == 12


def test_each_start_of_all_ranks_has_a_name_of_its_own() -> None:
    """In one store, where a rank of an earlier start has called and died, and others have come."""
    store = torch.distributed.HashStore()
    store.set("call/2", "one that died")
    with ThreadPoolExecutor() as pool:
        names = [set(pool.map(lambda rank: _start(store, rank, 4), (1, 0, 3, 2))) for _ in range(3)]
    assert [len(name) for name in names] == [1, 1, 1]
    assert len(set.union(*names)) == 3


@pytest.mark.parametrize("what", ["recipe", "corpus"])
def test_an_error_of_all_ranks_is_said_once(tmp_path: Path, what: str) -> None:
    corpus(tmp_path)
    (tmp_path / "valid.txt").unlink()
    (tmp_path / "valid.txt").mkdir()
    recipe = TOP_ONLY.replace("seed = 3", 'seed = "3"') if what == "recipe" else TOP_ONLY
    code, said = torchrun(tmp_path, recipe, "out", 2)
    assert code != 0
    assert len(errors(said)) == 1, said
    assert ("stack.seed" if what == "recipe" else "valid.txt") in errors(said)[0]


OTHERWISE = {
    "recipe.toml=other.toml": "rank 1: its recipe differs from that of rank 0",
    "recipe.toml=gone.toml": "rank 1: gone.toml",
    "out=elsewhere": "rank 1: its folder differs from that of rank 0; all ranks need the same folder",
}


# Only torchrun ends a rank that waits for one that never comes.
@pytest.mark.parametrize(
    ("says", "by_torchrun"),
    [
        *((says, "gone" in says) for says in OTHERWISE),
        *(pytest.param(says, True, marks=pytest.mark.long) for says in OTHERWISE if "gone" not in says),
    ],
)
def test_a_rank_that_is_started_otherwise_ends_the_build(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, by_torchrun: bool
) -> None:
    """Rank 1 has another recipe, or none, or another folder: before anything is read."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "other.toml").write_text(TOP_ONLY.replace("seed = 3", "seed = 4"))
    monkeypatch.setenv("RANK_1_SAYS", says)
    code, said = (torchrun if by_torchrun else build)(tmp_path, TOP_ONLY, "out", 2)
    assert code != 0
    assert [OTHERWISE[says] in line for line in errors(said) if line != f"error: {LOST}"] == [True], said
    assert not (tmp_path / "out/corpus").exists()


LEAVING = """
import os, signal, sys
import torch.distributed as dist
from stackc.cli import run
if os.environ["RANK"] == "1":
    dist.barrier = lambda: os.kill(os.getpid(), signal.SIGKILL)
run()
"""


def test_a_rank_that_is_lost_when_all_is_done_is_not_missed(forked: Ranks, tmp_path: Path) -> None:
    """Nobody ends rank 0 because of rank 1."""
    corpus(tmp_path)
    (tmp_path / "recipe.toml").write_text(TOP_ONLY)
    (tmp_path / "script.py").write_text(LEAVING)
    codes, said = forked.run(tmp_path, 2, "script.py", "build", "recipe.toml", "--out", "out", "--quiet")
    assert codes == [0, -signal.SIGKILL], said
    assert "Traceback" not in said
    assert (tmp_path / "out/manifest.json").exists()


def test_a_process_alone_is_a_world_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert ranks_of_environment() == (0, 1)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert ranks_of_environment() == (0, 1), "some launchers set these alone"
    Orders(World(), Path(), dict).give({"do": "end"})  # nobody to hear it
