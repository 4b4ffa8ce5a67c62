"""The name of this machine, stored with tokens that only it, or only the same software, can decode."""

from __future__ import annotations

import importlib.metadata
import platform

from stackc.api.models import Portability


def host(portability: Portability) -> str:
    """What must be equal on the writing and the reading machine: nothing, the software build, or the machine too."""
    if portability == "portable":
        return ""
    versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("numpy", "torch"))
    build = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"
    return build if portability == "same-build" else f"{platform.node()}: {build}"
