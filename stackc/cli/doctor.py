"""`stackc doctor`: does this installation produce the right bits on this machine?"""

from __future__ import annotations

import sys

import click

from stackc.api.errors import StackcError
from stackc.api.messages import amount, shown
from stackc.cli.command import Command, show


@click.command(cls=Command)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def command(device: str) -> None:
    """Test this machine and this installation, in under a minute once its kernels are compiled.

    Shows the device, its threads and how exact matrix products run on it; compares codes and networks with known bits;
    builds a small stack, and compresses and decompresses with it. Checks that require a package that is not installed
    are skipped, and say what to install. The exit code is 2 if any check fails.
    """
    from stackc.doctor import examine

    failed = []
    skipped = 0
    total = 0.0
    for finding in examine(device, lambda check: _tell(f"{check} (the first time, compiling takes seconds)")):
        _tell("")
        mark = "skip  " if finding.skipped else "ok    " if finding.ok else "FAILED"
        for line in f"{mark}  {finding.name}: {finding.text} ({finding.seconds:.1f} s)".split("\n"):
            show(line)
        total += finding.seconds
        skipped += finding.skipped
        if not finding.ok:
            failed.append(finding.name)
    if failed:
        raise StackcError(f"failed: {', '.join(failed)}")
    left_out = f", {amount(skipped, 'check')} skipped" if skipped else ""
    show(f"all checks passed{left_out} ({total:.0f} s)")


def _tell(text: str) -> None:
    """Replace the last line of a terminal, so that results on standard output take its place."""
    if sys.stderr.isatty():
        click.echo("\r\x1b[2K", nl=False, err=True)
        click.echo(shown(text), nl=False, err=True)
