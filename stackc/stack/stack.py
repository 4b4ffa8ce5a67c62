"""A stack: levels, top model and their recipe, in one folder (docs/concepts.md, "A stack on disk").

manifest.json                 format, recipe, plugins, SHA-256 of every part; written last, contains no times
corpus/<split>/               the text as a symbol store
<level>/counts/               symbol counts of the training text that the level reads
<level>/model/  frozen/       float weights; the integers used for coding
<level>/coder/  dictionary/   a coder's own tables; the compiled level
<level>/tokens/<split>/       the level's tokens of the text: the next level's symbols
<top>/counts/ model/ frozen/
report/report.json            figures of the held-out text
logs/                         metrics.jsonl, TensorBoard events; not part of the stack
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from stackc.api.errors import ArtifactError, CodingError, ContainerError, PluginError, RecipeError, StackcError
from stackc.api.models import Predictor
from stackc.api.windowings import Windowing
from stackc.archive.codec import BlockCodec
from stackc.archive.decoder import decompress_blocks
from stackc.archive.format import MAX_EMBEDDED, MAX_HOST, Header
from stackc.archive.writer import Written, compress
from stackc.coding.dictionary.threads import once
from stackc.coding.documents import row_of_integers
from stackc.coding.host import host
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.bytes_rows import as_bytes
from stackc.parts.registry import registry
from stackc.parts.symbols import outside
from stackc.recipe import Recipe, recipe_from_dict
from stackc.stack.evaluate import Evaluation, evaluate
from stackc.stack.generation.generate import generate
from stackc.stack.manifest import check_parts, checking_parts, highest_level, read_manifest, stack_sha256
from stackc.stack.opening import lanes_for, measured, open_level, open_predictor
from stackc.stack.packed import Unpacked, is_pack, packed
from stackc.stack.runtime import Runtime
from stackc.stack.store import Store
from stackc.stack.streaming import Encode, decode_stream, encode_here, encode_stream

PATH_VARIABLE = "STACKC_PATH"
"""Names folders of stacks, in which `decompress` finds the stack that wrote a file (`stackc.stack.finding`)."""

FILE_CODER = "arithmetic"
"""The coder of the top model in `.stk` files."""


class Stack:
    """A finished stack, opened for coding. Models are loaded when they are first needed.

    Args:
        folder: the stack's folder, or a file that `stackc pack` wrote: it is unpacked into a temporary folder.
        runtime: device, threads, lanes and memory; None: the settings of the recipe's ``[run]``.
        upto: the last level to open; the files of higher levels may be missing. None: all levels; in the folder of a
            saved tokenizer, those that it has.

    Raises:
        ArtifactError: no stack, a damaged stack, or a newer format.
        RecipeError, PluginError: a part that is not installed.

    Attributes:
        place: the folder, or the file, that it was opened from, absolute.
        folder: where its parts are.
    """

    def __init__(self, folder: Path | str | Unpacked, runtime: Runtime | None = None, upto: str | None = None) -> None:
        if not isinstance(folder, Unpacked):
            folder = Unpacked(Path(folder)) if is_pack(Path(folder)) else Path(folder)
        self._unpacked = folder if isinstance(folder, Unpacked) else None  # its folder is there as long as it is
        where = folder.folder if isinstance(folder, Unpacked) else folder
        upto = highest_level(where) if upto is None else upto
        self.manifest = read_manifest(where, upto)
        self.folder = where.absolute()  # models are read later, when the process may have changed its own
        self.place = folder.place or self.folder if isinstance(folder, Unpacked) else self.folder
        named = self.place if self._unpacked is None else Path(self._unpacked.where)
        _check_plugins(named, self.manifest)
        self.recipe: Recipe = self._recipe(named)
        _check_levels(named, self.manifest, self.recipe)
        self._upto = upto
        self._opened = len(self.recipe.levels)
        self._opened = self.level_index(upto)  # an unknown level is an error
        self.runtime = runtime or Runtime.of(self.recipe.run)

    def _recipe(self, named: Path) -> Recipe:
        """The recipe in the manifest. Of a packed stack, an invalid one is an error of one line, like all others."""
        try:
            return recipe_from_dict(self.manifest["recipe"], self.folder)
        except RecipeError as error:
            if self._unpacked is None:
                raise
            raise ArtifactError(f"{named}: its recipe: {'; '.join(error.problems)}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled stack is a folder and a hash: another process opens the same stack, and refuses a changed one."""
        return _reopened, (type(self), self.place, self.runtime, self._upto, self.sha256)

    @property
    def name(self) -> str:
        return self.recipe.stack.name

    @property
    def sha256(self) -> str:
        """The stack's name in `.stk` files: the hash of everything that decoding needs (`stack_sha256`)."""
        return stack_sha256(self.manifest)

    def check_whole(self) -> None:
        """Raise `ArtifactError` if parts above the opened levels, the top model's too, are not there."""
        if self._upto is not None:
            read_manifest(self.folder)

    def own_text(self, split: str, level: str | None = None) -> Store:
        """The text that the stack was built from, as bytes or as the tokens of a level.

        Raises:
            ArtifactError: a packed stack, or one that was handed on without it.
        """
        folder = self.folder / ("corpus" if level is None else f"{level}/tokens") / split
        if not (folder / "store.json").is_file():
            what = "text" if level is None else f"tokens of {level}"
            raise ArtifactError(
                f"{self.place}: has no {what} of its own ({split!r}), as packed stacks do; use the folder in which it "
                "was built"
            )
        return Store(folder)

    @once
    def levels(self) -> list[Level]:
        """The levels, lowest first. Raises `ArtifactError` if a part does not match the manifest."""
        made_levels = self.manifest["levels"][: self._opened]
        for name, compiled in ((made["name"], made["compiled"]) for made in made_levels):
            check_parts(self.folder, self.manifest, name, "coder", *(["dictionary"] if compiled else []))
        levels: list[Level] = []
        for section, made in zip(self.recipe.levels[: self._opened], made_levels, strict=True):
            opened = open_level(
                section,
                self.folder / section.name,
                self.recipe.corpus.segment,
                self.runtime,
                compiled=made["compiled"],
                written_on=made["host"],
                checking=functools.partial(checking_parts, self.folder, self.manifest, section.name, "frozen"),
                again=functools.partial(_level_again, self.place, self.runtime, section.name, self.sha256),
                kept=self._unpacked,
                below=lambda: levels,
            )
            levels.append(opened)
        return levels

    @once
    def top(self) -> Predictor:
        """The frozen top model. Raises `ArtifactError` if a part is missing or does not match the manifest."""
        self.check_whole()
        with checking_parts(self.folder, self.manifest, self.recipe.top.name, "frozen"):
            return open_predictor(self.recipe.top, self.folder / self.recipe.top.name, self.runtime, self._unpacked)

    @property
    def coder_version(self) -> int:
        """`bits_version` of the coder of `.stk` files."""
        return registry().get("coder", FILE_CODER).bits_version

    @once
    def codec(self) -> BlockCodec:
        """The codec of `.stk` files: the levels, then the top model as a level with tokens of eight bits."""
        part = registry().get("coder", FILE_CODER)
        config = part.config()
        _ = self.top  # first: its files are hashed in threads while modules are imported
        top = Level(
            LevelSpec(
                name=self.recipe.top.name,
                alphabet=self.recipe.top.alphabet,
                segment=self.recipe.corpus.segment,
                windowing=Windowing(bits=None, symbols=None, restart="segment"),
                coder=part.factory(config),
                flags=config,
                token_bits=8,
                load_predictor=lambda: self.top,
                lanes=lanes_for(self.recipe.top.alphabet, self.runtime),
                threads=self.runtime.threads,
                memory=self.runtime.memory * 1_000_000,
                whole_documents=True,
            )
        )
        return BlockCodec(self.levels, top)

    def compress(self, source: IO[bytes], target: IO[bytes], **options: Any) -> Written:
        """Read `source` to its end and write it to `target` as a `.stk` file, in bounded memory.

        Args:
            source: a binary stream, also a pipe, a raw file or a non-blocking one.
            target: a binary stream. It is not flushed.
            options: see `stackc.archive.writer.compress`: block_size, verify, modified, embedded, report.
        """
        return compress(self.codec, bytes.fromhex(self.sha256), self.coder_version, source, target, **options)

    def embeddable(self) -> bytes:
        """The stack as one file may carry it: `compress(…, embedded=stack.embeddable())`.

        Raises:
            StackcError: packed, it has more than 2^24 bytes.
        """
        return packed(self.folder, MAX_EMBEDDED)

    def decompress(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Write the original of the `.stk` file `source` to `target`. See `stackc.decompress` for ranges.

        Raises:
            ContainerError: damage, with the block, or a file of another stack. `target` then holds only a part. A
                damaged stack in the file is a warning.
        """
        if damage := decompress_blocks(source, target, self.codec_for).damage:
            warnings.warn(f"{damage}; {self.place} is used", stacklevel=2)

    def codec_for(self, header: Header) -> BlockCodec:
        """The codec for a file, after checking that it decodes here as on the machine that wrote the file.

        Raises:
            ContainerError: another stack; another version of the coder; a model that predicts differently here.
        """
        wanted = header.stack.hex()
        if self.sha256 != wanted:
            raise ContainerError(
                f"written with the stack {wanted[:16]}…; {self.place} is {self.sha256[:16]}…: give the stack that "
                f"wrote it, or omit --stack to search {PATH_VARIABLE} and ./runs"
            )
        if header.coder != self.coder_version:
            raise ContainerError(
                f"coded with version {header.coder} of the coder 'arithmetic'; the installed version "
                f"{self.coder_version} cannot read it: install the stackc that wrote it"
            )
        codec = self.codec
        here = host(header.portability).encode()[:MAX_HOST].decode(errors="replace")
        if codec.portability != header.portability or here != header.host:
            raise ContainerError(
                f"its models' predictions are {header.portability}, and it was written on "
                f"{header.host or 'any machine'}; here they are {codec.portability}, on "
                f"{here or host('same-machine')}: decode it there"
            )
        return codec

    def level_index(self, name: str | None) -> int:
        """The number of levels up to and including `name`; None: all levels.

        Raises:
            StackcError: no such level, or one above those that are opened.
        """
        names = [section.name for section in self.recipe.levels]
        if name is not None and name not in names:
            raise StackcError(f"{self.place}: no level {name!r}; its levels are {', '.join(names)}")
        index = len(names) if name is None else names.index(name) + 1
        if index > self._opened:
            raise StackcError(
                f"{self.place}: here are the levels up to {self._upto} alone, as a tokenizer's folder has them: name "
                f"{self._upto} as the level, or use the whole stack for {names[index - 1]}"
            )
        return index

    def token_alphabet(self, level: str | None = None) -> int:
        """The alphabet of a level's tokens; None: of the last level's, or of bytes if there are no levels."""
        chosen = self.levels[: self.level_index(level)]
        return chosen[-1].token_alphabet if chosen else 256

    def encode(self, data: bytes, level: str | None = None) -> npt.NDArray[np.unsignedinteger[Any]]:
        """The tokens of some bytes, treated as one document.

        Args:
            data: any bytes.
            level: the level whose tokens are returned; None: the last.
        """
        symbols: npt.NDArray[Any] = np.frombuffer(data, np.uint8)
        for one in self.levels[: self.level_index(level)]:
            symbols = one.encode(symbols).tokens
        return symbols

    def encode_stream(
        self,
        pieces: Iterable[bytes],
        level: str | None = None,
        encode: Encode = encode_here,
    ) -> Iterator[npt.NDArray[Any]]:
        """The tokens of one document given in pieces, in constant memory; the same as `encode` of the whole document.

        Args:
            encode: where groups of segments are encoded, here or on the workers of a Ray cluster
                (`stackc.pipeline.engines.remote.encoding_on`); speed only.
        """
        return encode_stream(self.levels[: self.level_index(level)], pieces, encode)

    def decode_stream(
        self, pieces: Iterable[npt.NDArray[np.integer]], level: str | None = None, ignored: list[int] | None = None
    ) -> Iterator[bytes]:
        """The bytes of tokens given in pieces; memory is constant if every level's windows decode independently.

        Args:
            ignored: at the end, receives the counts of ignored tokens, see `decode_counting`.
        """
        levels = self.levels[: self.level_index(level)]
        return decode_stream(levels, pieces, [] if ignored is None else ignored)

    def decode(self, tokens: npt.NDArray[np.integer], level: str | None = None) -> bytes:
        """The bytes of some tokens of a level. `decode(encode(data)) == data`.

        Raises:
            CodingError: a token out of range, or tokens that do not decode (coders that are not total).
        """
        return self.decode_counting(tokens, level)[0]

    def decode_counting(self, tokens: npt.NDArray[np.integer], level: str | None = None) -> tuple[bytes, int]:
        """Same as `decode`, with the number of tokens of incomplete last codes that were ignored, at all levels."""
        levels = self.levels[: self.level_index(level)]
        symbols = row_of_integers(tokens, str(self.place), "tokens")
        ignored = 0
        for one in reversed(levels):
            back = one.decode(symbols)
            symbols, ignored = back.symbols, ignored + back.ignored
        if not levels and (strange := outside(symbols, 256)) is not None:
            raise CodingError(f"{self.place}: {strange} is not a byte, and without levels tokens are bytes")
        # Without levels they are the caller's own.
        return as_bytes(symbols) if levels else symbols.astype(np.uint8).tobytes(), ignored

    def generate(self, prompt: bytes, *, tokens: int = 64, temperature: float = 1.0, seed: int = 0) -> bytes:
        """Text that starts with `prompt` and is continued by the top model (`stackc.stack.generation.generate`)."""
        return generate(
            self.levels, self.top, self.recipe.corpus.segment, prompt, tokens=tokens, temperature=temperature, seed=seed
        )

    def evaluate(self, documents: list[bytes], report: Callable[[str], None] = lambda stage: None) -> Evaluation:
        """The figures of every level on held-out documents, with a verified round trip.

        Raises:
            StackcError: a packed stack, which has no counts of the training text to compare with.
        """
        if self._unpacked is not None:
            raise StackcError(
                f"{self.place}: a packed stack holds what coding needs and cannot be measured: name a folder"
            )
        self.check_whole()
        return evaluate(measured(self.recipe, self.folder, self.levels, lambda: self.top), documents, report)


def load(folder: str | Path) -> Stack:
    """Open a finished stack.

    Args:
        folder: its folder, or a file that `stackc pack` wrote.

    Raises:
        ArtifactError: no stack, a damaged stack, or a newer format.
        PluginError: a part whose plugin is not installed.
    """
    return Stack(folder)


def _reopened(kind: type[Stack], folder: Path, runtime: Runtime, upto: str | None, sha256: str) -> Stack:
    """A stack that was pickled. Raises `ArtifactError` if its folder now holds another."""
    stack = kind(folder, runtime, upto)
    if stack.sha256 != sha256:
        raise ArtifactError(
            f"{folder}: the stack was {sha256[:16]}… when it was pickled and is {stack.sha256[:16]}… now: load it again"
        )
    return stack


def _level_again(folder: Path, runtime: Runtime, name: str, sha256: str) -> Level:
    return _reopened(Stack, folder, runtime, name, sha256).levels[-1]


def _check_plugins(folder: Path, manifest: dict[str, Any]) -> None:
    """Raise `PluginError` unless every part that the stack was built with is installed, with the same bits."""
    for chosen, made_by in manifest["plugins"].items():
        kind, name = chosen.split(" ", 1)
        # "": the plugin was given to the registry as an object.
        wanted = f"{made_by['distribution']}=={made_by['version']}" if made_by["distribution"] else ""
        part = registry().find(kind, name)
        if part is None:
            raise PluginError(f"{folder}: {registry().missing(kind, name, wanted)}")
        if part.bits_version != made_by["bits_version"]:
            get = f"pip install {wanted}" if wanted else f"use the plugin {made_by['plugin']!r} that it was built with"
            raise PluginError(
                f"{folder}: built with bits_version {made_by['bits_version']} of the {kind} {name!r}; the installed "
                f"bits_version {part.bits_version} cannot read it: {get}, or build the stack again"
            )


def _check_levels(folder: Path, manifest: dict[str, Any], recipe: Recipe) -> None:
    """Raise `ArtifactError` unless the manifest lists the recipe's levels."""
    listed = [(made["name"], made["alphabet"], made["token_alphabet"]) for made in manifest["levels"]]
    if listed != [(section.name, section.alphabet, section.token_alphabet) for section in recipe.levels]:
        raise ArtifactError(f"{folder}: the levels in the manifest do not match the recipe; build the stack again")
