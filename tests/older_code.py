"""Stacks and files of an older commit, read by this code: python tests/older_code.py COMMIT

Installs that commit beside this code, builds with it every recipe of its own tests that needs no argument, and writes
two files with each stack and its tokens. Then this code decodes all of them, writes the files again and makes the
tokens again: everything is the same to the byte, or is named. Exits with 1 if something is not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from fresh import Environment

ROOT = Path(__file__).parents[1]
BLOCKS = (200, 65_536)

BUILDS = """
import inspect, pathlib
import stackc, recipes_of_tests as made
made.corpus(pathlib.Path())
for name, function in list(vars(made).items()):
    if inspect.isfunction(function) and function.__module__ == made.__name__ and all(
        one.default is not one.empty for one in inspect.signature(function).parameters.values()
    ):
        pathlib.Path(name + ".toml").write_text(function())
        stackc.build(name + ".toml", name)
odd = bytes(range(256)) + "naïve 東京".encode() + b"\\xff\\0" * 90
pathlib.Path("source").write_bytes(made.TEXT.encode() * 5 + odd)
"""


class Here:
    """The running code, asked like an `Environment`."""

    def run(self, folder: Path, *arguments: str) -> None:
        done = subprocess.run([sys.executable, "-m", *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"


def install(commit: str, folder: Path) -> Environment:
    """An environment with that commit's packages, which sees what else is installed."""
    tree = folder / "tree"
    subprocess.run(["git", "clone", "-q", "--no-checkout", str(ROOT), str(tree)], check=True)
    subprocess.run(["git", "-C", str(tree), "checkout", "-q", commit], check=True)
    environment = Environment(folder / "venv")
    environment.fetch(str(tree))
    (environment.packages / "recipes_of_tests.py").write_bytes((tree / "tests" / "recipes_of_tests.py").read_bytes())
    return environment


def write(folder: Path, code: Environment | Here, stacks: list[str], suffix: str) -> None:
    """Files and tokens of every stack, named after it."""
    for name in stacks:
        for block in BLOCKS:
            to = ("--stack", name, "--block-size", str(block), "-o", f"{name}-{block}.stk{suffix}")
            code.run(folder, "stackc", "compress", "source", *to)
        code.run(folder, "stackc", "encode", name, "source", "-o", f"{name}{suffix}.npy")


def differences(folder: Path, stacks: list[str]) -> list[str]:
    """What this code does not read, or writes otherwise."""
    source, wrong = (folder / "source").read_bytes(), []
    for name in stacks:
        for block in BLOCKS:
            file, back = f"{name}-{block}.stk", folder / f"{name}-{block}.back"
            Here().run(folder, "stackc", "decompress", file, "--stack", name, "-o", str(back))
            if back.read_bytes() != source:
                wrong.append(f"{file} decodes to other bytes")
            if (folder / file).read_bytes() != (folder / f"{file}.new").read_bytes():
                wrong.append(f"{file} is written otherwise")
        if (folder / f"{name}.npy").read_bytes() != (folder / f"{name}.new.npy").read_bytes():
            wrong.append(f"{name}: other tokens")
        Here().run(folder, "stackc", "decode", name, f"{name}.npy", "-o", f"{name}.text")
        if (folder / f"{name}.text").read_bytes() != source:
            wrong.append(f"{name}: its tokens decode to other bytes")
    return wrong


def main(commit: str) -> int:
    with tempfile.TemporaryDirectory(prefix="stackc-older-") as place:
        folder = Path(place)
        older = install(commit, folder)
        older.script(folder, BUILDS)
        stacks = sorted(one.stem for one in folder.glob("*.toml") if (folder / one.stem / "manifest.json").is_file())
        write(folder, older, stacks, "")
        write(folder, Here(), stacks, ".new")
        wrong = differences(folder, stacks)
    said = f"{commit}: {len(stacks)} stacks ({', '.join(stacks)}), {len(stacks) * len(BLOCKS)} files"
    print("\n".join([*wrong, f"{said}: {'DIFFERENT' if wrong else 'the same'}"]))
    return 1 if wrong or not stacks else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
