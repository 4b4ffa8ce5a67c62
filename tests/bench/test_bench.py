"""`stackc bench`: figures that add up, and peers that cannot harm a run."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

import stackc
import stackc.bench
from bench_toys import FAKES, row
from stackc.bench import benchmark
from stackc.bench.entrants import PEERS, Entrant, Peer, chosen
from stackc.bench.rounds import measure, ratio
from stackc.bench.sample import sample
from stackc.bench.table import print_benchmark
from stackc.bench.training import Training, cache_folder
from stackc.cli import main
from stackc.stack.store import StoreWriter, bytes_chunk


def test_cold_is_the_first_pass_of_a_new_process(figures: dict[str, Any]) -> None:
    remembering, plain = row(figures, "Remembering"), row(figures, "Bytes")
    assert remembering["cold_s"]["min"] >= 0.2, "in each round, a process that has not seen the text"
    assert remembering["encode_s"]["max"] < 0.2, "which it has seen now"
    assert remembering["ratio_cold"] > 10 * plain["ratio_cold"]
    assert row(figures, "pair M1")["ratio_cold"] == 1.0
    for one in (remembering, plain, row(figures, "pair M1")):
        for step in ("cold", "encode", "decode"):
            seconds, processor = one[f"{step}_s"], one[f"{step}_cpu_s"]
            assert one[f"{step}_tokens_per_s"]["max"] == pytest.approx(one["tokens"] / seconds["min"])
            assert one[f"{step}_mb_s"]["max"] == pytest.approx(figures["bytes"] / seconds["min"] / 1e6)
            assert 0 < processor["min"] <= processor["median"] <= processor["max"]


def test_compressors_have_no_first_pass_and_no_tokens(figures: dict[str, Any]) -> None:
    for name in ("gzip:9", "pair .stk"):
        none = {key for key, value in row(figures, name).items() if value is None}
        assert {"cold_s", "cold_mb_s", "cold_cpu_s", "ratio_cold", "tokens", "encode_tokens_per_s"} <= none


@pytest.fixture(scope="module")
def figures(place: Path) -> dict[str, Any]:
    """One run with everyone, misbehaving or not."""
    against = [*FAKES, "gzip:9"]
    return benchmark(
        place / "pair", place / "text", against=against, level="M1", repeats=2, threads=2, timeout=60,
        primed_by=place / "primer",
    )  # fmt: skip


def test_rows_are_who_was_asked_for_the_stack_first(figures: dict[str, Any]) -> None:
    names = [one["name"] for one in figures["rows"]]
    assert names[:2] == ["pair M1", "pair M1, 2 threads"]
    assert names[2:4] == ["pair .stk", "pair .stk, 2 threads"]
    assert names[4:] == [*FAKES, "gzip:9"]
    assert len({frozenset(one) for one in figures["rows"]}) == 1, "every row has the same keys"
    assert json.loads(json.dumps(figures)) == figures, "plain data"


def test_figures_are_those_of_the_file(place: Path, figures: dict[str, Any]) -> None:
    data = (place / "text").read_bytes()
    own, peer, gzip = row(figures, "pair M1"), row(figures, "Bytes"), row(figures, "gzip:9")
    tokens = len(stackc.load(place / "pair").encode(data, "M1"))
    assert figures["bytes"] == len(data)
    assert (own["tokens"], own["vocabulary"]) == (tokens, 512)
    assert own["bytes_per_token"] == len(data) / tokens
    assert own["bits_per_byte"] == pytest.approx(9 * tokens / len(data))
    assert (peer["tokens"], peer["bytes_per_token"], peer["bits_per_byte"]) == (len(data), 1.0, 8.0)
    assert gzip["tokens"] is None
    assert 0 < gzip["bits_per_byte"] < own["bits_per_byte"], "the text repeats itself"
    assert own["ratio_encode"] == own["ratio_decode"] == 1.0
    for one in (own, peer, gzip):
        assert one["restored"] is True
        assert one["skipped"] is None
        assert one["peak_mb"] > 5
        for spread in (one["encode_mb_s"], one["decode_mb_s"], one["startup_s"]):
            assert 0 < spread["min"] <= spread["median"] <= spread["max"]
    assert own["startup_s"]["min"] > figures["interpreter_s"] > 0


def test_a_primed_size_is_what_the_file_adds_to_the_primer(place: Path, figures: dict[str, Any]) -> None:
    size, headed, gzip = figures["bytes"], row(figures, "Headed"), row(figures, "gzip:9")
    assert figures["primer"] == {"file": str(place / "primer"), "bytes": (place / "primer").stat().st_size}
    assert (headed["coded_bytes"], headed["compressed_bytes"], headed["primed_bytes"]) == (size, size + 10, size + 10)
    assert headed["primed_bits_per_byte"] == pytest.approx(8 * (size + 10) / size)
    assert 0 < gzip["primed_bytes"] < gzip["compressed_bytes"], "the primer is the same text"
    for name in ("pair M1", "Bytes"):
        assert row(figures, name)["compressed_bytes"] is row(figures, name)["primed_bytes"] is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Unprimed", "too large for my memory"), ("Forgetful", "the decoded text differs from primer and file")],
)
def test_a_peer_that_cannot_be_primed_keeps_its_other_figures(figures: dict[str, Any], name: str, reason: str) -> None:
    kept = row(figures, name)
    assert kept["note"] == f"not primed: {reason}"
    assert kept["primed_bytes"] is kept["primed_bits_per_byte"] is kept["skipped"] is None
    assert (kept["compressed_bytes"], kept["restored"]) == (figures["bytes"] + 10, True)


def test_a_trained_peer_learns_the_stacks_own_text_at_its_vocabulary(place: Path, figures: dict[str, Any]) -> None:
    assert row(figures, "Trained")["vocabulary"] == figures["vocabulary"] == 512
    (folder,) = cache_folder().glob("trained-*")
    train = [(place / f"train-{one}.txt").read_text() for one in "abc"]
    assert (folder / "texts").read_text() == repr(train)
    assert figures["training"] == {"bytes": sum(map(len, train)), "of": sum(map(len, train))}


def test_trained_peers_are_kept_and_renewed_with_what_they_are_made_of(place: Path, figures: dict[str, Any]) -> None:
    store = place / "pair" / "corpus" / "train"
    reports: list[str] = []

    def train(vocabulary: int, limit: int) -> Path:
        training = Training(store=store, limit=limit, vocabulary=vocabulary, timeout=60, report=reports.append)
        trainer = FAKES["Trained"].trainer
        assert trainer is not None
        return training.folder(trainer, None)

    (kept,) = cache_folder().glob("trained-512-*")
    assert train(512, 16_000_000) == kept
    assert reports == [], "nothing was trained again"
    others = {train(512, 1000), train(700, 16_000_000)}
    assert len(others | {kept}) == 3
    assert reports == ["training trained: 512 tokens on 0.0 MB", "training trained: 700 tokens on 0.0 MB"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Unopened", "failed: OSError: no model in this folder"),
        ("Panicking", "failed: BaseException: thread panicked"),
        ("Crashing", "failed: ended by SIGABRT: free(): invalid pointer"),
        ("Refused", "cannot be trained: 512 is too many"),
        ("Absent", "not installed: pip install absent-codec"),
    ],
)
def test_what_a_peer_does_is_a_line(figures: dict[str, Any], name: str, reason: str) -> None:
    failed = row(figures, name)
    assert failed["skipped"] == reason
    assert {key for key, value in failed.items() if value is not None} == {"name", "kind", "skipped"}


def test_a_refused_training_leaves_nothing_behind(figures: dict[str, Any]) -> None:
    assert not [path for path in cache_folder().iterdir() if not path.name.startswith("trained-")]


def test_the_stacks_own_files_are_whole_ones(place: Path, figures: dict[str, Any], tmp_path: Path) -> None:
    own = row(figures, "pair .stk")
    made = stackc.compress(place / "text", tmp_path / "text.stk", stack=place / "pair").stat().st_size
    assert (own["kind"], own["restored"], own["compressed_bytes"]) == ("file", True, made)
    assert own["bits_per_byte"] == pytest.approx(8 * made / figures["bytes"])
    assert own["primed_bytes"] is None, "it is primed by its own training"
    assert own["encode_cpu_s"]["median"] > 0 < own["decode_cpu_s"]["median"]
    assert row(figures, "pair .stk, 2 threads")["compressed_bytes"] == made


def test_a_peer_that_loses_something_is_marked(figures: dict[str, Any]) -> None:
    assert row(figures, "Lossy")["restored"] is False
    assert row(figures, "Lossy")["skipped"] is None


def test_what_a_peer_prints_is_no_answer(figures: dict[str, Any]) -> None:
    assert row(figures, "Chatty")["tokens"] == row(figures, "Bytes")["tokens"]


def entrant(name: str) -> Entrant:
    return Entrant(name=name, kind="tokenizer", codec=f"fake_peers:{name}")


def test_a_peer_that_hangs_is_given_up_and_the_others_go_on(place: Path) -> None:
    both = [entrant("Hanging"), entrant("Bytes")]
    hanging, other = measure(both, place / "text", repeats=1, timeout=3, report=lambda stage: None)
    assert hanging.skipped == "failed: took more than 3 s to encode (--timeout)"
    assert other.skipped is None
    assert len(other.encode) == len(other.decode) == 1


def test_peak_memory_is_the_workers_own(place: Path) -> None:
    held = np.ones(25_000_000)  # 200 MB here, which a child would report as its own
    (tally,) = measure([entrant("Bytes")], place / "text", repeats=1, timeout=60, report=lambda stage: None)
    assert tally.peak_mb is not None
    assert tally.peak_mb < held.nbytes / 1e6 / 2


def test_rounds_are_interleaved(place: Path) -> None:
    said: list[str] = []
    measure([entrant("Bytes"), entrant("Chatty")], place / "text", repeats=2, timeout=60, report=said.append)
    turns = [f"coding, {turn}: " for turn in ("first time", "round 1 of 2", "round 2 of 2")]
    assert said[-6:] == [turn + name for turn in turns for name in ("Bytes", "Chatty")]


def test_processor_time_is_not_waiting_and_counts_subprocesses(place: Path) -> None:
    both = [entrant("Idle"), entrant("Spawning")]
    idle, spawning = measure(both, place / "text", repeats=1, timeout=60, report=lambda stage: None)
    assert idle.encode[0].wall >= 0.5 > idle.encode[0].processor + 0.2
    assert spawning.decode[0].processor >= 0.5


def test_every_row_has_processor_seconds(figures: dict[str, Any]) -> None:
    for one in figures["rows"]:
        if one["skipped"] is None:
            for step in ("encode", "decode"):
                wall, processor = one[f"{step}_s"], one[f"{step}_cpu_s"]
                assert one[f"{step}_mb_s"]["max"] == pytest.approx(figures["bytes"] / wall["min"] / 1e6)
                assert 0 < processor["min"] <= processor["median"] <= processor["max"]


def test_a_slow_peer_codes_the_beginning_of_a_long_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Peer(name="Slow", kind="tokenizer", codec="fake_peers:Slow", variants=("x", "y"), default="x", slow=("x",))
    monkeypatch.setitem(PEERS, "Slow", slow)
    figures = benchmark(place / "pair", place / "text", against=["Slow"], level="M1", repeats=1, slow_bytes=1500)
    own, peer = figures["rows"]
    assert own["coded_bytes"] == figures["bytes"] > 1500 == peer["coded_bytes"] == peer["tokens"]
    assert peer["bits_per_byte"] == 8.0
    assert "measured on the first 1,500 bytes of the file only (--slow-bytes)" in peer["note"]
    assert peer["ratio_encode"] == pytest.approx(own["encode_mb_s"]["median"] / peer["encode_mb_s"]["median"])
    assert own["note"] is None
    assert benchmark(place / "pair", place / "text", against=["Slow"], repeats=1)["rows"][1]["tokens"] > 1500


def test_all_peers_are_all_their_rows() -> None:
    names = [name for name, _, _ in chosen(None)]
    assert names[-3:] == ["kanzi", "kanzi:7", "zpaq"] or "Bytes" in names
    assert [(variant in peer.slow) for name, peer, variant in chosen(["kanzi", "kanzi:7", "zpaq", "ppmd"])] == [
        True, False, True, False,
    ]  # fmt: skip


def test_ratios_go_pair_by_pair() -> None:
    assert ratio([1.0, 2.0, 4.0], [3.0, 4.0, 40.0]) == 3.0, "of 3, 2 and 10"
    assert ratio([1.0], []) is None


def documents(folder: Path, texts: list[bytes]) -> Path:
    writer = StoreWriter(folder, 256)
    writer.add(0, bytes_chunk(texts))
    writer.finish(1)
    return folder


def test_a_sample_is_spread_evenly_and_crosses_no_border(tmp_path: Path) -> None:
    text = bytes(range(256)) * 4096
    store = documents(tmp_path / "store", [text[:100_000], b"", text[100_000:]])
    whole = sample(store, 1 << 21)
    assert b"".join(whole.pieces) == text
    assert max(map(len, whole.pieces)) <= 1 << 16
    assert 100_000 in np.cumsum([len(piece) for piece in whole.pieces])
    part = sample(store, 300_000)
    assert part.total == 1 << 20
    assert 4 << 16 == part.size <= 300_000
    assert part.pieces[0] == text[: 1 << 16]
    assert part.pieces[-1] == text[-(1 << 16) :]
    assert part.digest != whole.digest
    assert sample(store, 7).pieces == [text[:7]]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_its_terminal(figures: dict[str, Any], width: int) -> None:
    out = StringIO()
    print_benchmark(figures, Console(file=out, width=width, force_terminal=True, color_system=None))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in out.getvalue()
    assert "Absent: skipped, not installed: pip install absent-codec" in out.getvalue()
    assert any(line.startswith("Lossy ! ") for line in lines)
    assert "Lossy: NOT RESTORED" in out.getvalue()
    size = f"{figures['bytes']:,}"
    cells = f"Headed {size} {figures['bytes'] + 10:,} 8.0"
    assert any(" ".join(line.split()).startswith(cells) for line in lines), "cold and primed sizes"
    head = next(line for line in lines if line.count("Mtok/s") == 3)
    speeds = lines[lines.index(head) + 1 :]
    assert [len(line.split()[1:]) for line in speeds if line.startswith(("Bytes ", "Trained "))] == [9, 9]
    assert "Unprimed: not primed: too large for my memory" in out.getvalue()


def test_without_a_primer_there_is_no_table_of_sizes(figures: dict[str, Any]) -> None:
    out = StringIO()
    print_benchmark({**figures, "primer": None}, Console(file=out, width=120, color_system=None))
    assert "primed" not in out.getvalue().partition("Unprimed: ")[0].replace("Unprimed", "")


def test_a_vocabulary_that_came_out_smaller_is_said(figures: dict[str, Any]) -> None:
    assert row(figures, "Bytes")["note"] == "only 256 tokens: the training text yields no more"
    assert row(figures, "Trained")["note"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["{here}/pair", "{here}/text", "--against", "gzip,tiktokn"],
            "no peer named 'tiktokn'; did you mean tiktoken?",
        ),
        (["{here}/pair", "{here}/text", "--against", "zstd:99"], "--against zstd:99: no '99' of zstd; known: 1, 2"),
        (["{here}/pair", "{here}/text", "--against", "tiktoken:x"], "it has no variants"),
        (["{here}/pair", "{here}/text", "--level", "M7"], "no level 'M7'; its levels are M1, M2"),
        (["{here}/pair", "{here}/nothing"], "nothing: cannot read (No such file"),
        (["{here}/pair", "{here}/empty"], "empty: the file is empty; there is nothing to measure"),
        (["{here}/pair", "{here}/text", "--primed-by", "{here}/none"], "none: cannot read (No such file"),
        (["{here}/pair", "{here}/text", "--primed-by", "{here}"], "cannot read (Is a directory"),
        (["{here}/pair", "{here}/text", "--primed-by", "{here}/empty"], "empty: the file is empty; it primes nothing"),
        (["{here}/pair", "{here}/text", "--slow-bytes", "0"], "--slow-bytes"),
        (["{here}", "{here}/text"], "not a stack (no manifest.json)"),
        (["{here}/pair", "{here}/text", "--repeats", "0"], "--repeats"),
    ],
)
def test_errors_are_one_line_and_exit_2(place: Path, arguments: list[str], said: str) -> None:
    (place / "empty").write_bytes(b"")
    result = CliRunner().invoke(main, ["bench", *[argument.format(here=place) for argument in arguments]])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_a_file_it_is_the_stacks_own_test_text(place: Path) -> None:
    result = CliRunner().invoke(main, ["bench", str(place / "pair"), "--against", "", "--repeats", "1", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    held_out = place / "pair" / "corpus" / "test" / "symbols.bin"
    assert (figures["file"], figures["bytes"]) == (str(held_out), len(held_out.read_bytes()))


def test_a_stack_without_a_test_text_asks_for_a_file(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "pair", tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "corpus")
    result = CliRunner().invoke(main, ["bench", str(tmp_path / "bare"), "--against", "gzip"])
    assert result.exit_code == 2
    assert result.stderr == f"error: {tmp_path / 'bare'}: has no test text of its own to measure with; name a file\n"


def test_the_command_is_a_call_of_the_function(place: Path) -> None:
    arguments = ["bench", str(place / "pair"), str(place / "text"), "--against", "gzip", "--repeats", "1", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert [one["name"] for one in json.loads(result.stdout)["rows"]] == ["pair M2", "pair .stk", "gzip"]


def test_the_command_passes_its_options_on(figures: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(stackc.bench, "benchmark", lambda *paths, **options: asked.update(options) or figures)
    options = ["--against", "gzip, xz", "--level", "M1", "--repeats", "7", "--threads", "2", "--peer-bytes", "9"]
    options += ["--primed-by", "P", "--slow-bytes", "8"]
    result = CliRunner().invoke(main, ["bench", "S", "F", *options, "--timeout", "1.5"])
    assert result.exit_code == 0, result.output
    assert "NOT RESTORED" in result.stdout, "a peer's loss is no error"
    assert asked.pop("report")
    assert asked == {
        "against": ["gzip", "xz"], "level": "M1", "repeats": 7, "threads": 2, "peer_bytes": 9, "timeout": 1.5,
        "primed_by": "P", "slow_bytes": 8,
    }  # fmt: skip
    own = {**row(figures, "pair M1"), "restored": False}
    monkeypatch.setitem(figures, "rows", [own])
    result = CliRunner().invoke(main, ["bench", "S", "F", "--against", ""])
    assert asked["against"] == []
    assert result.exit_code == 2
    assert "the decoded text differs from the file" in result.stderr


def test_a_stack_that_cannot_be_measured_is_an_error(place: Path) -> None:
    copy = shutil.copytree(place / "pair", place / "damaged")
    table = copy / "M1" / "dictionary" / "dictionary.safetensors"
    table.write_bytes(bytes(table.stat().st_size))
    with pytest.raises(stackc.StackcError, match=r"pair M1: cannot be measured: .*build the stack again"):
        benchmark(copy, place / "text", against=["gzip"], level="M1", repeats=1)
