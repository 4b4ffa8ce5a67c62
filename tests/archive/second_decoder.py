"""A second decoder of `.stk` files, for stacks of counts: dictionaries, and levels and tops of the model `unigram`.

Written from docs/format.md and docs/concepts.md alone, in plain Python: nothing of stackc, no numpy. What it needs and
does not find there is missing from the documents.
"""

from __future__ import annotations

import hashlib
import json
import struct
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

T = 1 << 24


def check(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:8]


def sealed(data: bytes) -> bytes:
    """The bytes before the check that ends them, which must be right."""
    assert check(data[:-8]) == data[-8:]
    return data[:-8]


# -- the stack: a folder or a pack


class Stack:
    """What decoding reads of a stack.

    Args:
        files: the content of its parts, by path.
        manifest: as JSON holds it.
    """

    def __init__(self, files: dict[str, bytes], manifest: dict) -> None:
        self.manifest, recipe = manifest, manifest["recipe"]
        self.segment = recipe["corpus"]["segment"]
        self.levels = []
        for made, table in zip(manifest["levels"], recipe["level"], strict=True):
            sizes = (table["tokens"]["bits"], table["windowing"]["bits"], table["windowing"]["symbols"])
            if made["compiled"]:
                arrays = tensors(files[f"{made['name']}/dictionary/dictionary.safetensors"])
                self.levels.append((texts, (arrays["parent"], arrays["symbol"], *sizes)))
            else:
                row = tensors(files[f"{made['name']}/frozen/frequencies.safetensors"])["frequencies"]
                self.levels.append((windows, (row, *sizes)))
        row = tensors(files[f"{recipe['top']['name']}/frozen/frequencies.safetensors"])["frequencies"]
        self.levels.append((windows, (row, 8, None, self.segment)))

    def sha256(self) -> str:
        """The name of the stack in files."""
        recipe, parts = self.manifest["recipe"], self.manifest["parts"]
        coders = [(made["name"], made["compiled"]) for made in self.manifest["levels"]]
        coders, levels = [*coders, (recipe["top"]["name"], False)], []
        for (name, compiled), table in zip(coders, [*recipe["level"], recipe["top"]], strict=True):
            read = ("coder", "dictionary" if compiled else "frozen")
            own = {path.split("/", 1)[1]: parts[path]["sha256"] for path in parts if path.split("/")[0] == name}
            tables = {key: value for key, value in table.items() if key not in ("name", "train")}
            own = {path: sha256 for path, sha256 in own.items() if path.split("/")[0] in read}
            levels.append({"compiled": compiled, "tables": tables, "parts": own})
        bits = {key: made["bits_version"] for key, made in self.manifest["plugins"].items() if key[:7] != "reader "}
        whole = {"format": self.manifest["format"], "segment": self.segment, "bits": bits, "levels": levels}
        return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def folder(path: Path) -> Stack:
    manifest = json.loads((path / "manifest.json").read_text())
    return Stack({name: (path / name).read_bytes() for name in manifest["parts"] if (path / name).exists()}, manifest)


def pack(data: bytes) -> Stack:
    magic, version, zero, length, size, stack = struct.unpack("<8sHHIQ32s", sealed(data[:64]))
    assert (magic, version, zero, size) == (b"\x89STP\r\n\x1a\n", 1, 0, len(data))
    text = sealed(data[64 : 72 + length])
    manifest, at, files = json.loads(text), 72 + length, {}
    assert json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode() == text
    for name in sorted(manifest["parts"], key=str.encode):
        part = manifest["parts"][name]
        files[name] = data[at : at + part["bytes"]]
        assert hashlib.sha256(files[name]).hexdigest() == part["sha256"]
        at += part["bytes"]
    assert at == size
    found = Stack(files, manifest)
    assert found.sha256() == stack.hex()
    return found


def tensors(data: bytes) -> dict[str, list[int]]:
    """The arrays of a safetensors file."""
    (size,) = struct.unpack_from("<Q", data)
    found = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            letter = {"I32": "i", "U32": "I"}[entry["dtype"]]
            found[name] = list(struct.unpack(f"<{entry['shape'][0]}{letter}", data[8 + size + begin : 8 + size + end]))
    return found


# -- a payload


