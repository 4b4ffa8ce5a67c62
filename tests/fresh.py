"""A fresh environment for packages under test: quick to make, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


class Environment:
    """A virtual environment that sees what the running one has; what is installed goes into it alone.

    Args:
        folder: where to put it; made.
    """

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.python = folder / "bin" / "python"
        packages = next(folder.glob("lib/python*/site-packages"))
        # addsitedir, and not only a path: stackc itself may be installed as a line of such a file
        seen = sysconfig.get_path("purelib")
        (packages / "running.pth").write_text(f"import site; site.addsitedir({seen!r})\n")

    def install(self, *folders: Path) -> None:
        """Install packages from their folders, as a user's pip does, with nothing fetched."""
        offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", *offline]
        self._run([*pip, *map(str, folders)], Path.cwd())

    def run(self, folder: Path, *arguments: str) -> str:
        """Run ``python -m`` with these arguments in a folder: what it wrote. Fails where it fails."""
        return self._run([str(self.python), "-m", *arguments], folder)

    def _run(self, command: list[str], folder: Path) -> str:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
