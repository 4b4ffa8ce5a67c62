"""Bad parts: each breaks one rule, and the error names the level, the part and the rule. Nothing of it is kept."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest
from click.testing import CliRunner

import stackc.parts.registry
from recipes_of_tests import HEAD, TEXT, level
from registered import coder
from stackc.api import TOTAL, CodingError, Cost, PluginError, Register, Windowing, bits, hookimpl
from stackc.api.errors import PartError
from stackc.cli import main
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.coding.verify import MOST_CODED, prove
from stackc.parts.checked import EVERY, FIRST, GuardedPredictor, GuardedReader
from stackc.parts.part import Source
from stackc.parts.registry import installed
from stackc.testing.windowings import PlainCoder, PlainDecoder, PlainEncoder
from toys import ToyPredictor

WHO = "M1: coder 'bad' (plugin 'bad-parts', stackc-bad 0.1)"
DOCUMENT = np.arange(300) % 7


# -- predictors


class Guarded(ToyPredictor):
    """Right, until `wrong` changes an answer."""

    def wrong(self, rows: Any) -> Any:
        return rows

    def step(self, state: Any, symbols: Any) -> Any:
        return self.wrong(super().step(state, symbols))


class Zero(Guarded):
    def wrong(self, rows: Any) -> Any:
        rows[:, 1], rows[:, 0] = rows[:, 1] + rows[:, 0], 0
        return rows


class Short(Guarded):
    def wrong(self, rows: Any) -> Any:
        rows[:, 0] += 1
        return rows


class Floats(Guarded):
    def wrong(self, rows: Any) -> Any:
        return rows / TOTAL


class Narrow(Guarded):
    def wrong(self, rows: Any) -> Any:
        return rows[:, 1:]


class LaneDependent(Guarded):
    """Says that it is portable, but answers by how many lanes there are: as sums of floats do."""

    def wrong(self, rows: Any) -> Any:
        if len(rows) > 1:
            rows[:, 0], rows[:, 1] = rows[:, 0] + 1, rows[:, 1] - 1
        return rows


class ScoresOtherwise(ToyPredictor):
    def score(self, segment: Any, restarts: Any = None) -> Iterator[Any]:
        for rows in super().score(segment, restarts):
            rows[:, 0], rows[:, 1] = rows[:, 0] + 1, rows[:, 1] - 1
            yield rows


class ScoresLess(ToyPredictor):
    def score(self, segment: Any, restarts: Any = None) -> Iterator[Any]:
        yield from super().score(segment[:-1], restarts)


def tried(level: Level, symbols: Any) -> Any:
    """Encode as a build does: a trial, then the text."""
    prove(level, symbols)
    return level.encode(symbols)


def guarded(inner: ToyPredictor) -> GuardedPredictor:
    return GuardedPredictor(inner, 7, "M1: model 'toy' (plugin 'toys')")


def stepped(inner: ToyPredictor, restart: Any = "window") -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=100,
            windowing=Windowing(bits=16, symbols=50, restart=restart),
            **coder("arithmetic"),
            token_bits=16,
            load_predictor=lambda: guarded(inner),
        )
    )


@pytest.mark.parametrize(
    ("inner", "rule"),
    [
        (Zero(7), "a frequency of 0; every symbol needs a count of at least 1"),
        (Short(7), f"frequencies that sum to {TOTAL + 1}, expected 2\\^24"),
        (Floats(7), "frequencies of type float64, expected uint32"),
        (Narrow(7), r"frequencies of shape \(1, 6\), expected \(lanes, 7\)"),
        (
            LaneDependent(7),
            "says that it is portable, yet its predictions among other lanes differ from those alone at symbol 0",
        ),
        (
            ScoresOtherwise(7),
            "says that it is portable, yet its predictions by scoring differ from those alone at symbol 0",
        ),
        (ScoresLess(7), "score gave 15 rows for a segment of 16 symbols"),
    ],
)
@pytest.mark.parametrize("restart", ["window", "segment"])
def test_a_bad_predictor_is_named_before_anything_is_coded(inner: ToyPredictor, rule: str, restart: str) -> None:
    made = stepped(inner, restart)
    for _ in range(2):  # and again
        with pytest.raises(PartError, match=rf"^M1: model 'toy' \(plugin 'toys'\): {rule}"):
            tried(made, DOCUMENT)


def test_a_right_predictor_passes_and_codes_as_without_the_guard() -> None:
    plain = stepped(ToyPredictor(7))
    plain = Level(attrs.evolve(plain.spec, load_predictor=lambda: ToyPredictor(7)))
    made = stepped(ToyPredictor(7))
    assert made.encode(DOCUMENT).tokens.tolist() == plain.encode(DOCUMENT).tokens.tolist()
    assert isinstance(made.spec.predictor, GuardedPredictor)
    assert hasattr(made.spec.predictor, "score")
    assert not hasattr(made.spec.predictor, "pick")


def test_what_does_not_claim_to_be_portable_may_answer_otherwise_among_lanes() -> None:
    inner = LaneDependent(7)
    inner.portability = "same-build"
    made = stepped(inner)
    coded = tried(made, DOCUMENT)
    assert made.decode(coded.tokens).symbols.tolist() == DOCUMENT.tolist()


def test_a_predictor_that_goes_wrong_later_is_found_by_looking_now_and_then() -> None:
    class Later(Guarded):
        calls = 0

        def wrong(self, rows: Any) -> Any:
            self.calls += 1
            if self.calls > 2 * FIRST:
                rows[:, 0] += 1
            return rows

    made = guarded(Later(7))
    state = made.start(2)
    inputs = np.full(2, -1, np.int64)
    made.step(state, inputs)

    def go_on() -> None:
        for _ in range(2 * FIRST + EVERY):
            made.step(state, np.zeros(2, np.int64))

    with pytest.raises(PartError, match="frequencies that sum to"):
        go_on()


def test_a_predictor_of_another_alphabet_or_portability() -> None:
    with pytest.raises(PartError, match="has an alphabet of 6 symbols; the level reads one of 7"):
        guarded(ToyPredictor(6))
    inner = ToyPredictor(7)
    inner.portability = "anywhere"  # type: ignore[assignment]
    with pytest.raises(PartError, match="a portability of 'anywhere'; there are 'portable', 'same-build'"):
        guarded(inner)


# -- coders


class Bad(PlainCoder):
    """The plain coder of the suites, with some of its classes replaced."""

    def __init__(self, encoder: Any = PlainEncoder, decoder: Any = PlainDecoder, ends: bool = True) -> None:
        self._made, self.ends = (encoder, decoder), ends  # type: ignore[misc]

    def encoder(self, window: Any) -> Any:
        return self._made[0](window)

    def decoder(self, window: Any, bits: Any) -> Any:
        return self._made[1](window, bits)


class OverBudget(PlainEncoder):
    def close(self, full: bool) -> tuple[int, int]:
        value, bits = super().close(full)
        return value << 1, bits + 1


class TooLarge(PlainEncoder):
    def close(self, full: bool) -> tuple[int, int]:
        value, bits = super().close(full)
        return value | 1 << bits, bits


class Refuses(PlainEncoder):
    def add(self, freqs: Any, symbol: int) -> bool:
        return symbol != 3 and super().add(freqs, symbol)


class Above(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return symbol if symbol is None else symbol + 7


class Below(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return symbol if symbol is None else symbol - 7


class Loses(PlainDecoder):
    """Ends every window a symbol early."""

    def next(self, freqs: Any) -> int | None:
        return None if self._read >= 6 else super().next(freqs)


class Other(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return 0 if symbol == 5 else symbol


class TakesNothing(PlainDecoder):
    def used(self, full: bool) -> int:
        return 0


class Raises(PlainDecoder):
    def next(self, freqs: Any) -> int | None:
        raise CodingError("damaged")


@pytest.mark.parametrize(
    ("made", "bits", "rule"),
    [
        (Bad(OverBudget), 16, "close gave a code of 17 bits; every window has exactly 16"),
        (Bad(TooLarge), 16, "close gave a value that does not fit in the 16 bits that it says"),
        (Bad(TooLarge), None, "close gave a value that does not fit in the "),
        (Bad(Refuses), 16, "add refused the first symbol of a window; one symbol must always fit"),
        (Bad(decoder=Above), 16, "next gave symbol 7, outside the alphabet of 7"),
        (Bad(decoder=Below), 16, "next gave symbol -7, outside the alphabet of 7"),
        (Bad(decoder=Loses), 16, "64 symbols decode to 26; decoding must restore all of them"),
        (Bad(decoder=Loses, ends=False), None, "next ended a window with 28 symbols still to come"),
        (Bad(decoder=Other), 16, "symbol 5 decodes to 0, at position 5"),
        (Bad(decoder=TakesNothing), 16, "used returned 0 tokens for a window, and 2 were left"),
        (Bad(decoder=Raises), 16, r"does not decode its own output \(damaged\)"),
    ],
)
def test_a_bad_coder_is_named_before_anything_is_kept(made: Any, bits: int | None, rule: str) -> None:
    with pytest.raises(PartError, match=rf"^{WHO.replace('(', '[(]').replace(')', '[)]')}: {rule}"):
        tried(plain(made, bits), DOCUMENT)


def plain(coder: Any, bits: int | None) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=100,
            windowing=Windowing(bits=bits, symbols=30),
            coder=coder,
            token_bits=8,
            coder_name=WHO,
        )
    )


def test_a_bad_decoder_is_named_where_files_are_read_too() -> None:
    tokens = plain(Bad(), 16).encode(DOCUMENT).tokens
    for decoder, rule in ((Above, "outside the alphabet of 7"), (TakesNothing, "every window has at least one")):
        with pytest.raises(PartError, match=rule):
            plain(Bad(decoder=decoder), 16).decode(tokens)


class BadLanes(PlainCoder):
    """Tier 2 of its own, which tokens pass through unchecked by the adapter."""

    def __init__(self, spoil: Any) -> None:
        self.spoil = spoil

    def lane_encoder(self, window: Any, lanes: int) -> Any:
        from stackc.parts.lanes import AdaptedLaneEncoder

        made, spoil = AdaptedLaneEncoder(PlainCoder(), PlainCoder(), window, lanes), self.spoil

        class Lanes:
            add = staticmethod(made.add)

            def close(self, chosen: Any, full: Any) -> Any:
                return spoil(*made.close(chosen, full))

        return Lanes()


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda tokens, counts: (tokens + 256, counts), "a token outside the alphabet of 256"),
        (lambda tokens, counts: (np.repeat(tokens, 2), 2 * counts), "every window has 16 bits, 2 tokens"),
    ],
)
def test_bad_lanes_are_named(spoil: Any, rule: str) -> None:
    made = plain(BadLanes(spoil), 16)
    with pytest.raises(PartError, match=rule):
        tried(made, DOCUMENT)


# -- windowings


@pytest.mark.parametrize(
    ("cuts", "said"),
    [
        (lambda segment: segment, r"int64\[100\]"),
        (lambda segment: np.zeros(3, np.bool_), r"bool\[3\]"),
        (lambda segment: [True] * len(segment), "list"),
    ],
)
def test_bad_cuts_are_named(cuts: Any, said: str) -> None:
    made = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=100,
            windowing=Windowing(bits=16, cuts=cuts),
            coder=PlainCoder(),
            token_bits=8,
            windowing_name="M1: windowing 'bad' (plugin 'bad-parts')",
        )
    )
    with pytest.raises(PartError, match=rf"^M1: windowing 'bad' .*: cuts of 100 symbols are {said}, not bool\[n\]"):
        tried(made, DOCUMENT)


# -- files


def top(predictor: Any) -> Level:
    return Level(
        LevelSpec(
            name="M1",
            alphabet=256,
            segment=100,
            windowing=Windowing(bits=None, symbols=None, restart="segment"),
            **coder("arithmetic"),
            token_bits=8,
            load_predictor=lambda: predictor,
        )
    )


def test_a_bad_model_of_files_is_named_too() -> None:
    predictor = GuardedPredictor(Short(256), 256, "M1: model 'toy' (plugin 'toys')")
    text = b"some text " * 30
    with pytest.raises(PartError, match=r"^M1: model 'toy'"):
        prove(top(predictor), np.frombuffer(text, np.uint8))
    assert issubclass(PartError, PluginError), "a plugin's fault, not damage"


# -- through a recipe


@attrs.frozen(kw_only=True)
class CoderConfig:
    bits_version: ClassVar[int] = 1
    budget: ClassVar[bool] = True
    ends: ClassVar[bool] = True
    total: ClassVar[bool] = False
    needs_model: ClassVar[bool] = False
    size: int = bits(1, help="a size")


class Late(PlainDecoder):
    """Right in what is tried first, and wrong after it."""

    def next(self, freqs: Any) -> int | None:
        symbol = super().next(freqs)
        return 0 if symbol is not None and self._read > MOST_CODED * self._size else symbol


@attrs.frozen(kw_only=True)
class ModelConfig:
    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None

    def cost(self, alphabet: int, settings: None) -> Cost:
        return Cost(parameters=0)


class ToyBackend:
    def train(self, task: Any) -> None:
        pass

    def freeze(self, trained: Path, folder: Path, alphabet: int) -> None:
        pass

    def load(self, folder: Path, alphabet: int, device: Any) -> Any:
        return LaneDependent(alphabet)


class BreakingBackend(ToyBackend):
    def load(self, folder: Path, alphabet: int, device: Any) -> Any:
        raise RuntimeError("no such weights")


def missing(config: Any) -> Any:
    import nowhere_at_all

    return nowhere_at_all


def bad_parts() -> types.ModuleType:
    @hookimpl
    def stackc_register_coders(register: Register) -> None:
        register("bad", lambda config: Bad(decoder=Loses), CoderConfig, "loses symbols")
        register("late", lambda config: Bad(decoder=Late), CoderConfig, "loses what comes late")
        register("absent", missing, CoderConfig, "cannot be imported")

    @hookimpl
    def stackc_register_models(register: Register) -> None:
        register("breaks", lambda config: BreakingBackend(), ModelConfig, "does not load")
        register("liar", lambda config: ToyBackend(), ModelConfig, "says that it is portable")

    module = types.ModuleType("bad_parts")
    vars(module).update(stackc_register_coders=stackc_register_coders, stackc_register_models=stackc_register_models)
    return module


@pytest.fixture
def bad_plugin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    found = [
        *installed(),
        Source(plugin="bad-parts", distribution="stackc-bad", version="0.1", load=bad_parts),
    ]
    monkeypatch.setattr(stackc.parts.registry, "installed", lambda: found)
    stackc.parts.registry.registry.cache_clear()
    yield
    stackc.parts.registry.registry.cache_clear()


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        (level("M1", 'kind = "equal-info"\nbits = 32', "bad", 8), f"{WHO}: 64 symbols decode to "),
        (
            level("M1", 'kind = "whole"', "arithmetic", 8, 'backend = "liar"'),
            "M1: model 'liar' (plugin 'bad-parts', stackc-bad 0.1): says that it is portable, yet its "
            "predictions among other lanes differ from those alone at symbol 0; portable means the same bits however "
            "it is asked, else say 'same-build' or 'same-machine'",
        ),
        (
            level("M1", 'kind = "equal-info"\nbits = 16', "absent", 8),
            "M1: coder 'absent' (plugin 'bad-parts', stackc-bad 0.1) needs a package that cannot be imported: No "
            "module named 'nowhere_at_all'; install it",
        ),
    ],
)
def test_a_build_ends_in_one_line_that_names_them(tmp_path: Path, bad_plugin: None, tables: str, message: str) -> None:
    done = build_in(tmp_path, tables)
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "built" / "manifest.json").exists()
    assert not list((tmp_path / "built").rglob("tokens/train/symbols.bin"))


# -- what no part should do at all


class Breaks(Bad):
    """A coder whose methods raise, or give what is none of its kind; `mode` says which."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def encoder(self, window: Any) -> Any:
        made, mode = PlainEncoder(window), self.mode

        class Encoder:
            def add(self, freqs: Any, symbol: int) -> bool:
                if mode == "add":
                    raise ZeroDivisionError("division by zero")
                return made.add(freqs, symbol) and not (mode == "full" and symbol == 5)

            def close(self, full: bool) -> Any:
                value, bits = made.close(full)
                if mode == "numpy":
                    return np.uint64(value), np.int64(bits)
                return None if mode == "close" else (value, bits)

        return Encoder()

    def decoder(self, window: Any, bits: Any) -> Any:
        if self.mode == "decoder":
            raise KeyError("table")
        made, mode = PlainDecoder(window, bits), self.mode

        class Decoder:
            def next(self, freqs: Any) -> Any:
                return "a" if mode == "next" else made.next(freqs)

            def used(self, full: bool) -> Any:
                return {"used": None, "huge": 1 << 70, "more": made.used(full) + 8}.get(mode, made.used(full))

        return Decoder()


