"""The Ray engine on a cluster of two workers: the bytes of the local engine, whatever happens to a worker."""

from __future__ import annotations

import operator
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stackc
import stackc.stack.store
from recipes_of_tests import corpus, counting_twice
from stackc.api.errors import CodingError, StackcError
from stackc.api.extras import need
from stackc.api.files import sha256_file
from stackc.pipeline import encoding, reading
from stackc.pipeline.engines.base import STARTS_OVER
from stackc.pipeline.engines.choose import engine
from stackc.pipeline.engines.remote import encoding_on
from sweeps_of_tests import QUICK, table, write

SPLIT = "M1/tokens/train"

LOSING = """
import os, signal
from stackc.pipeline.engines import ray as ray_engine
from stackc.stack import streaming
from stackc.cli import run
streaming.PIECE_SYMBOLS = 1 << 18  # through the object store
inner = ray_engine.Ray._result
def result(self, number, task):
    value = inner(self, number, task)
    if number == 0:
        for raylet in self.ray._private.worker.global_worker.node.all_processes["raylet"]:
            os.kill(raylet.process.pid, signal.SIGKILL)
    return value
ray_engine.Ray._result = result
run()
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two workers; the folder where shards note that they were tried."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    tried = tmp_path_factory.mktemp("tried")
    environment = {"TRIED": str(tried), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    ray.init(
        address="local", num_cpus=2, object_store_memory=80 << 20, include_dashboard=False, log_to_driver=False,
        logging_level="ERROR", runtime_env={"env_vars": environment},
    )  # fmt: skip
    yield tried
    ray.shutdown()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two levels of counts over eight shards of training text."""
    monkeypatch.setattr(stackc.stack.store, "CHUNK_SYMBOLS", 1000)
    corpus(tmp_path)
    for number in range(6):
        (tmp_path / f"train-{number}.txt").write_bytes((tmp_path / "test.txt").read_bytes() * 2)
    path = tmp_path / "recipe.toml"
    path.write_text(counting_twice())
    return path


def tokens(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(folder.glob("M*/tokens/**/*.*"))}


