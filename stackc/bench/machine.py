"""The machine that figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from stackc.api.version import installed_version


def machine(packages: list[str]) -> dict[str, Any]:
    """CPU, cores, system, and the versions of Python and of the installed ones among `packages`."""
    found = {name: installed_version(name) for name in ("stackc", "numpy", "numba", *packages)}
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: one for name, one in found.items() if one is not None},
    }


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
