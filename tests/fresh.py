"""A fresh environment for packages under test: quick to make, and without a network unless it fetches."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

COMMANDS = """
import json, sys
from click.testing import CliRunner
from stackc.cli import main
said = []
for arguments in json.loads(sys.argv[1]):
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, (arguments, done.output)
    said.append(done.output)
print(json.dumps(said))
"""


class Environment:
    """A virtual environment that sees what the running one has; what is installed goes into it alone.

    Args:
        folder: where to put it; made.
        without: packages of the running environment that are not installed in this one.
        alone: see nothing of the running environment.
    """

    def __init__(self, folder: Path, without: tuple[str, ...] = (), alone: bool = False) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        self.python = folder / "bin" / "python"
        self.packages = next(folder.glob("lib/python*/site-packages"))
        if without:
            self._link(without)
        if without or alone:
            return
        # addsitedir, and not only a path: stackc itself may be installed as a line of such a file
        seen = sysconfig.get_path("purelib")
        (self.packages / "running.pth").write_text(f"import site; site.addsitedir({seen!r})\n")

    def _link(self, without: tuple[str, ...]) -> None:
        """A link to every installed package but these: they are as absent as if nobody had ever installed them.

        An import hook that refuses them would leave their metadata, and would not reach child processes.
        """
        code = "import site, sys; print(*sys.path, sep='\\n')"
        show = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        library, paths = Path(os.__file__).parent, []
        for folder in map(Path, show.stdout.splitlines()):
            if folder.name == "site-packages":
                for entry in folder.iterdir():
                    if entry.suffix != ".pth" and entry.name.split("-")[0] not in without:
                        with contextlib.suppress(FileExistsError):  # the earlier folder of the path wins
                            (self.packages / entry.name).symlink_to(entry)
            elif folder.is_dir() and not folder.is_relative_to(library):
                # An editable installation, such as stackc's own: its packages are in this folder or next to it.
                if any((place / name).exists() for place in (folder, folder.parent) for name in without):
                    continue
                paths.append(str(folder))
        (self.packages / "running.pth").write_text("\n".join(paths) + "\n")

    def install(self, *folders: Path) -> None:
        """Install packages from their folders, as a user's pip does, with nothing fetched."""
        offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-q"]
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", *offline]
        self._run([*pip, *map(str, folders)], Path.cwd())

    def fetch(self, requirement: str) -> None:
        """Install a package with what it depends on, from the package index."""
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "-q"]
        self._run([*pip, "--disable-pip-version-check", requirement], Path.cwd())

    def run(self, folder: Path, *arguments: str) -> str:
        """Run ``python -m`` with these arguments in a folder: what it wrote. Fails where it fails."""
        return self._run([str(self.python), "-m", *arguments], folder)

    def script(self, folder: Path, code: str, *arguments: str) -> str:
        """Run a script in a folder: what it wrote. Fails where it fails."""
        return self._run([str(self.python), "-c", code, *arguments], folder)

    def commands(self, folder: Path, *commands: list[str], apart: bool = False) -> list[str]:
        """Run commands of stackc in a folder: what each wrote. Fails where one fails.

        Args:
            folder: the current one.
            commands: their arguments.
            apart: in a process for each, as a user does; one process for all saves their imports.
        """
        if apart:
            return [self.run(folder, "stackc", *command) for command in commands]
        said: list[str] = json.loads(self.script(folder, COMMANDS, json.dumps(commands)))
        return said

    def shell(self, folder: Path, code: str) -> str:
        """Run shell code in a folder with the environment's commands first: what it wrote. Fails where it fails."""
        return self._run(["bash", "-euo", "pipefail", "-c", f"PATH={self.python.parent}:$PATH\n{code}"], folder)

    def _run(self, command: list[str], folder: Path) -> str:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
