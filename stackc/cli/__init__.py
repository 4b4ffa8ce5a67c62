"""The command line. Commands are modules of this package, imported only when they are called."""

from __future__ import annotations

import contextlib
import difflib
import errno
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from stackc.api import streams
from stackc.api.errors import StackcError
from stackc.api.messages import shown
from stackc.cli.ended import SIGNALS, Ended, end_at_once, end_cleanly
from stackc.cli.exit_codes import INTERRUPTED, USER_ERROR
from stackc.parts.blame import wants_traceback

COMMANDS = {
    "build": "Build a stack from a recipe.",
    "encode": "Turn a file into tokens.",
    "decode": "Turn tokens back into the file.",
    "eval": "Measure every level on held-out text.",
    "generate": "Continue a prompt.",
    "compress": "Compress files with a stack.",
    "decompress": "Give the files back.",
    "export": "Write tokens, or a tokenizer, for other programs.",
    "verify": "Check compressed files.",
    "inspect": "Say what a stack or a compressed file is made of.",
    "report": "Write one page that shows stacks.",
    "bench": "Measure a stack beside other tokenizers and compressors.",
    "plugins": "List plugins and their parts, check one, or start one.",
    "doctor": "Test this machine and this installation.",
}
"""Every command and its line of help. ``stackc/cli/NAME.py`` has it as a click command called ``command``."""

BY_SIGNAL = (INTERRUPTED, *(128 + number for number in SIGNALS))
"""Exit codes of commands that a signal ended."""


class OutputFile(click.Path):
    """The name of a file to write. One that ends in a slash means a folder, and there has to be one."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from stackc.stack.outputs import output_path

        return super().convert(output_path(value), param, ctx)


class Command(click.Command):
    """A command: standard output is for its results alone (`stackc.api.streams.results`)."""

    def invoke(self, ctx: click.Context) -> Any:
        with streams.kept():
            return super().invoke(ctx)


class LazyGroup(click.Group):
    """A group that knows its commands by name; errors that a user can cause end in one line."""

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
        except OSError as error:  # the help, which cannot be written
            _refused(error)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StackcError as error:
            if wants_traceback():
                traceback.print_exception(error)
            _stop(str(error), USER_ERROR)
        except click.UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # a group without a command: click shows its help
                raise
            _stop(f"{error.format_message()} (see: {(error.ctx or ctx).command_path} --help)", USER_ERROR)
        except Ended as error:
            _stop(str(error), error.code)
        except KeyboardInterrupt:
            _stop("interrupted", INTERRUPTED)
        except OSError as error:
            _refused(error)


def _refused(error: OSError) -> NoReturn:
    """What the system refused, in one line; standard output has its name from `stackc.api.streams`."""
    if error.errno == errno.EPIPE:  # `stackc … | head`: click ends quietly
        raise error
    _stop(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), USER_ERROR)


def say(text: str) -> None:
    """A message on standard error; names in it are printed as they are (`stackc.api.messages.shown`)."""
    click.echo(shown(text), err=True)


def _stop(message: str, code: int) -> NoReturn:
    from stackc.cli.ray_child import tell_parent

    line = shown(f"error: {message}" if code == USER_ERROR else message)
    if not tell_parent(code, line):
        with contextlib.suppress(OSError):  # of a terminal that has hung up
            click.echo(line, err=True)
    raise click.exceptions.Exit(code)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stackc", prog_name="stackc")
def main() -> None:
    """Multi-level neural text compression with Equal-Info windows."""


def _one_of_many() -> bool:
    from stackc.pipeline.ranks.world import ranks_of_environment

    return ranks_of_environment()[1] > 1


def run() -> NoReturn:
    """The installed command: `main`, and an interrupted process that says so by its exit code."""
    from stackc.cli.ray_child import as_a_command, tell_parent

    as_a_command()
    streams.take()
    try:
        end_cleanly()
        main()
    except SystemExit as end:
        streams.drop()
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        tell_parent(code)
        end_at_once()
        if code in BY_SIGNAL or (code and _one_of_many()):
            # An interrupt that landed inside an import leaves Python set on dying by the signal at its own end; threads
            # of a process group that lost a rank abort there.
            with contextlib.suppress(OSError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done and said: the exit code stands
        raise
    except KeyboardInterrupt as error:  # before a command was running
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{error if isinstance(error, Ended) else 'interrupted'}\n")
            sys.stderr.flush()
        os._exit(error.code if isinstance(error, Ended) else INTERRUPTED)
    except Exception:  # a traceback follows
        tell_parent(1)
        raise
    raise SystemExit(0)
