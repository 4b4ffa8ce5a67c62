"""What hostile files take of memory, above the imports, the stack and a working copy of its state for each thread."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from recipes_of_tests import TEXT
from stackc import Stack
from stackc.archive.format import BlockHeader, Trailer, check, pack_index
from stackc.archive.reader import read_header

Get = Callable[[str], Stack]

LIMIT_MB = 512

SCRIPT = """
import io, sys
from pathlib import Path
import stackc
from stackc.stack.stk_files import decompress_file, salvage_file, verify_file

def megabytes(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024

folder, file, command = sys.argv[1:]
stack = stackc.load(folder)
text = Path("text").read_bytes()
small, back = io.BytesIO(), io.BytesIO()
stack.compress(io.BytesIO(text), small, block_size=100)
stack.decompress(io.BytesIO(small.getvalue()), back)
assert back.getvalue() == text
before = megabytes("VmRSS:")
Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
try:
    if command == "decompress":
        decompress_file(Path(file), Path("out"), stack)
    elif command == "verify":
        verify_file(Path(file), stack)
    else:
        salvage_file(Path(file), Path("out"), stack)
except stackc.ContainerError as error:
    assert "block" in str(error), error
print(before, megabytes("VmHWM:") - before)
"""

PAYLOADS: dict[str, Callable[[int], bytes]] = {
    "zeros": bytes,
    "ones": lambda size: b"\xff" * size,
    "noise": lambda size: random.Random(size).randbytes(size),
}


def hostile(stack: Stack, block_size: int, blocks: int, payload: bytes) -> bytes:
    """A file whose every check is right but those of the source: each block claims as much as it may."""
    out = io.BytesIO()
    stack.compress(io.BytesIO(TEXT.encode()), out)
    header = attrs.evolve(read_header(io.BytesIO(out.getvalue())), block_size=block_size, modified=None)
    file, sizes = header.pack(), []
    for number in range(blocks):
        head = BlockHeader(
            coded=True, file_id=header.file_id, number=number, offset=number * block_size, length=block_size,
            size=len(payload), payload_check=check(payload), source_check=bytes(8),
        )  # fmt: skip
        file += head.pack() + payload
        sizes.append(len(payload))
    index = pack_index(header.file_id, struct.pack(f"<{blocks}I", *sizes), blocks)
    trailer = Trailer(
        file_id=header.file_id, blocks=blocks, size=blocks * block_size, sha256=bytes(32), index_check=check(index)
    )
    return file + index + trailer.pack()


def number(value: int) -> bytes:
    """Of seven bits in each byte, the lowest first."""
    return bytes([value & 127 | 128]) + number(value >> 7) if value > 127 else bytes([value])


MIB = 1 << 20

LONG = [pytest.mark.long, pytest.mark.timeout(0)]


@pytest.mark.parametrize(
    ("name", "block_size", "blocks", "payload", "command"),
    [
        ("counting", MIB, 4, "zeros", "decompress"),
        ("counting", MIB, 4, "noise", "decompress"),
        ("few", 4 * MIB, 2, "zeros", "decompress"),
        *(pytest.param("two", 1 << 12, 600, payload, "decompress", marks=LONG) for payload in PAYLOADS),
        pytest.param("two", MIB, 3, "noise", "decompress", marks=LONG),
        pytest.param("two", 1 << 12, 600, "noise", "salvage", marks=LONG),
        *(pytest.param("few", 64 * MIB, 2, payload, "decompress", marks=LONG) for payload in ("zeros", "noise")),
        pytest.param("few", 64 * MIB, 2, "noise", "salvage", marks=LONG),
        *(
            pytest.param(name, 64 * MIB, 2, "noise", "decompress", marks=LONG)
            for name in ("mixing", "six", "some", "twelve")
        ),
    ],
)
def test_hostile_files_take_less_than_512_mb(
    stack: Get, tmp_path: Path, name: str, block_size: int, blocks: int, payload: str, command: str
) -> None:
    (tmp_path / "text").write_bytes(TEXT.encode() * 2)
    if name in ("few", "six", "some", "twelve", "mixing"):
        # A frame that names as many symbols as the block has; then zeros are read.
        content = number(block_size) + PAYLOADS[payload](1000)
    else:  # as long as a payload may be, so that it names as much as it may
        content = PAYLOADS[payload](block_size)
    (tmp_path / "file.stk").write_bytes(hostile(stack(name), block_size, blocks, content))
    run = [sys.executable, "-c", SCRIPT, str(stack(name).folder), str(tmp_path / "file.stk"), command]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    before, more = map(float, done.stdout.split())
    print(f"{name}, blocks of {block_size:,}, {payload}, {command}: {before:.0f} MB before, {more:.0f} MB more")
    assert more < LIMIT_MB
