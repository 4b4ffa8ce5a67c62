"""`stackc doctor`: does this installation produce the right bits on this machine?"""

from __future__ import annotations

import click

from stackc.api.errors import StackcError
from stackc.cli.command import Command, show


@click.command(cls=Command)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def command(device: str) -> None:
    """Test this machine and this installation, in under a minute.

    Shows the device, its threads and how exact matrix products run on it; compares codes and networks with known bits;
    builds a small stack, and compresses and decompresses with it. The exit code is 2 if any check fails.
    """
    from stackc.doctor import examine

    failed = []
    total = 0.0
    for finding in examine(device):
        show(f"{'ok    ' if finding.ok else 'FAILED'}  {finding.name}: {finding.text} ({finding.seconds:.1f} s)")
        total += finding.seconds
        if not finding.ok:
            failed.append(finding.name)
    if failed:
        raise StackcError(f"failed: {', '.join(failed)}")
    show(f"all checks passed ({total:.0f} s)")
