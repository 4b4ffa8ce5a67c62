"""The same bits on another processor architecture: aarch64, emulated on x86-64 under Linux.

    python tests/other_machines/run.py FOLDER [NAME ...]

Fetches into FOLDER (about 1 GB, kept for the next time) what an aarch64 machine needs: Debian's Python 3.11 with its
libraries by `apt-get download`, and the aarch64 wheels of numpy, numba, llvmlite, safetensors and PyTorch by
`pip download`. Nothing is installed on this machine. Then it runs `codes.py` on this machine and on the emulated one,
compares line by line, and runs `stackc doctor` there. NAMEs are golden stacks or stacks that ship with stackc; by
default all of them.

Requires Debian or Ubuntu, `apt-get`, `dpkg-deb`, and the package `qemu-user-static` (or the program on PATH). Compiling
numba's kernels under emulation takes most of the time: about half an hour for everything.

Exit code 1 if anything differs. PyTorch is 2.8.0 there, because later aarch64 wheels need CUDA's libraries to import.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

DEBIAN = (
    "libbz2-1.0", "libc6", "libcrypt1", "libdb5.3", "libexpat1", "libffi8", "libgcc-s1", "liblzma5", "libncursesw6",
    "libpython3.11-minimal", "libpython3.11-stdlib", "libreadline8", "libsqlite3-0", "libssl3", "libstdc++6",
    "libtinfo6", "libuuid1", "python3.11-minimal", "zlib1g",
)  # fmt: skip
"""Packages of Debian 12 that a Python needs which imports everything stackc imports."""

WHEELS = (
    "numpy", "numba", "llvmlite", "safetensors", "attrs", "click", "pluggy", "rich", "markdown-it-py", "mdurl",
    "pygments", "torch==2.8.0", "filelock", "typing-extensions", "sympy", "mpmath", "networkx", "jinja2", "markupsafe",
    "fsspec",
)  # fmt: skip

PLATFORMS = (
    "manylinux_2_28_aarch64",
    "manylinux_2_27_aarch64",
    "manylinux_2_17_aarch64",
    "manylinux2014_aarch64",
    "any",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cpu", default="max", help="the emulated processor (qemu's -cpu)")
    parser.add_argument("--no-doctor", action="store_true", help="skip `stackc doctor`")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None:
        sys.exit("no qemu-aarch64-static: install the package qemu-user-static")
    fetch_system(folder)
    fetch_wheels(folder)
    system = folder / "system"
    python = [emulator, "-cpu", arguments.cpu, "-L", str(system), str(system / "usr/bin/python3.11")]
    there = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONHOME": str(system / "usr"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(folder / "site"), "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8",
        "NUMBA_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore",
    }  # fmt: skip
    machine = subprocess.check_output(
        [*python, "-c", "import platform; print(platform.machine())"], env=there, text=True
    )
    print(f"emulated: {machine.strip()}, {arguments.cpu}", flush=True)
    failed = compared(python, there, arguments.names)
    if not arguments.no_doctor:
        print("stackc doctor:", flush=True)
        failed |= subprocess.run([*python, "-m", "stackc", "doctor"], env=there).returncode != 0
    print("DIFFERENT" if failed else "the same bits")
    return int(failed)


def compared(python: list[str], there: dict[str, str], names: list[str]) -> bool:
    """Whether this machine's lines and the emulated one's differ; prints both while they come."""
    command = [str(HERE / "codes.py"), *names]
    wanted = [json.loads(line) for line in subprocess.check_output([sys.executable, *command], text=True).splitlines()]
    began, failed, count = time.monotonic(), False, 0
    with subprocess.Popen([*python, *command], env=there, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line, expected in zip(process.stdout, wanted, strict=False):
            found = json.loads(line)
            same = all(found[key] == expected[key] for key in ("stack", "what", "sha256"))
            failed |= not same
            count += 1
            verdict = "same" if same else f"DIFFERS from {expected}"
            print(f"{time.monotonic() - began:7.0f} s  {found['stack']}: {found['what']}: {verdict}", flush=True)
    if process.returncode or count != len(wanted):
        print(f"only {count} of {len(wanted)} lines came; exit code {process.returncode}")
        failed = True
    return failed


def fetch_system(folder: Path) -> None:
    """Debian's Python for arm64, unpacked, with lists and packages of its own: this machine's stay as they are."""
    system, packages = folder / "system", folder / "packages"
    if (folder / "system.done").exists():
        return
    lists = folder / "lists"
    for path in (packages, lists / "partial", folder / "cache/archives/partial", folder / "state"):
        path.mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    options = {
        "APT::Architecture": "arm64", "APT::Architectures": "arm64", "Dir::State": folder / "state",
        "Dir::State::lists": lists, "Dir::State::status": folder / "status", "Dir::Cache": folder / "cache",
        "APT::Sandbox::User": "",
    }  # fmt: skip
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    subprocess.run(["apt-get", *flags, "-q", "update"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["apt-get", *flags, "-q", "download", *DEBIAN], check=True, cwd=packages, stdout=subprocess.DEVNULL)
    shutil.rmtree(system, ignore_errors=True)
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", str(package), str(system)], check=True)
    (folder / "system.done").touch()


def fetch_wheels(folder: Path) -> None:
    """The wheels for aarch64, unpacked into `site`, and this checkout as a wheel beneath them, made anew each time."""
    site, wheels = folder / "site", folder / "wheels"
    if not (folder / "wheels.done").exists():
        shutil.rmtree(wheels, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels), "--only-binary=:all:"]
        pip += [part for name in PLATFORMS for part in ("--platform", name)]
        pip += [
            "--python-version",
            "3.11",
            "--implementation",
            "cp",
            "--abi",
            "cp311",
            "--abi",
            "abi3",
            "--abi",
            "none",
        ]
        subprocess.run([*pip, *WHEELS], check=True)
        (folder / "wheels.done").touch()
        shutil.rmtree(site, ignore_errors=True)
    if not site.is_dir():
        for wheel in sorted(wheels.glob("*.whl")):
            unpack(wheel, site)
    own = folder / "own"
    shutil.rmtree(own, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(own), str(ROOT)], check=True)
    (wheel,) = own.glob("*.whl")
    unpack(wheel, site)


def unpack(wheel: Path, site: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


if __name__ == "__main__":
    sys.exit(main())
