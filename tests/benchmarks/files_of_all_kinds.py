"""Whole `.stk` files against the strongest compressors that can be installed: sizes, and processor time, in one run.

    python tests/benchmarks/files_of_all_kinds.py [--stack STACK] [--rounds N] [--primed-by TRAIN] FILE...

All on one thread and in this process, one after another for each file, so that the ratios of the times mean something
on a busy machine; each output is decoded and compared. With several rounds, the best of them. `primed`: bytes that FILE
adds to TRAIN when both are coded as one text. Needs kanzi, zpaq, pyppmd, brotli and zstandard (the extra ``bench``).
"""

from __future__ import annotations

import argparse
import io
import lzma
import time
from collections.abc import Callable
from pathlib import Path

import brotli
import kanzi
import pyppmd
import zpaq
import zstandard

from stackc.stack.finding import GENERAL, builtin
from stackc.stack.runtime import Runtime
from stackc.stack.stack import Stack

Codec = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


def of_stack(folder: Path) -> Codec:
    """A stack's `.stk` files, without verification, which is what the others do."""
    stack = Stack(folder, Runtime(device="cpu", threads=1))

    def compress(data: bytes) -> bytes:
        target = io.BytesIO()
        stack.compress(io.BytesIO(data), target, verify=False)
        return target.getvalue()

    def decompress(data: bytes) -> bytes:
        target = io.BytesIO()
        stack.decompress(io.BytesIO(data), target)
        return target.getvalue()

    compress(b"kernels are loaded")
    return compress, decompress


def ppmd(data: bytes) -> bytes:
    """Variant H, order 16. In pieces: given a long text at once, pyppmd 1.3.1 writes a code that decodes wrongly."""
    encoder = pyppmd.Ppmd7Encoder(16, 256 << 20)
    pieces = [encoder.encode(data[at : at + 16384]) for at in range(0, len(data), 16384)]
    return len(data).to_bytes(8, "little") + b"".join(pieces) + encoder.flush()


def from_ppmd(data: bytes) -> bytes:
    return pyppmd.Ppmd7Decoder(16, 256 << 20).decode(data[8:], int.from_bytes(data[:8], "little"))


PEERS: dict[str, Codec] = {
    "kanzi 9": (lambda data: kanzi.compress(data, 9), kanzi.decompress),
    "zpaq 5": (lambda data: zpaq.compress(data, 5, threads=1), zpaq.decompress),
    "ppmd 16": (ppmd, from_ppmd),
    "xz 9e": (lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    "brotli 11": (lambda data: brotli.compress(data, quality=11, lgwin=24), brotli.decompress),
    "zstd 19": (lambda data: zstandard.compress(data, 19), zstandard.decompress),
}

PRIMED: dict[str, Callable[[bytes], bytes]] = {
    "kanzi 9": lambda data: kanzi.compress(data, 9, 1 << 30),
    "zpaq 5": PEERS["zpaq 5"][0],
    "ppmd 16": ppmd,
}


def measured(codec: Codec, data: bytes) -> tuple[int, float, float]:
    """(bytes, seconds of the processor to encode, to decode)."""
    begun = time.process_time()
    coded = codec[0](data)
    between = time.process_time()
    assert codec[1](coded) == data
    return len(coded), between - begun, time.process_time() - between


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--stack", action="append", default=[], help="a folder, or the name of one that is built in")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--primed-by", type=Path)
    parser.add_argument("--without", action="append", default=[], choices=list(PEERS))
    chosen = parser.parse_args()
    folders = [builtin(name) or Path(name) for name in (GENERAL, *chosen.stack)]
    ours = {folder.name: of_stack(folder) for folder in folders}
    codecs = ours | {name: codec for name, codec in PEERS.items() if name not in chosen.without}
    print("| file | compressor | bytes | bits per byte | encoding MB/s | decoding MB/s |\n|---|---|---|---|---|---|")
    for path in chosen.files:
        data = path.read_bytes()
        rounds = [[measured(codec, data) for codec in codecs.values()] for _ in range(chosen.rounds)]
        for number, name in enumerate(codecs):
            size, there, back = (min(one[number][i] for one in rounds) for i in range(3))
            speeds = f"{len(data) / there / 1e6:.2f} | {len(data) / back / 1e6:.2f}"
            print(f"| {path.name} | {name} | {size:,} | {8 * size / len(data):.3f} | {speeds} |", flush=True)
        if chosen.primed_by is not None:
            train = chosen.primed_by.read_bytes()
            for name, code in PRIMED.items():
                if name not in chosen.without:
                    added = len(code(train + data)) - len(code(train))
                    print(f"| {path.name} | {name}, primed | {added:,} | {8 * added / len(data):.3f} | | |", flush=True)


if __name__ == "__main__":
    main()
