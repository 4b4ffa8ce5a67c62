"""`stackc doctor`: does this installation give the right bits on this machine?"""

from __future__ import annotations

import click

from stackc.cli import Command


@click.command(cls=Command)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
def command(device: str) -> None:
    """Test this machine and this installation, in under a minute.

    Shows the device, its threads and how exact matrix products run on it; holds codes and networks against known
    bits; builds a small stack, and compresses and decompresses with it. Exits with 2 where anything is wrong.
    """
    from stackc.api.errors import StackcError
    from stackc.cli.show import show
    from stackc.doctor import examine

    failed = []
    total = 0.0
    for finding in examine(device):
        show(f"{'ok    ' if finding.ok else 'FAILED'}  {finding.name}: {finding.text} ({finding.seconds:.1f} s)")
        total += finding.seconds
        if not finding.ok:
            failed.append(finding.name)
    if failed:
        raise StackcError(f"not well: {', '.join(failed)}")
    show(f"all is well ({total:.0f} s)")
