"""``stackc plugins`` and what the command line makes of errors."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import subprocess
import sys
import types
from typing import Any, ClassVar

import attrs
import click
import numpy as np
import pytest
from click.testing import CliRunner

from stackc.api import Register, StackcError, Windowing, bits, hookimpl
from stackc.cli import COMMANDS, main
from stackc.cli.plugins import _print_table
from stackc.coding.trial import check_part
from stackc.parts.part import Source
from stackc.parts.registry import Registry, registry


def test_list_names_every_part() -> None:
    done = CliRunner().invoke(main, ["plugins", "list"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert len(lines) == len(registry().parts())
    assert any(line.split()[:3] == ["coder", "arithmetic", "coders"] for line in lines)


def test_list_as_json() -> None:
    done = CliRunner().invoke(main, ["plugins", "list", "--json"])
    found = json.loads(done.stdout)
    assert found["set_aside"] == []
    arithmetic = next(part for part in found["parts"] if part["name"] == "arithmetic")
    assert arithmetic["kind"] == "coder"
    assert arithmetic["distribution"] == "stackc"
    assert arithmetic["bits_version"] == 1


def test_list_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    _print_table(registry().parts())
    assert "static-unigram" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["counted", "unigram", "windows", "equal-info", "coders", "gzip", "text"])
def test_check_passes_first_party_parts(name: str) -> None:
    done = CliRunner().invoke(main, ["plugins", "check", name])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("ok")


def test_check_of_an_unknown_name() -> None:
    done = CliRunner().invoke(main, ["plugins", "check", "nonsense"])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: no plugin or part named 'nonsense'; the names are ")


def toy(factory: Any) -> types.ModuleType:
    @attrs.frozen(kw_only=True)
    class Config:
        bits_version: ClassVar[int] = 1
        size: int = bits(1, help="a size")

    @hookimpl
    def stackc_register_windowings(register: Register) -> None:
        register("blank", factory, Config, "a toy")

    module = types.ModuleType("toy")
    module.stackc_register_windowings = stackc_register_windowings  # type: ignore[attr-defined]
    return module


def fails(config: Any) -> Windowing:
    raise ImportError("no cupy")


@pytest.mark.parametrize(
    ("factory", "line"),
    [
        (fails, "its factory fails on the default configuration (ImportError: no cupy)"),
        (lambda config: 7, "its factory makes a int, not a stackc.api.Windowing"),
        (lambda config: Windowing(symbols=70_000), "a symbol budget of 70000; allowed: 1 to 65535"),
        (lambda config: Windowing(cuts=lambda segment: segment), "cuts of 100 symbols are uint8[100], not bool[n]"),
    ],
)
def test_check_finds_broken_promises(monkeypatch: pytest.MonkeyPatch, factory: Any, line: str) -> None:
    sources = [Source(plugin="toy", distribution="", version="", load=lambda: toy(factory))]
    monkeypatch.setattr("stackc.cli.plugins.installed", lambda: sources)
    done = CliRunner().invoke(main, ["plugins", "check", "blank"])
    assert done.exit_code == 2
    assert "FAILED  windowing blank (plugin 'toy')" in done.stdout
    assert line in done.stdout
    assert done.stderr == "error: blank failed the check\n"


def test_check_says_what_was_not_tried_and_what_the_module_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = [Source(plugin="toy", distribution="toy", version="1", load=lambda: toy(lambda config: Windowing()))]
    monkeypatch.setattr("stackc.cli.plugins.installed", lambda: sources)
    done = CliRunner().invoke(main, ["plugins", "check", "blank"])
    assert done.exit_code == 0
    assert "its module has no STACKC_CONTRACT, so the version of the contract cannot be checked" in done.stdout
    monkeypatch.undo()
    done = CliRunner().invoke(main, ["plugins", "check", "transformer"])
    assert "its rows were not compared: stackc.testing.ModelContract does that" in done.stdout
    assert "built, coded and decoded in a small recipe" in done.stdout
    assert "STACKC_CONTRACT" not in done.stdout, "stackc's own parts are of its own contract"


def test_check_asks_for_cuts_twice_and_guards_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)

    def writing(segment: Any) -> Any:
        segment[:] = 0
        return np.zeros(len(segment), np.bool_)

    for cuts, line in (
        (lambda segment: rng.random(len(segment)) < 0.5, "cuts of a segment are others when asked again"),
        (lambda segment: [False] * len(segment), "cuts of 100 symbols are list, not bool[n]"),
        (writing, "cuts raised ValueError: assignment destination is read-only"),
    ):
        sources = [
            Source(plugin="toy", distribution="", version="", load=lambda c=cuts: toy(lambda _: Windowing(cuts=c)))
        ]
        monkeypatch.setattr("stackc.cli.plugins.installed", lambda s=sources: s)
        done = CliRunner().invoke(main, ["plugins", "check", "blank"])
        assert done.exit_code == 2
        assert line in done.stdout


def test_a_field_that_hides_its_declaration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
import attrs
from stackc.api import {imported}
@attrs.frozen(kw_only=True)
class Config:
    bits: int = {bits}(16, help="W")
    symbols: int = {bits}(4, help="most symbols")
"""

    def load(imported: str, name: str) -> object:
        module = types.ModuleType("toy")
        sys.modules.setdefault("toy", module)
        exec(code.format(imported=imported, bits=name), vars(module))
        return module

    sources = [Source(plugin="toy", distribution="", version="", load=lambda: load("bits", "bits"))]
    (broken,) = Registry(sources).broken
    assert "write `from stackc.api import fields`, and fields.bits(...)" in broken.reason
    assert "\n" not in broken.reason
    made: Any = load("fields", "fields.bits")
    assert [field.name for field in attrs.fields(made.Config)] == ["bits", "symbols"]