@pytest.mark.parametrize(
    ("mode", "rule"),
    [
        ("add", "add raised ZeroDivisionError: division by zero"),
        ("full", "add refused a symbol, and its windows have no bit budget; every symbol must fit"),
        ("close", "close raised TypeError: "),
        ("decoder", "its decoder raised KeyError: table"),
        ("next", "next raised TypeError: 'str' object cannot be interpreted as an integer"),
        ("used", "used raised TypeError: 'NoneType' object cannot be interpreted as an integer"),
        ("huge", "201 symbols decode to 100; decoding must restore all of them"),
        ("more", "201 symbols decode to "),
    ],
)
def test_a_coder_that_breaks_is_named(mode: str, rule: str) -> None:
    """Windows longer than 64 symbols: two of them are tried, so that what `used` says is put to use."""
    made = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=300,
            windowing=Windowing(symbols=100),
            coder=Breaks(mode),
            token_bits=8,
            coder_name=WHO,
        )
    )
    with pytest.raises(PartError, match=rf"^{re.escape(WHO)}: {re.escape(rule)}") as caught:
        tried(made, DOCUMENT)
    assert str(caught.value).count("\n") == 0


def test_integers_of_numpy_will_do() -> None:
    made = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=20,
            windowing=Windowing(symbols=5),
            coder=Breaks("numpy"),
            token_bits=8,
        )
    )
    assert made.decode(made.encode(DOCUMENT[:20]).tokens).symbols.tolist() == DOCUMENT[:20].tolist()


