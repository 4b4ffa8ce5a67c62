"""The command line: one module per command, imported only when the command is called."""

from __future__ import annotations

import contextlib
import difflib
import errno
import gc
import importlib
import os
import signal
import sys
import traceback
from typing import Any, NoReturn

import click

from stackc.api import streams
from stackc.api.errors import StackcError
from stackc.cli.command import USER_ERROR, error_text
from stackc.cli.ended import SIGNALS, end_at_once, end_cleanly, end_whatever_comes, ending
from stackc.cli.ray_child import as_a_command, tell_parent
from stackc.parts.blame import wants_traceback

COMMANDS = {
    "build": "Build a stack from a recipe.",
    "sweep": "Build a table of stacks: a base recipe, axes, arms and seeds.",
    "encode": "Encode a file to tokens.",
    "decode": "Decode tokens to the file.",
    "eval": "Measure every level on held-out text.",
    "generate": "Continue a prompt.",
    "compress": "Compress files with a stack.",
    "decompress": "Decompress files.",
    "export": "Write tokens or a tokenizer for other programs.",
    "verify": "Check compressed files.",
    "pack": "Write a stack as one file, to hand it on.",
    "inspect": "Show what a stack or a compressed file contains.",
    "report": "Write a web page on one or several stacks, or on a sweep.",
    "compare": "Compare stacks, or the runs of a sweep.",
    "bench": "Measure a stack against other tokenizers and compressors.",
    "plugins": "List plugins and their parts, check a plugin, or create one.",
    "doctor": "Test this machine and this installation.",
}
"""Every command and its line of help. ``stackc/cli/NAME.py`` defines it as a click command called ``command``."""

BY_SIGNAL = tuple(128 + number for number in SIGNALS)
"""Exit codes of commands that were ended by a signal."""

NEW_OBJECTS = 10_000
"""New objects between two searches for garbage. Python's own 700 make a tenth of the time that imports take."""


class LazyGroup(click.Group):
    """The commands by name, imported when they are called. Errors that a user can cause end in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"stackc.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], COMMANDS, n=1) if args else []
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            hint = f"; did you mean {near[0]}?" if near else " (see: stackc --help)"
            _stop(f"no command named {args[0]!r}{hint}", USER_ERROR)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def make_context(self, *arguments: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*arguments, **extra)
        except OSError as error:  # the help text cannot be written
            _refused(error)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StackcError as error:
            if wants_traceback():
                traceback.print_exception(error)
            _stop(error.lines, USER_ERROR)
        except click.UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: click shows its help
                raise
            _stop(f"{_usage(error)} (see: {(error.ctx or ctx).command_path} --help)", USER_ERROR)
        except KeyboardInterrupt as error:
            end_whatever_comes()
            _stop(*ending(error))
        except OSError as error:
            _refused(error)


def _refused(error: OSError) -> NoReturn:
    """End with an error of the system, in one line. `stackc.api.streams` has put standard output's name into it."""
    if error.errno == errno.EPIPE:  # `stackc … | head`: click ends quietly
        raise error
    _stop(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), USER_ERROR)


def _usage(error: click.UsageError) -> str:
    """What was wrong, in one line: click puts the choices of a missing option into lines of their own."""
    text = error.format_message()
    return " ".join(text.split()) if isinstance(error, click.MissingParameter) else text


def _stop(message: str | list[str], code: int) -> NoReturn:
    lines = [message] if isinstance(message, str) else message
    line = error_text(lines) if code == USER_ERROR else lines[0]
    if not tell_parent(code, line):
        with contextlib.suppress(OSError):  # the terminal is gone
            click.echo(line, err=True)
    raise click.exceptions.Exit(code)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stackc", prog_name="stackc")
def main() -> None:
    """Multi-level neural text compression with Equal-Info windows."""


def _one_of_many_ranks() -> bool:
    from stackc.pipeline.ranks.world import ranks_of_environment

    return ranks_of_environment()[1] > 1


def run() -> NoReturn:
    """The installed command: `main`, with an exit code that shows what ended the process."""
    as_a_command()
    gc.set_threshold(NEW_OBJECTS)
    streams.take()
    try:
        end_cleanly()
        main()
    except SystemExit as end:
        end_at_once()
        streams.drop()
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        tell_parent(code)
        if code in BY_SIGNAL or (code and _one_of_many_ranks()):
            # Not `sys.exit`: an interrupt inside an import makes Python kill itself with the signal when it exits, and
            # threads of a process group that has lost a rank abort there. Either would change the exit code.
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            if "stackc.api.lasting" in sys.modules:
                sys.modules["stackc.api.lasting"].remove_lasting()
            os._exit(code)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all work is done: the exit code must not change any more
        gc.freeze()  # Python would search all modules for garbage once more, which takes as long as a short command
        raise
    except KeyboardInterrupt as error:  # before a command had started
        end_whatever_comes()
        text, code = ending(error)
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)
        os._exit(code)
    except Exception:  # a bug: Python prints the traceback
        tell_parent(1)
        raise
    raise SystemExit(0)
