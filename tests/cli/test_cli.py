"""The commands as a user meets them: what they print, what they refuse, and how."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from processes_of_tests import heard
from recipes_of_tests import corpus, four_level, two_level
from stackc.cli import main
from stackc.cli.command import Name, PathName


def stackc(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    corpus(folder)
    (folder / "two.toml").write_text(two_level(steps=4))
    result = stackc("build", folder / "two.toml", "--out", folder / "two", "--quiet")
    assert result.exit_code == 0, result.output
    assert "restored byte for byte" in result.stdout
    assert result.stderr == ""
    return folder / "two"


TEXTS = {"set", "level", "prompt", "baseline", "figure", "against", "name"}
"""Parameters that are text, but name neither a file nor a folder."""


def parameters(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Parameter]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            one = command.get_command(context, name)
            assert one is not None
            yield from parameters(one, click.Context(one, parent=context, info_name=name))
    else:
        yield from ((context.command_path, parameter) for parameter in command.params)


def test_an_empty_name_of_a_file_is_refused_by_every_command() -> None:
    """Of a variable that is not set, in a script: it means no file, and neither the current folder nor a default."""
    checked = 0
    for command, parameter in parameters(main, click.Context(main, info_name="stackc", **main.context_settings)):
        if isinstance(parameter.type, Name | PathName):
            checked += 1
            with pytest.raises(click.BadParameter, match="an empty name"):
                parameter.type.convert("", parameter, None)
        elif isinstance(parameter.type, click.Path | click.types.StringParamType):
            assert {option.lstrip("-") for option in parameter.opts} & TEXTS, f"{command}: {parameter.opts}"
    assert checked > 30


@pytest.mark.parametrize("arguments", [["--help"], ["plugins", "list"], ["build", "--help"]])
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from stackc.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "heavy = {'torch', 'numba', 'tensorboard'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - begun < 3, "0.5 s on an idle machine; this bound only catches heavy imports"


@pytest.mark.parametrize("suffix", ["npy", "bin", "txt"])
@pytest.mark.parametrize("level", [None, "M1"])
@pytest.mark.parametrize("data", [b"It is a truth", b"", b"\xff\xfe\x00" * 50], ids=["text", "empty", "binary"])
def test_files_come_back(stack: Path, tmp_path: Path, suffix: str, level: str | None, data: bytes) -> None:
    (tmp_path / "in").write_bytes(data)
    tokens = tmp_path / f"tokens.{suffix}"
    options = ["--level", level] if level else []
    assert stackc("encode", stack, tmp_path / "in", "-o", tokens, *options).exit_code == 0
    assert stackc("decode", stack, tokens, "-o", tmp_path / "out", *options).exit_code == 0
    assert (tmp_path / "out").read_bytes() == data


def test_tokens_of_an_incomplete_code_are_ignored_and_that_is_said(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"some text of no great length")
    stackc("encode", stack, tmp_path / "in", "-o", tmp_path / "t.npy")
    tokens = np.load(tmp_path / "t.npy")
    np.save(tmp_path / "t.npy", np.concatenate([tokens, [1]]).astype(tokens.dtype))
    result = stackc("decode", stack, tmp_path / "t.npy", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "; ignored 1 token of incomplete last codes\n" in result.stderr
    assert (tmp_path / "out").read_bytes() == b"some text of no great length"


def test_eval_prints_the_figures_as_json(stack: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"held-out text " * 20)
    (tmp_path / "b").write_bytes(b"")
    result = stackc("eval", stack, tmp_path / "a", tmp_path / "b", "--json")
    assert result.exit_code == 0
    figures = json.loads(result.stdout)
    assert figures["source_bytes"] == 280
    assert figures["round_trip"] is True
    assert [row["name"] for row in figures["levels"]] == ["M1", "M2", "M3"]
    wanted = {
        "name", "tokens", "token_bits", "bytes_per_token", "coded_bits_per_byte", "model_bits_per_byte",
        "coding_bits_per_byte", "uniform_bits_per_byte", "unigram_bits_per_byte", "parameters", "ops_per_byte_body",
        "ops_per_byte_softmax", "uncut_bytes_per_token",
    }  # fmt: skip
    of_tokens = {
        "edit_places", "tokens_per_substitution", "tokens_per_insertion", "tokens_per_deletion", "words_cut_alike",
        "prefix_places", "prefix_before_blank", "first_blank_places", "prefix_before_first_blank",
        "prefix_after_answer", "codes_used_train", "codes_used_test",
    }  # fmt: skip
    assert all(set(row) == wanted | of_tokens | {"by_position"} for row in figures["levels"])
    nulls = {key for key, value in figures["levels"][-1].items() if value is None}
    assert nulls == {"tokens", "coded_bits_per_byte", "uncut_bytes_per_token"} | of_tokens
    assert not of_tokens & {key for key, value in figures["levels"][0].items() if value is None}
    assert "restored byte for byte" in stackc("eval", stack, tmp_path / "a").stdout


def test_generate_starts_with_the_prompt(stack: Path) -> None:
    result = stackc("generate", stack, "--prompt", "It is a tru", "--tokens", 5, "--seed", 3)
    assert result.exit_code == 0
    assert result.stdout_bytes.startswith(b"It is a tru")
    again = stackc("generate", stack, "--prompt", "It is a tru", "--tokens", 5, "--seed", 3)
    assert again.stdout_bytes == result.stdout_bytes


def test_inspect_shows_and_verifies(stack: Path) -> None:
    result = stackc("inspect", stack, "--verify")
    assert result.exit_code == 0
    assert "M1: alphabet 256 -> 512" in result.stdout
    assert "a compiled dictionary" in result.stdout
    assert re.search(r"verified: \d+ files, all SHA-256 match the manifest", result.stdout)
    assert json.loads(stackc("inspect", stack, "--json").stdout)["format"] == 1


def test_dry_run_prints_the_plan_and_builds_nothing(stack: Path, tmp_path: Path) -> None:
    result = stackc("build", stack.parent / "two.toml", "--dry-run", "--out", tmp_path / "never")
    assert result.exit_code == 0
    assert "M1/dictionary" in result.stdout
    assert "M2/dictionary" not in result.stdout
    assert not (tmp_path / "never").exists()
    assert "missing:" not in result.output
    tight = stackc("build", "smoke", "--dry-run", "--set", "run.memory=100", "--set", "level.2.windowing.bits=20")
    assert (tight.exit_code, tight.stderr.count("\n")) == (2, 1)
    assert "level.2.windowing.bits: 1,048,576 texts over an alphabet of 512 take about" in tight.stderr
    counted = stackc("build", "counted_compressor", "--dry-run")
    assert "the cost of training M1 is not known in advance" in counted.stdout
    assert "0 s" not in counted.stdout
    mixing = stackc("build", "compressor", "--dry-run")
    assert "M1 codes with 425.5 MB of memory for each thread" in mixing.stdout
    large = stackc("build", "compressor", "--dry-run", "--set", "top.model.size=26")
    assert (large.exit_code, large.stderr.count("\n")) == (2, 1)
    assert "run.memory: 1,024 MB, and a working copy of M1's model takes 1,2" in large.stderr
    missing = stackc("build", stack.parent / "two.toml", "--dry-run", "--set", "corpus.train=nope.txt")
    assert missing.exit_code == 0
    assert "missing: corpus.train: no such file:" in missing.output


def test_a_file_that_is_not_there_starts_no_cluster(
    stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stackc.pipeline.engines.remote.engine", lambda *_, **__: pytest.fail("a cluster was asked for")
    )
    done = stackc("encode", stack, tmp_path / "no", "-o", tmp_path / "t.npy", "--engine", "ray")
    assert done.exit_code == 2
    assert "no: cannot read (No such file" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["encode", "{stack}", "{here}/missing", "-o", "{here}/t.npy"], "missing: cannot read (No such file"),
        (["encode", "{stack}", "{here}/in", "-o", "{here}/t.zip"], "t.zip: tokens are stored as .npy, .bin or .txt"),
        (["encode", "{stack}", "{here}/in", "-o", "{here}/no/folder/t.npy"], "t.npy: cannot write"),
        (["encode", "{stack}", "{here}/in", "-o", "{here}/t.npy", "--level", "M3"], "no level 'M3'; its levels are"),
        (["encode", "{here}", "{here}/in", "-o", "{here}/t.npy"], "not a stack (no manifest.json)"),
        (["decode", "{stack}", "{here}/wrong.txt", "-o", "{here}/o"], "wrong.txt: cannot read tokens"),
        (["decode", "{stack}", "{here}/big.txt", "-o", "{here}/o"], "token 256 is outside the level's alphabet of 256"),
        (["decode", "{stack}", "{here}/wrong.npy", "-o", "{here}/o"], "wrong.npy: cannot read tokens"),
        (["decode", "{stack}", "{here}/float.npy", "-o", "{here}/o"], "float.npy: cannot read tokens (shape (2,)"),
        (["build", "{here}/no.toml"], "no.toml: no such recipe file"),
        (["build", "smoke", "--set", "level.1.windowing.bits=8"], "level.1.windowing.bits: 8 is too small"),
        (["build", "smoke", "--set", "corpus.train={here}/none*.txt", "--out", "{here}/s"], "no file matches"),
        (["inspect", "{here}/in"], "not a .stk file"),
        (["inspect", "{here}/none"], "not a stack"),
        (["buidl"], "did you mean build?"),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_exit_2(stack: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "in").write_text("text")
    (tmp_path / "wrong.txt").write_text("1 2 three")
    (tmp_path / "big.txt").write_text("1 256")
    (tmp_path / "wrong.npy").write_bytes(b"not numpy")
    np.save(tmp_path / "float.npy", np.array([1.0, 2.0]))
    before = set(tmp_path.iterdir())
    result = stackc(*[argument.format(stack=stack, here=tmp_path) for argument in arguments])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert {path for path in tmp_path.iterdir() if path.name != "s"} == before, "nothing half-written"


def test_a_stack_whose_plugin_is_missing_says_how_to_get_it(stack: Path, tmp_path: Path) -> None:
    import shutil

    copy = shutil.copytree(stack, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["plugins"]["coder mine"] = {
        "plugin": "mine", "distribution": "stackc-mine", "version": "3.1", "bits_version": 1,
    }  # fmt: skip
    (copy / "manifest.json").write_text(json.dumps(manifest))
    result = stackc("encode", copy, copy / "manifest.json", "-o", tmp_path / "t.npy")
    assert result.exit_code == 2
    assert "pip install stackc-mine==3.1" in result.stderr
    del manifest["plugins"]["coder mine"]
    manifest["plugins"]["coder arithmetic"]["bits_version"] = 99
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert "cannot read it" in stackc("inspect", copy).stderr + stackc("encode", copy, copy, "-o", "t.npy").stderr


def test_generation_through_a_coder_that_is_not_total_is_refused(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "four.toml").write_text(four_level())
    assert stackc("build", tmp_path / "four.toml", "--out", tmp_path / "four", "--quiet").exit_code == 0
    result = stackc("generate", tmp_path / "four", "--prompt", "It")
    assert result.exit_code == 2
    assert "M2: its coder decodes only tokens that it encoded" in result.stderr


def test_ctrl_c_ends_in_one_line_and_keeps_finished_stages(tmp_path: Path) -> None:
    corpus(tmp_path)
    (tmp_path / "long.toml").write_text(two_level(steps=500_000))
    command = [sys.executable, "-m", "stackc", "build", str(tmp_path / "long.toml"), "--out", str(tmp_path / "long")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    while not (tmp_path / "long" / "M1" / "model" / ".pending").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "interrupted" in said.splitlines()[-1]
    assert (tmp_path / "long" / "M1" / "counts" / "stage.json").exists()
    assert not (tmp_path / "long" / "manifest.json").exists()


def test_a_vocabulary_larger_than_the_memory_is_refused_with_its_size(tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(main, ["build", "counted_65k", "--set", "run.memory=1", "--out", str(out)])
    assert done.exit_code == 2
    assert "level.1.coder.vocabulary: 65,536 texts" in done.output
    assert "about 11 MB, and run.memory allows 1 MB" in done.output
    assert not (out / "corpus").exists()
