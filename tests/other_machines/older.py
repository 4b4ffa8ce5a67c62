"""Older processors of this kind: the lines of `codes.py` where compilers are told to use less, compared with its own.

    python tests/other_machines/older.py

numba's kernels are compiled for what the environment allows, and those of torch and oneDNN chosen by it: a plain x86-64
with SSE 4.1 at most, and one with AVX2 but neither AVX-512 nor VNNI. Takes three minutes of processor time, and exits
with 1 if a line differs. On other kinds of processors there is nothing to imitate.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESSORS = {
    "as it is": {},
    "plain x86-64": {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
    },
    "AVX2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2,+bmi,+bmi2,+fma",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
"""What the environment of each has; other settings stay."""


def lines_of(environment: dict[str, str]) -> dict[tuple[str, str], str]:
    """The hash of everything that `codes.py` prints, by kernels compiled anew."""
    with tempfile.TemporaryDirectory() as kernels:
        done = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("codes.py"))],
            env=os.environ | environment | {"NUMBA_CACHE_DIR": kernels}, capture_output=True, text=True, check=True,
        )  # fmt: skip
    found = map(json.loads, done.stdout.splitlines())
    return {(line["stack"], line["what"]): line["sha256"] for line in found if "sha256" in line}


def main() -> int:
    if platform.machine() != "x86_64":
        print(f"nothing to imitate on {platform.machine()}")
        return 0
    own: dict[tuple[str, str], str] = {}
    code = 0
    for name, environment in PROCESSORS.items():
        found = lines_of(environment)
        own = own or found
        differing = sorted(set(own.items()) ^ set(found.items()))
        print(f"{name}: {len(found)} lines, {'the same' if not differing else f'DIFFERENT: {differing}'}", flush=True)
        code = code or int(bool(differing))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