def tries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def swap(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let shards of a build be encoded by a class of `ray_toys`."""
    import ray_toys

    monkeypatch.setattr(encoding, "ShardEncoder", getattr(ray_toys, name))


def test_a_sweep_on_a_cluster_fills_the_table_of_one_machine(cluster: Path, tmp_path: Path) -> None:
    """And an arm that fails stops no other."""
    arms = '[[arm]]\nname = "all"\n[[arm]]\nname = "broken"\nset.run.memory = 1\ngrid = {}\n'
    broken = 'set."level.1" = {coder = {kind = "tunstall", vocabulary = 100_000}, windowing = {kind = "longest"}, '
    write(tmp_path, quick=QUICK + arms + broken + 'model = {backend = "unigram"}}\n')
    done = stackc.sweep(tmp_path / "quick.toml", tmp_path / "ray", engine="ray")
    here = stackc.sweep(tmp_path / "quick.toml", tmp_path / "here")
    assert [row["status"] for row in done.rows] == ["done"] * 4 + ["failed"]
    key = operator.itemgetter("run")
    assert sorted(table(tmp_path / "ray"), key=key) == sorted(table(tmp_path / "here"), key=key)
    assert [row["run"] for row in done.rows] == [row["run"] for row in here.rows]


def test_a_killed_worker_costs_only_its_shard(
    cluster: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stackc.build(recipe, tmp_path / "local")
    swap(monkeypatch, "Dying")
    # The first split alone: afterwards notes would be of several stages.
    inner = encoding.StoreWriter.finish

    def finish(self: Any, count: int) -> None:
        inner(self, count)
        if str(self.folder).endswith(SPLIT):
            noted.extend(tries(cluster))
            assert count >= 8

    noted: list[str] = []
    monkeypatch.setattr(encoding.StoreWriter, "finish", finish)
    stackc.build(recipe, tmp_path / "ray", engine="ray")
    assert tokens(tmp_path / "ray") == tokens(tmp_path / "local")
    assert len(tokens(tmp_path / "ray")) >= 24
    assert stackc.load(tmp_path / "ray").sha256 == stackc.load(tmp_path / "local").sha256
    twice = {name.split("-")[0] for name in noted if name.endswith("-1")}
    assert twice == {"2"}
    for path in cluster.iterdir():
        path.unlink()


def test_finished_shards_are_kept(cluster: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shard that is refused, then one that kills every worker, then all goes well: each is done once."""
    swap(monkeypatch, "Refusing")
    with pytest.raises(CodingError, match="shard 3 is refused"):
        stackc.build(recipe, tmp_path / "s", engine="ray")
    chunks = tmp_path / "s" / SPLIT / "chunks"
    kept = {path.name: path.stat().st_mtime_ns for path in chunks.glob("??????.safetensors")}
    assert sorted(kept) == [f"{number:06d}.safetensors" for number in range(3)]
    (chunks / "000002.safetensors").unlink()
    swap(monkeypatch, "Deadly")
    with pytest.raises(StackcError, match="shard 0: its worker died 4 times"):
        stackc.build(recipe, tmp_path / "s", engine="ray")
    assert not (tmp_path / "s" / "manifest.json").exists()
    assert {name: (chunks / name).stat().st_mtime_ns for name in list(kept)[:2]} == dict(list(kept.items())[:2])
    monkeypatch.undo()
    monkeypatch.setattr(stackc.stack.store, "CHUNK_SYMBOLS", 1000)
    stackc.build(recipe, tmp_path / "s", engine="ray")
    stackc.build(recipe, tmp_path / "local")
    assert tokens(tmp_path / "s") == tokens(tmp_path / "local")


def test_the_corpus_is_read_by_workers(
    cluster: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WORTH_WORKERS", 0)
    taken: list[Path] = []
    inner = reading._taken

    def noted(path: Path) -> Iterator[list[bytes]]:
        taken.append(path)
        return inner(path)

    monkeypatch.setattr(reading, "_taken", noted)
    stacks = {one: stackc.build(recipe, tmp_path / one, engine=one) for one in ("ray", "local")}
    assert len(taken) == 9
    assert stacks["ray"].sha256 == stacks["local"].sha256
    for name in ("symbols.bin", "index.safetensors", "store.json"):
        places = [tmp_path / one / "corpus/train" / name for one in stacks]
        assert places[0].read_bytes() == places[1].read_bytes()


def test_a_file_has_the_same_tokens(
    cluster: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stackc.stack import streaming

    stack = stackc.build(recipe, tmp_path / "s")
    data = (tmp_path / "test.txt").read_bytes() * 3
    monkeypatch.setattr(streaming, "PIECE_SYMBOLS", 1000)
    for level in ("M1", "M2"):
        there = np.concatenate(list(stack.encode_stream([data[:7], data[7:]], level, encoding_on("ray", stack, print))))
        assert np.array_equal(there, stack.encode(data, level))


def test_results_come_in_order_and_items_are_taken_as_needed(cluster: Path) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    results = engine("ray").map(str, items())
    assert next(results) == "0"
    assert len(taken) < 10
    assert list(results) == [str(number) for number in range(1, 40)]


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def closed_port() -> int:
    with listening() as server:
        return int(server.getsockname()[1])


def test_a_cluster_that_is_gone_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named: an error. Noted by `ray start`: a line, and a cluster of this machine; Ray would try for minutes."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    started: list[str] = []
    said: list[str] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda address, **_: started.append(address))
    monkeypatch.setattr(ray, "cluster_resources", dict)
    for wrong in (f"127.0.0.1:{closed_port()}", f"ray://127.0.0.1:{closed_port()}", "127.0.0.1:99999", "nonsense"):
        monkeypatch.setenv("RAY_ADDRESS", wrong)
        with pytest.raises(StackcError, match=f"^--engine ray: no cluster responds at RAY_ADDRESS={wrong}; "):
            engine("ray", say=said.append)
    assert not started
    assert not said
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    note = tmp_path / "ray" / "ray_current_cluster"
    note.parent.mkdir()
    note.write_text(gone := f"127.0.0.1:{closed_port()}")
    engine("ray", say=said.append)
    assert [line.split(",")[0] for line in said] == [
        f"no Ray cluster responds at {gone}",
        "on a Ray cluster of this machine alone",
    ]
    with listening() as server:
        note.write_text(there := f"127.0.0.1:{server.getsockname()[1]}")
        engine("ray", say=said.append)
        assert said[2:] == [f"on the Ray cluster at {there}, started by `ray start` here"]
        monkeypatch.setenv("RAY_ADDRESS", "local")
        engine("ray")
        monkeypatch.setenv("RAY_ADDRESS", there)
        note.unlink()
        engine("ray", say=said.append)
        assert said[3:] == [f"on the Ray cluster at {there}, of RAY_ADDRESS"]
    assert started == ["local", there, "local", there]


def test_only_workers_that_died_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "cluster_resources", dict)
    errors = ray.exceptions
    here: Any = engine("ray", again=STARTS_OVER)
    for error, said in (
        (errors.WorkerCrashedError(), "shard 7: its worker died 4 times "),
        (errors.LocalRayletDiedError(), "shard 7: a machine of the Ray cluster was lost, or the raylet on it "),
        (errors.NodeDiedError("node 3"), "shard 7: a machine of the Ray cluster was lost, or the raylet on it "),
        (errors.RaySystemError("broken"), "shard 7: System error: broken; "),
    ):
        with pytest.raises(StackcError) as raised, here._told(7):
            raise error
        assert str(raised.value).startswith(said)
        assert str(raised.value).endswith(STARTS_OVER)


def test_a_lost_raylet_is_told_in_a_line(recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    stackc.build(recipe, tmp_path / "s")
    (tmp_path / "big.txt").write_bytes((tmp_path / "test.txt").read_bytes() * 1000)
    (tmp_path / "losing.py").write_text(LOSING)
    noticed = {"RAY_health_check_initial_delay_ms": "0", "RAY_health_check_period_ms": "300"}
    temporary = Path(tempfile.mkdtemp(prefix="ray"))  # short: Ray's sockets lie in it
    try:
        done = subprocess.run(
            [sys.executable, "losing.py", "encode", "s", "big.txt", "--engine", "ray", "-o", "big.npy"],
            cwd=tmp_path, capture_output=True, text=True, timeout=200,
            env={**os.environ, **noticed, "OMP_NUM_THREADS": "1", "RAY_TMPDIR": str(temporary)},
        )  # fmt: skip
    finally:
        shutil.rmtree(temporary)
    assert done.returncode == 2, done.stderr
    started, lost = [line for line in done.stderr.splitlines() if line.startswith(("error: ", "on a Ray"))]
    assert started == "on a Ray cluster of this machine alone, for as long as this runs"
    assert "raylet" in lost
    assert lost.endswith(STARTS_OVER)
    assert not (tmp_path / "big.npy").exists()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StackcError, match=r'^--engine ray needs no_such_ray: pip install "stackc\[ray\]"'):
        need("no_such_ray", "ray", "--engine ray")
    with pytest.raises(StackcError, match="no engine named 'slurm'"):
        engine("slurm")
    code = "import sys, stackc.cli.build, stackc.cli.encode, stackc.pipeline; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env=dict(os.environ), check=False).returncode == 0


def test_a_cluster_that_does_not_come_up_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray raises a plain `Exception` where its raylet or its store of names is too slow, or was killed."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")

    def init(**how: object) -> None:
        raise Exception("The current node timed out\n during startup.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setenv("RAY_ADDRESS", "local")
    with pytest.raises(StackcError) as caught:
        engine("ray", 1, gpu=False, say=lambda line: None)
    assert str(caught.value) == (
        "--engine ray: Ray did not start (The current node timed out during startup.); try again, or omit --engine"
    )
