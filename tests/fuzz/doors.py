"""More doors: models that code bit by bit, packed stacks, and files and streams, which fail in their own ways.

The last three are the kinds K2, K3 and K6 of docs/trust.md: short writes, temporary names, rights. There the hostile
bytes are a script of what the system does, and a file that is lost, torn or too open is the bug.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import stat
from pathlib import Path
from typing import Any

import numpy as np

from fuzz.models_and_tokenizers import (
    BlocksOfBits,
    CountedTexts,
    Recurrent,
    SavedTokenizers,
    Subwords,
    TransformersModels,
)
from fuzz.mutations import mutate_arrays, mutate_bytes, mutate_pack, reseal, reseal_pack
from fuzz.pieces_and_sweeps import PieceTables, SweepRows, Sweeps
from fuzz.targets import DATA, TARGETS, Target, built
from recipes_of_tests import counting, counting_twice, mixing
from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import Inherited, read_tensors, write_atomically, write_tensors
from stackc.api.streams import Whole, read_up_to, write_all
from stackc.archive.decoder import check_blocks, decompress_blocks, decompress_range
from stackc.archive.format import EMBEDDED_HEAD_SIZE, HEADER_SIZE, pack_embedded
from stackc.archive.salvage import salvage
from stackc.stack.finding import GENERAL, builtin, carried, open_codec
from stackc.stack.packed import Unpacked, check_pack, packed
from stackc.stack.stack import Stack


class BitwisePayload(Target):
    """Any bytes as a block of a model that codes bit by bit, and as tokens of a level that such a model codes."""

    name = "bitwise"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        sizes = ("many", "some", "few", "six", "twelve")
        self.codecs = [built(folder / "stacks", name, mixing(name)).codec for name in sizes]

    def seeds(self) -> list[bytes]:
        texts = [DATA, b"the " * 50, DATA[:40]]
        return [b"", *(payload for codec in self.codecs for payload in codec.encode(texts) if payload)]

    def run(self, data: bytes, rng: random.Random) -> None:
        codec, length = rng.choice(self.codecs), rng.choice((1, 10, 60, 400))
        for result in codec.decode([data[:80], data[80:90]], [length, length]):
            assert isinstance(result, StackcError) or len(result) == length
        level, spec = codec.levels[-1], codec.levels[-1].spec
        assert spec.alphabet == 256
        back = level.decode(
            np.frombuffer(data[:60], np.uint8), np.array([0, 20, min(60, len(data))]).clip(0, len(data)), 500
        )
        assert len(back.symbols) <= 500


class PrimedState(Target):
    """The tables of a mixing model: any bits in them code and decode; a file that is not as configured is refused."""

    name = "primed"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from mixing_toys import CONFIGS, decoded, encoded, predictor_of
        from stackc_mixing.state import FILE, Primed

        self.file, self.kind, text = FILE, Primed, np.frombuffer(DATA, np.uint8)
        self.models: list[tuple[Any, ...]] = []  # by contexts: what is primed, opened and right
        for config in CONFIGS.values():
            predictor = predictor_of(text, 256, config)
            predictor._primed.save(self.folder)
            state = predictor.begin()
            decoded(predictor, encoded(predictor, text), len(DATA))  # compiles
            right = {name: table.copy() for name, table in state.tables.items()}
            self.models.append((config, predictor, state, right, read_tensors(self.folder / FILE)))

    def seeds(self) -> list[bytes]:
        return [table.view(np.uint8)[:4000].tobytes() for _, _, _, right, _ in self.models for table in right.values()]

    def run(self, data: bytes, rng: random.Random) -> None:
        from mixing_toys import decoded, encoded, repeated

        config, predictor, state, right, arrays = rng.choice(self.models)
        if rng.random() < 0.03:
            write_tensors(self.folder / self.file, mutate_arrays(arrays, rng))
            self.kind.load(self.folder, config, 256)
            return
        tables = dict(right)
        for name in rng.sample(list(tables), rng.choice((1, 1, 2, min(5, len(tables)), len(tables)))):
            kind, size = tables[name].dtype, len(tables[name])
            cut = data[: len(data) // kind.itemsize * kind.itemsize] or bytes(kind.itemsize)
            tables[name] = repeated(np.frombuffer(cut, kind), size)
        window = np.frombuffer(data[: rng.choice((0, 1, 9, 64))], np.uint8).copy()  # writable, for compiled kernels
        state.primed = self.kind(tables=tables, window=window, seen=rng.choice((0, 1, 1 << 20, (1 << 62) - 1)))
        text = (DATA + data)[rng.randrange(300) :][: rng.choice((1, 20, 90))]
        state.arguments(state.symbols)  # it is changed: the next block begins from the new tables
        room = 20 * len(text) + 64  # such tables may spend 16 bits on each of a symbol's 8
        payload = encoded(predictor, np.frombuffer(text, np.uint8), room, state)
        assert bytes(decoded(predictor, payload, len(text), state)) == text


class Packs(Target):
    """A packed stack, by itself and in a `.stk` file whose own checks are right."""

    name = "packs"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.stacks = [
            built(folder / "stacks", "counting", counting()),
            built(folder / "stacks", "twice", counting_twice()),
            Stack(builtin(GENERAL) or ""),
        ]
        for stack in self.stacks:  # what is compiled is compiled now
            stack.codec.decode([payload for payload in stack.codec.encode([DATA]) if payload], [len(DATA)])
        out = io.BytesIO()
        self.stacks[0].compress(io.BytesIO(DATA), out, block_size=100, embedded=self.stacks[0].embeddable())
        self.carrying = out.getvalue()

    def seeds(self) -> list[bytes]:
        return [packed(stack.folder, 1 << 24) for stack in self.stacks]

    def mutate(self, seed: bytes, rng: random.Random) -> bytes:
        damaged = mutate_pack(seed, rng)
        return reseal_pack(damaged) if rng.random() < 0.7 else damaged

    def run(self, data: bytes, rng: random.Random) -> None:
        door = rng.randrange(6)
        if door == 0:
            check_pack(data, "fuzzed")
            return
        if door == 1:
            stack = Stack(Unpacked(data, "fuzzed"))
            assert sorted(part.name for part in stack.folder.rglob("*"))
            return
        begin = HEADER_SIZE + EMBEDDED_HEAD_SIZE
        (length,) = np.frombuffer(self.carrying[HEADER_SIZE + 12 : HEADER_SIZE + 16], "<u4")
        pack = self.seeds()[0] if rng.random() < 0.1 else data
        whole = (
            self.carrying[:HEADER_SIZE] + pack_embedded(self.carrying[16:24], pack) + self.carrying[begin + length :]
        )
        if rng.random() < 0.3:
            whole = mutate_bytes(whole, rng)
            whole = reseal(whole) if rng.random() < 0.7 else whole
        self._read(whole, door)

    def _read(self, whole: bytes, door: int) -> None:
        source, out = io.BytesIO(whole), io.BytesIO()
        if door == 2:
            check_blocks(source)
        elif door == 3:
            decompress_range(source, out, self._open, 100, 250)
            assert out.getvalue() == DATA[100:250]
        elif door == 4:
            decompress_blocks(source, out, self._open)
            assert out.getvalue() == DATA
        else:
            path = self.folder / "file.stk"
            path.write_bytes(whole)
            with path.open("rb") as file, (self.folder / "out").open("wb") as target:
                salvage(file, target, self._open, unpack=lambda pack: carried(pack).codec)

    def _open(self, header):
        return open_codec(header, warn=lambda text: None)


class _Scripted(io.RawIOBase):
    """A file that takes and gives as many bytes as a script says, or none for now."""

    def __init__(self, script: bytes, content: bytes = b"") -> None:
        self.taken, self._script, self._content = bytearray(), list(script), content
        self._always = os.open(os.devnull, os.O_RDWR)  # ready whenever it is waited for

    def fileno(self) -> int:
        return self._always

    def close(self) -> None:
        if self._always >= 0:
            os.close(self._always)
        self._always = -1
        super().close()

    def _next(self) -> int:
        return self._script.pop(0) if self._script else 255

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def write(self, data) -> int | None:
        step, size = self._next(), memoryview(data).nbytes
        if step == 0:
            return None
        if step == 1:
            count = min(size, self._next() % 5)
            self.taken += bytes(memoryview(data).cast("B")[:count])
            raise BlockingIOError(11, "later", count)
        if step == 2:
            raise OSError(28, "full")
        if step == 3:
            return self._next() - 128 if size else 0  # a count that cannot be, or one that is not true
        count = min(size, step)
        self.taken += bytes(memoryview(data).cast("B")[:count])
        return count

    def readinto(self, buffer) -> int | None:
        step, size = self._next(), memoryview(buffer).nbytes
        if step == 0:
            return None
        if step == 1:
            raise BlockingIOError(11, "later")
        if step == 2:
            raise OSError(5, "no more")
        piece, self._content = self._content[: min(size, step)], self._content[min(size, step) :]
        memoryview(buffer)[: len(piece)] = piece
        return len(piece)


class Streams(Target):
    """K2: whatever a raw file takes and gives at once, all bytes pass, or there is an error."""

    name = "streams"

    def seeds(self) -> list[bytes]:
        return [bytes([7] * 30), bytes([0, 1, 3, 0, 9, 1, 0, 200] * 4), bytes([5, 2]), bytes([0] * 9), b"\x04\x03\x90"]

    def run(self, data: bytes, rng: random.Random) -> None:
        payload = DATA[: rng.choice((1, 7, 100, 379))]
        with _Scripted(data[:200], payload) as raw:
            door = rng.randrange(4)
            try:
                if door == 0:
                    assert write_all(raw, payload) == len(payload)
                elif door == 1:
                    with io.BufferedWriter(Whole(raw, "out"), 16) as buffered:
                        for byte in range(0, len(payload), 13):
                            buffered.write(payload[byte : byte + 13])
                elif door == 2:
                    assert read_up_to(raw, len(payload)) == payload
                    return
                else:
                    assert io.BufferedReader(Whole(raw, "in"), 32).read() == payload
                    return
            except OSError as error:
                if not {2, 3} & set(data[:200]):
                    raise AssertionError("the file had not refused anything") from error
                raise StackcError(str(error)) from error
            if 3 not in data[:200]:  # else it said that it took what it did not
                assert bytes(raw.taken) == payload


class Outputs(Target):
    """K3: hostile neighbours of an output, links among them: what they lead to stays, the output is whole or absent."""

    name = "outputs"

    def seeds(self) -> list[bytes]:
        return [b"name", "ü".encode() * 100, b"n" * 255, b"-rf", b".stackc-0.partial", b"a\nb", b"\xff\xfe"]

    def run(self, data: bytes, rng: random.Random) -> None:
        name = bytes(byte for byte in data if byte not in b"/\0")[:260] or b"x"
        if name in (b".", b".."):
            name = b"x"
        place = self.folder / "here"
        place.mkdir(exist_ok=True)
        victim = self.folder / "victim"
        victim.write_bytes(b"untouched")
        out = Path(os.fsdecode(os.path.join(os.fsencode(place), name)))
        planted = [out, *(out.with_name(out.name[:200] + end) for end in (".partial", ".tmp", "~", ".stackc"))]
        try:
            for one in rng.sample(planted, rng.randrange(3)):
                with contextlib.suppress(OSError):
                    if one != out and rng.random() < 0.3:
                        os.mkfifo(one)
                    else:
                        one.symlink_to(victim)
            fails = rng.random() < 0.3
            try:
                with write_atomically(out, Inherited(())) as file:
                    file.write(data)
                    if fails:
                        raise KeyError
            except KeyError:
                assert not os.path.lexists(out) or out.is_symlink()
            else:
                assert not out.is_symlink()
                assert out.read_bytes() == data
            assert victim.read_bytes() == b"untouched"
            left = [one for one in os.listdir(place) if one.startswith(".stackc-") and one.endswith(".partial")]
            assert set(left) <= {one.name for one in planted}
        finally:
            for one in os.scandir(place):
                os.unlink(one.path)


class Rights(Target):
    """K6: modes and owners of a source: at no moment has the output more of them, and no set-user-ID of another."""

    name = "rights"

    def seeds(self) -> list[bytes]:
        return [bytes(pair) for pair in ((0o04, 0o755 & 255, 0), (0o06, 0o77, 1), (0o01, 0o244, 2), (0, 0, 0))]

    def run(self, data: bytes, rng: random.Random) -> None:
        first, second, third = (data + bytes(3))[:3]
        mode, source, out = (first << 8 | second) & 0o7777, self.folder / "source", self.folder / "out"
        source.write_bytes(data)
        if os.geteuid() == 0 and third & 1:
            os.chown(source, third % 7, third % 5)
        os.chmod(source, mode)
        whole, before = rng.random() < 0.5, source.stat()
        umask = os.umask(rng.choice((0, 0o022, 0o077)))
        try:
            with write_atomically(out, Inherited((before,), whole=whole)) as file:
                file.write(data)
                file.flush()
                (partial,) = self.folder.glob(".stackc-*.partial")
                self._no_wider(partial.stat(), before)
            self._no_wider(out.stat(), before)
            assert out.read_bytes() == data or os.geteuid()
        except ArtifactError:
            assert os.geteuid(), "root may write everywhere"
        finally:
            os.umask(umask)
            for one in (source, out):
                one.unlink(missing_ok=True)

    @staticmethod
    def _no_wider(made: os.stat_result, source: os.stat_result) -> None:
        assert not made.st_mode & 0o777 & ~source.st_mode, f"{made.st_mode:o} of {source.st_mode:o}"
        if made.st_mode & stat.S_ISUID:
            assert source.st_mode & stat.S_ISUID
            assert made.st_uid == source.st_uid
        if made.st_mode & stat.S_ISGID:
            assert source.st_mode & stat.S_ISGID
            assert made.st_gid == source.st_gid


DOORS: list[type[Target]] = [
    *TARGETS, CountedTexts, Recurrent, BitwisePayload, PrimedState, Packs, PieceTables, Subwords, TransformersModels,
    SavedTokenizers, Sweeps, SweepRows, BlocksOfBits, Streams, Outputs, Rights,
]  # fmt: skip
