"""The name of this machine, stored with tokens that only it, or only the same software, can decode."""

from __future__ import annotations

import platform

from stackc.api.models import Portability
from stackc.api.version import installed_version


def host(portability: Portability) -> str:
    """The properties that writing and reading machine share: nothing, the software build, or the machine too."""
    if portability == "portable":
        return ""
    # Without torch its version is left out: such a machine decodes only what was written without torch too.
    found = {name: installed_version(name) for name in ("numpy", "torch")}
    versions = " ".join(f"{name} {version}" for name, version in found.items() if version)
    build = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"
    return build if portability == "same-build" else f"{platform.node()}: {build}"