def windows(tokens: list[int], row: list[int], token_bits: int, budget: int | None, most: int) -> list[int]:
    """The symbols of a level's tokens by the slot rule, window after window."""
    out, at = [], 0
    while at < len(tokens) and (budget is None or len(tokens) - at >= budget // token_bits):
        symbols, used = window(tokens[at : at + 4 * most], row, token_bits, budget, most)
        out += symbols
        at += used
    return out


def window(tokens: list[int], row: list[int], token_bits: int, budget: int | None, most: int) -> tuple[list[int], int]:
    """The symbols of one window, and the number of its tokens. `budget`: W, its bits; None: no bit budget."""
    n, low, out = min(budget or 38, 38), 0, []
    size = 1 << n

    def bits(count: int) -> int:
        """The first bits; after the last token come zeros."""
        value, need = 0, -(-count // token_bits)
        for token in (tokens + [0] * need)[:need]:
            value = value << token_bits | token
        return value >> need * token_bits - count

    while len(out) < most:
        while size < 1 << 30 and (more := 8 if budget is None else min(8, budget - n)):
            n, low, size = n + more, low << more, size << more
        slot, span = bits(n) - low, size - 1
        if slot == 0:
            return out, -(-(budget or n) // token_bits)
        reached = row if not out else [f if 2 * f * span >= T else 0 for f in row]
        if not any(reached):
            reached = [f if s == row.index(max(row)) else 0 for s, f in enumerate(row)]
        cumulative = [0, *accumulate(reached)]
        edges = [one * span // cumulative[-1] for one in cumulative]
        if not out:
            edges = [s + one * (span - len(row)) // T for s, one in enumerate(cumulative)]
        symbol = bisect_right(edges, slot - 1) - 1
        low, size = low + 1 + edges[symbol], edges[symbol + 1] - edges[symbol]
        out.append(symbol)
    for count in range(1, -(-n // token_bits)) if budget is None else ():
        unit = 1 << n - token_bits * count
        if (-(-low // unit) + 1) * unit <= low + size:
            return out, count
    return out, -(-(budget or n) // token_bits)


def texts(tokens: list[int], parent: list[int], symbol: list[int], token_bits: int, budget: int, _: int) -> list[int]:
    """The symbols of the tokens of a dictionary."""
    out, each = [], budget // token_bits
    for at in range(0, len(tokens) - each + 1, each):
        code, text = 0, []
        for token in tokens[at : at + each]:
            code = code << token_bits | token
        while code:
            text.append(symbol[code])
            code = parent[code]
        out += reversed(text)
    return out


# -- the file


def original(file: bytes, stack: Stack | None = None) -> bytes:
    """The original of a `.stk` file. `stack`: None if the file carries it."""
    _, version, size, block_size, file_id, name, _, portable, coder, _ = struct.unpack_from("<8sHHI8s32sqBBH", file)
    assert (sealed(file[:size])[:8], portable, coder) == (b"\x89STK\r\n\x1a\n", 0, 1)
    assert 1 <= block_size <= 1 << (20 if version == 1 else 26)
    at, data, sizes = size, b"", []
    if version == 3:
        marker, id_, length, right = struct.unpack("<4s8sI8s", sealed(file[at : at + 32]))
        carried = file[at + 32 : at + 32 + length]
        assert (marker, id_, right) == (b"\xf7SK\0", file_id, check(carried))
        stack, at = stack or pack(carried), at + 32 + length
    assert stack.sha256() == name.hex()
    while file[at : at + 3] == b"\xf7BK":
        head = struct.unpack("<3sB8sIQII8s8s", sealed(file[at : at + 56]))
        _, kind, id_, number, offset, length, size, payload_check, source_check = head
        assert (id_, number, offset) == (file_id, len(sizes), len(data))
        block = payload = file[at + 56 : at + 56 + size]
        assert check(payload) == payload_check
        if kind:
            symbols = list(payload)
            for decode, level in reversed(stack.levels):
                symbols = decode(symbols, *level)
            block = bytes(symbols)
        assert (len(block), check(block)) == (length, source_check)
        data, at = data + block, at + 56 + size
        sizes.append(size)
    index = struct.pack(f"<4s8sI{len(sizes)}I", b"\xf7IX\0", file_id, len(sizes), *sizes)
    end = (b"\xf7EN\0", file_id, len(sizes), len(data), hashlib.sha256(data).digest(), check(index))
    assert (index, struct.unpack("<4s8sIQ32s8s", sealed(file[at + len(index) :]))) == (file[at : at + len(index)], end)
    return data