@pytest.mark.parametrize(
    ("name", "uses", "hidden"),
    [
        ("bits", "bits(4, help='more')", "bits"),
        ("speed", "speed(4, help='more')", "speed"),
        ("globs", "globs(help='files')", "globs"),
        ("fields", "fields.bits(4, help='more')", "fields"),
        ("attrs", "bits(4, check=attrs.validators.ge(1), help='more')", "attrs"),
        ("ge", "bits(4, check=ge(1), help='more')", "ge"),
        ("LIMITS", "bits(4, check=ge(LIMITS[0]), help='more')", "LIMITS"),
        ("max", "bits(4, check=ge(max(LIMITS)), help='more')", "max"),
        ("local", "bits(local(), help='more')", "local"),
    ],
)
def test_a_field_that_hides_what_the_next_fields_use_is_named(name: str, uses: str, hidden: str) -> None:
    """Whatever the name: the message says which field it is, and how to import what it hides."""
    code = f"""
import attrs
from attrs.validators import ge
from stackc.api import bits, fields, globs, speed
LIMITS, other = (1, 2), 3
def of_class(local=int):
    @attrs.frozen(kw_only=True)
    class Config:
        other: int = fields.speed(1, help="a module has this name too, and no field uses it")
        {name}: int = fields.bits(16, help="W")
        symbols: int = {uses}
of_class()
"""

    def load() -> object:
        module = types.ModuleType("toy")
        sys.modules.setdefault("toy", module)
        exec(code, vars(module))
        return module

    (broken,) = Registry([Source(plugin="toy", distribution="", version="", load=load)]).broken
    assert f"the configuration field '{hidden}' has the name of " in broken.reason
    advice = "`from stackc.api import fields`" if hidden in ("bits", "speed", "globs") else "under another name"
    assert advice in broken.reason
    assert "\n" not in broken.reason


@pytest.mark.parametrize("error", ["TypeError: 'int' object is not callable", "AttributeError: '_CountingAttr' is odd"])
def test_other_faults_of_a_class_are_said_as_they_are(error: str) -> None:
    def load() -> object:
        kind, _, text = error.partition(": ")
        raise {"TypeError": TypeError, "AttributeError": AttributeError}[kind](text)

    (broken,) = Registry([Source(plugin="toy", distribution="", version="", load=load)]).broken
    assert broken.reason == error


def test_check_asks_windowings_about_deeper_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    def only_bytes(segment: Any) -> Any:
        return np.zeros(256, np.bool_)[segment]

    for cuts, said, line in (
        (only_bytes, [], "IndexError"),
        (only_bytes, ["kind: reads bytes alone"], ""),
        (only_bytes, "bytes alone", "problems(4096, None) gives 'bytes alone', not a list of lines"),
        (lambda segment: np.zeros(len(segment), np.bool_), [], ""),
    ):
        plugin: Any = toy(lambda _, cuts=cuts: Windowing(cuts=cuts))
        part = Registry.of(plugin=plugin).parts()[0]
        monkeypatch.setattr(part.config, "problems", lambda self, *asked, said=said: said, raising=False)
        problems = check_part(part).problems
        assert (line in "".join(problems)) if line else problems == []


def test_check_shows_where_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> object:
        raise RuntimeError("torn")

    monkeypatch.setenv("STACKC_TRACEBACK", "1")
    for name, source in (
        ("blank", Source(plugin="toy", distribution="", version="", load=lambda: toy(fails))),
        ("toy", Source(plugin="toy", distribution="", version="", load=load)),
    ):
        monkeypatch.setattr("stackc.cli.plugins.installed", lambda s=source: [s])
        done = CliRunner().invoke(main, ["plugins", "check", name])
        assert ('raise ImportError("no cupy")' if name == "blank" else 'raise RuntimeError("torn")') in done.stderr