class Predictorless:
    portability = "portable"


class Answers(ToyPredictor):
    def __init__(self, answer: Any) -> None:
        super().__init__(7)
        self.answer = answer

    def step(self, state: Any, symbols: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_what_is_no_predictor_or_no_answer_is_named() -> None:
    with pytest.raises(PartError, match=r"load gave a NoneType without alphabet, portability, start, step$"):
        guarded(None)  # type: ignore[arg-type]
    with pytest.raises(PartError, match=r"load gave a Predictorless without alphabet, start, step$"):
        guarded(Predictorless())  # type: ignore[arg-type]
    for answer, rule in (
        (None, "step gave a NoneType; frequencies are uint32"),
        ([[1]], "step gave a list"),
        (np.ones(7, np.uint32), r"step gave an array of shape \(7,\)"),
        (ValueError("no idea"), r"step raised ValueError: no idea \(STACKC_TRACEBACK=1 shows where\)"),
    ):
        with pytest.raises(PartError, match=rf"^M1: model 'toy' \(plugin 'toys'\): {rule}"):
            stepped(Answers(answer)).encode(DOCUMENT)


def test_files_and_memory_are_not_the_fault_of_a_part() -> None:
    for error in (OSError(28, "No space left on device"), MemoryError(), CodingError("as it is")):
        with pytest.raises(type(error)) as caught:
            stepped(Answers(error)).encode(DOCUMENT)
        assert caught.value is error


@attrs.frozen
class ToyReader:
    given: Any

    def documents(self, split: str) -> Any:
        return self.given[0]

    def fingerprint(self, split: str) -> Any:
        return self.given[1]


def test_a_reader_gives_bytes_and_a_fingerprint() -> None:
    def raising() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("torn")

    for documents, rule in (
        (["text"], "documents gave a str; every document is bytes"),
        ([b"a", None], "documents gave a NoneType"),
        (None, "documents raised TypeError: 'NoneType' object is not iterable"),
        (raising(), "documents raised ValueError: torn"),
    ):
        with pytest.raises(PartError, match=f"^corpus: {rule}"):
            list(GuardedReader(ToyReader((documents, "x")), "corpus").documents("train"))
    for fingerprint in (None, 5, ""):
        with pytest.raises(PartError, match=f"^corpus: fingerprint gave {fingerprint!r}"):
            GuardedReader(ToyReader(((), fingerprint)), "corpus").fingerprint("train")
    right = GuardedReader(ToyReader((iter([b"a", b""]), "x")), "corpus")
    assert (list(right.documents("test")), right.fingerprint("test")) == ([b"a", b""], "x")


def test_cuts_cannot_change_the_text() -> None:
    def cuts(symbols: Any) -> Any:
        symbols[:] = 0
        return np.zeros(len(symbols), np.bool_)

    made = attrs.evolve(Windowing(symbols=5), cuts=cuts)
    document = DOCUMENT.copy()
    one = Level(
        LevelSpec(
            name="M1",
            alphabet=7,
            segment=20,
            windowing=made,
            coder=Bad(),
            token_bits=8,
            windowing_name="W",
        )
    )
    with pytest.raises(PartError, match=r"^W: cuts raised ValueError: assignment destination is read-only"):
        tried(one, document)
    assert document.tolist() == DOCUMENT.tolist()


@pytest.mark.parametrize("change", [{"restart": "never"}, {"bits": 1.5}, {"symbols": "7"}, {"cuts": 5}])
def test_a_windowing_is_checked_when_it_is_made(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Windowing(**change)


# -- two processes


PLUGIN = """
import os
from typing import ClassVar
import attrs, numpy as np
from stackc.api import Cost, Register, bits, hookimpl, normalise

@attrs.frozen(kw_only=True)
class Config:
    bits_version: ClassVar[int] = 1
    train: ClassVar[None] = None
    honest: bool = bits(True, help="whether answers are those of every process")
    def cost(self, alphabet, settings):
        return Cost(parameters=0)

class Model:
    portability = "portable"
    def __init__(self, honest, alphabet):
        self.alphabet = alphabet
        self.row = np.ones(alphabet, np.int64) + (0 if honest else hash("tea") % 97 * (np.arange(alphabet) == 32))
    def start(self, lanes):
        return lanes
    def step(self, state, symbols):
        return normalise(np.tile(self.row, (len(symbols), 1)))

class Backend:
    def __init__(self, config):
        self.config = config
    def train(self, task):
        pass
    def freeze(self, trained, folder, alphabet):
        (folder / "honest").touch()
    def load(self, folder, alphabet, device):
        return Model(self.config.honest, alphabet)

@hookimpl
def stackc_register_models(register: Register):
    register("hasty", Backend, Config, "depends on hash()")
"""


def test_a_model_that_depends_on_its_process_is_found_by_another(tmp_path: Path) -> None:
    """An installed plugin, as a folder on the path with its entry point beside it."""
    package = tmp_path / "site"
    (package / "hasty-1.0.dist-info").mkdir(parents=True)
    (package / "hasty_model.py").write_text(PLUGIN)
    (package / "hasty-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: hasty\nVersion: 1.0\n")
    (package / "hasty-1.0.dist-info/entry_points.txt").write_text("[stackc]\nhasty = hasty_model\n")
    for name in ("train-a", "valid", "test"):
        (tmp_path / f"{name}.txt").write_text(TEXT)
    tables = level("M1", 'kind = "whole"', "arithmetic", 8, 'backend = "hasty"\nhonest = HONEST')
    recipe = HEAD.format(name="hasty", segment=200) + tables + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONHASHSEED": "7"}
    for honest in ("true", "false"):
        (tmp_path / "recipe.toml").write_text(recipe.replace("HONEST", honest))
        command = [sys.executable, "-m", "stackc", "build", "recipe.toml", "--out", honest, "--quiet"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (honest == "true"), done.stderr
        assert (tmp_path / honest / "manifest.json").exists() == (honest == "true")
    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: M1: model 'hasty' (plugin 'hasty', hasty 1.0): another process cannot decode the output of this one; "
    )
    assert done.stderr.count("\n") == 1


def test_without_held_out_text_the_training_text_is_tried(tmp_path: Path, bad_plugin: None) -> None:
    (tmp_path / "train-a.txt").write_text(TEXT * 10)
    tables = level("M1", 'kind = "whole"', "late", 8)
    recipe = HEAD.format(name="late", segment=2000) + tables + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    recipe = recipe.replace('valid = "valid.txt"\ntest = "test.txt"\n', "")
    (tmp_path / "recipe.toml").write_text(recipe)
    arguments = ["build", str(tmp_path / "recipe.toml"), "--out", str(tmp_path / "built"), "--quiet"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2, done.output
    assert "coder 'late'" in done.stderr
    assert "no stack is written" in done.stderr
    assert not (tmp_path / "built" / "manifest.json").exists()


def build_in(folder: Path, tables: str, name: str = "built") -> Any:
    """`stackc build` of a recipe with these levels over a small text."""
    for split in ("train-a", "valid", "test"):
        (folder / f"{split}.txt").write_text(TEXT)
    recipe = HEAD.format(name="bad", segment=200) + tables + '[top]\nname = "M2"\n[top.model]\nbackend = "unigram"\n'
    (folder / "recipe.toml").write_text(recipe)
    return CliRunner().invoke(main, ["build", str(folder / "recipe.toml"), "--out", str(folder / name), "--quiet"])


def test_what_is_not_installed_is_said_before_the_corpus_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # importing it is an ImportError
    done = build_in(
        tmp_path, '[[level]]\nname = "M1"\n[level.windowing]\nkind = "whole"\n[level.coder]\nkind = "bpe"\n'
    )
    assert done.exit_code == 2
    assert done.stderr.startswith("error: M1: part bpe needs tokenizers")
    assert 'pip install "stackc[bpe]"' in done.stderr
    assert not (tmp_path / "built" / "corpus").exists()


def test_the_traceback_of_a_part_is_shown_on_request(
    tmp_path: Path, bad_plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = level("M1", 'kind = "whole"', "arithmetic", 8, 'backend = "breaks"')
    quiet = build_in(tmp_path, tables)
    monkeypatch.setenv("STACKC_TRACEBACK", "1")
    loud = build_in(tmp_path, tables)
    line = (
        "error: M1: model 'breaks' (plugin 'bad-parts', stackc-bad 0.1): load raised RuntimeError: no such weights "
        "(STACKC_TRACEBACK=1 shows where)\n"
    )
    assert quiet.stderr == line
    assert loud.stderr.endswith(line)
    assert 'raise RuntimeError("no such weights")' in loud.stderr
    assert quiet.exit_code == loud.exit_code == 2