def test_check_of_a_plugin_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> object:
        raise ImportError("no cupy")

    sources = [Source(plugin="toy", distribution="dist", version="1", load=load)]
    monkeypatch.setattr("stackc.cli.plugins.installed", lambda: sources)
    done = CliRunner().invoke(main, ["plugins", "check", "toy"])
    assert done.exit_code == 2
    assert "FAILED  plugin 'toy' (dist 1): ImportError: no cupy" in done.stdout


class LyingCoder:
    """Closes with too few bits, and decodes to another text."""

    def encoder(self, window: Any) -> Any:
        class Encoder:
            def add(self, freqs: Any, symbol: int) -> bool:
                return True

            def close(self, full: bool) -> tuple[int, int]:
                return 0, 12

        return Encoder()

    def decoder(self, window: Any, source: Any) -> Any:
        class Decoder:
            def next(self, freqs: Any) -> int | None:
                return None if source.read(4) == 0 else 1

        return Decoder()


@attrs.frozen(kw_only=True)
class WithoutBudget:
    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = False
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False


def test_check_of_a_coder_that_does_not_keep_its_word() -> None:
    gzip = registry().get("coder", "gzip")
    verdict = check_part(attrs.evolve(gzip, config=WithoutBudget, factory=lambda config: LyingCoder()))
    assert len(verdict.problems) == 1
    assert verdict.problems[0].startswith("windows of 70 symbols: used raised AttributeError")
    arithmetic = registry().get("coder", "arithmetic")
    verdict = check_part(attrs.evolve(arithmetic, factory=lambda config: LyingCoder()))
    assert verdict.problems == ["windows of 16 bits: close gave a code of 12 bits; every window has exactly 16"]
    verdict = check_part(attrs.evolve(gzip, factory=lambda config: LyingCoder()))
    assert verdict.problems == ["its factory makes a LyingCoder, which has no method whole"]


# -- the group


def raising(error: BaseException) -> types.ModuleType:
    @click.command()
    def command() -> None:
        raise error

    module = types.ModuleType("stackc.cli.build")
    module.command = command  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (StackcError("level M1: no"), 2, "error: level M1: no\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/data/x"), 2, "error: /data/x: No space left on device\n"),
        (OSError("odd"), 2, "error: odd\n"),
    ],
)
def test_errors_end_in_one_line(monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str) -> None:
    monkeypatch.setitem(sys.modules, "stackc.cli.build", raising(error))
    done = CliRunner().invoke(main, ["build"])
    assert done.exit_code == code
    assert done.stderr == text
    assert done.stdout == ""


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stackc.cli.build", raising(ZeroDivisionError()))
    assert isinstance(CliRunner().invoke(main, ["build"]).exception, ZeroDivisionError)


def test_misspelt_command() -> None:
    done = CliRunner().invoke(main, ["plugin", "list"])
    assert done.exit_code == 2
    assert done.stderr == "error: no command named 'plugin'; did you mean plugins?\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["plugins", "check"], "error: Missing argument 'NAME'. (see: stackc plugins check --help)\n"),
        (["plugins", "list", "--jsn"], "error: No such option '--jsn'. "),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], line: str) -> None:
    done = CliRunner().invoke(main, arguments, prog_name="stackc")
    assert done.exit_code == 2
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1


def test_group_without_a_command_shows_its_help() -> None:
    for arguments in ([], ["plugins"]):
        done = CliRunner().invoke(main, arguments)
        assert "Commands:" in done.output


def test_every_command_has_a_module_and_a_line_of_help() -> None:
    for name, line in COMMANDS.items():
        assert importlib.util.find_spec(f"stackc.cli.{name}"), f"stackc/cli/{name}.py is not there"
        assert line.endswith(".")


def seconds(*arguments: str) -> tuple[float, str]:
    """The least of three runs' processor time: a clock on the wall would measure who else uses the machine."""
    best, output = 1e9, ""
    code = "import sys; from stackc.cli import main; main(sys.argv[1:], standalone_mode=False)"
    code += (
        "\nprint(sorted({'torch', 'numba', 'numpy', 'tokenizers', 'sentencepiece', 'pyarrow',"
        " 'datasets'} & set(sys.modules)))"
    )
    for _ in range(3):
        before = os.times()
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        best, output = min(best, used), done.stdout
    return best, output


@pytest.mark.parametrize("arguments", [("--help",), ("plugins", "list"), ("plugins", "--help")])
def test_quick_commands_take_half_a_second_and_no_torch(arguments: tuple[str, ...]) -> None:
    best, output = seconds(*arguments)
    assert output.splitlines()[-1] == "[]"
    assert best < (0.3 if arguments == ("--help",) else 0.5)


def test_registry_of_a_wrong_plugin_reaches_commands_as_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> object:
        module = types.ModuleType("toy")
        module.stackc_register_nothing = lambda register: None  # type: ignore[attr-defined]
        return module

    sources = [Source(plugin="toy", distribution="", version="", load=load)]
    with pytest.raises(StackcError, match="plugin 'toy': hook 'stackc_register_nothing'"):
        Registry(sources).check()
