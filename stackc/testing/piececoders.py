"""What every piece coder must keep (`stackc.api.PieceCoder`), as tests to subclass.

class TestMyCoder(PieceCoderContract):
    config = MyConfig

    def make(self, vocabulary):
        return MyCoder(vocabulary)
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api.arrays import Symbols
from stackc.api.errors import StackcError
from stackc.api.frequencies import normalise
from stackc.api.models import Predictor, Text
from stackc.api.offsets import offsets_of
from stackc.api.windowings import Window, Windowing
from stackc.coding.level import Level
from stackc.coding.spec import LevelSpec
from stackc.parts.abilities import is_fitted_under_model, joins_pieces
from stackc.testing.driving import TablePredictor, declared
from stackc.testing.sharing import Job, check_shared

_FITTED: dict[type, Any] = {}


class PieceCoderContract:
    """The tests: whatever the symbols are, the pieces of a window, joined, are the window.

    Attributes:
        config: see `CoderContract`.
        alphabet: of the symbols.
        vocabulary: V to ask for.
        window, lanes: for a coder that is fitted under a model (`stackc.api.FittedUnderModel`): symbols in a window of
            the training text at most, and texts to step side by side.
        seed: of all random choices.
    """

    config: ClassVar[Any] = None
    alphabet: ClassVar[int] = 256
    vocabulary: ClassVar[int] = 400
    window: ClassVar[int] = 12
    lanes: ClassVar[int] = 8
    seed: ClassVar[int] = 0

    def predictor(self) -> Predictor:
        """The model that a coder which asks for one is fitted under."""
        weights = np.bincount(self.text(), minlength=self.alphabet).astype(np.int64)
        return TablePredictor(np.tile(normalise(weights), (self.alphabet + 1, 1)))

    def make(self, vocabulary: int) -> Any:
        """A fresh coder with this many tokens, not fitted. To be written by the subclass."""
        raise NotImplementedError

    def text(self) -> Symbols:
        """The training text. For bytes this is a kind of English; override it for other symbols."""
        words = np.array([b"the ", b"of ", b"wind", b"ows ", b"\n", b"coded, ", b"caf\xc3\xa9 "], object)
        picked = np.random.default_rng([self.seed, 1]).integers(0, len(words), 3000)
        return np.frombuffer(b"".join(words[picked].tolist()), np.uint8)

    def fitted(self) -> Any:
        """A coder that has loaded the tables of another one, which was fitted."""
        if type(self) not in _FITTED:
            with tempfile.TemporaryDirectory() as folder:
                self.fit(Path(folder))
                coder = self.make(self.vocabulary)
                coder.load(Path(folder))
            _FITTED[type(self)] = coder
        return _FITTED[type(self)]

    def fit(self, folder: Path) -> None:
        text = self.text()
        third = len(text) // 3
        offsets = np.array([0, third, third, len(text)], np.int64)
        train = Text(symbols=text, offsets=offsets, source_bytes=len(text))
        coder = self.make(self.vocabulary)
        if not is_fitted_under_model(coder):
            coder.fit(train, self.alphabet, folder)
            return
        window = Window(alphabet=self.alphabet, bits=None, symbols=self.window, token_bits=16)
        bounds = np.unique(np.concatenate([np.arange(0, len(text), self.window), offsets]))
        coder.fit_under(self.predictor(), window, train, bounds, self.lanes, folder)

    def level(self, windowing: Windowing) -> Level:
        return Level(
            LevelSpec(
                name="pieces",
                alphabet=self.alphabet,
                segment=300,
                windowing=windowing,
                coder=self.fitted(),
                flags=declared(self.config, self.fitted()),
                token_bits=max(1, (self.vocabulary - 1).bit_length()),
                vocabulary=self.vocabulary,
            )
        )

    def documents(self) -> tuple[Symbols, Any]:
        """Texts to code: like the training text, empty, one symbol, equal symbols, random ones, every symbol."""
        rng, text = np.random.default_rng([self.seed, 2]), self.text()
        parts = [text[:1000], text[:0], text[:1], np.zeros(700, np.int64), rng.integers(0, self.alphabet, 900)]
        parts += [np.arange(self.alphabet), text[7:5], text[5:640]]
        return np.concatenate(parts).astype(np.int64), offsets_of(list(map(len, parts)))

    def test_it_says_what_it_can(self) -> None:
        flags = declared(self.config, self.fitted())
        assert (flags.budget, flags.ends, flags.total) == (False, True, True)
        assert flags.needs_model == is_fitted_under_model(self.fitted())

    def test_pieces_are_runs_of_symbols(self) -> None:
        symbols, offsets = self.fitted().pieces()
        assert offsets.dtype == np.int64
        assert offsets[0] == 0
        assert offsets[-1] == len(symbols)
        assert (np.diff(offsets) >= 0).all()
        assert 1 < len(offsets) <= self.vocabulary + 1
        assert symbols.min() >= 0
        assert symbols.max() < self.alphabet

    def test_windows_are_coded_alone(self) -> None:
        coder, (symbols, _) = self.fitted(), self.documents()
        bounds = np.unique(np.random.default_rng([self.seed, 3]).integers(0, len(symbols) + 1, 90))
        tokens, counts = coder.encode(symbols, bounds)
        assert counts.shape == (len(bounds) - 1,)
        assert counts.sum() == len(tokens)
        ends = np.cumsum(counts)
        pieces, offsets = coder.pieces()
        for i, (low, high) in enumerate(itertools.pairwise(bounds)):
            own = tokens[ends[i] - counts[i] : ends[i]]
            alone, count = coder.encode(symbols[low:high], np.array([0, high - low]))
            assert own.tolist() == alone.tolist()
            assert count.tolist() == [len(alone)]
            spelt = [pieces[offsets[token] : offsets[token + 1]] for token in own]
            assert all(map(len, spelt)), "no token has an empty piece"
            assert np.concatenate(spelt).tolist() == symbols[low:high].tolist()

    def test_the_type_of_symbols_says_nothing(self) -> None:
        """What a coder remembers of windows must not depend on it: as bytes, 1 in 16 bits is 1 and 0 in 8 bits each."""
        coder = self.fitted()
        symbols, offsets = coder.pieces()
        types = [np.uint16, np.uint32, np.int64, *([np.uint8] if self.alphabet <= 256 else [])]
        for kind in [*types, *types[::-1]]:
            for first in (1, self.alphabet // 2, self.alphabet - 1):
                for zeros in range(8):
                    window = np.array([first] + [0] * zeros, kind)
                    tokens, counts = coder.encode(window, np.array([0, len(window)]))
                    assert counts.tolist() == [len(tokens)]
                    back = [symbols[offsets[token] : offsets[token + 1]] for token in tokens]
                    assert np.concatenate(back).tolist() == window.tolist()

    def test_it_may_be_shared_by_threads(self, tmp_path: Path) -> None:
        self.fit(tmp_path)
        text = self.text()

        def jobs() -> list[Job]:
            coder = self.make(self.vocabulary)
            coder.load(tmp_path)
            return [functools.partial(_coded, coder, text[start : start + 200]) for start in (0, 300, 900)]

        check_shared(jobs)

    @pytest.mark.parametrize(
        "windowing",
        [
            Windowing(bits=None, symbols=None),
            Windowing(bits=None, symbols=7, restart="segment"),
            Windowing(bits=None, symbols=1024, cuts=lambda segment: segment == 32),
        ],
        ids=["whole", "fixed", "cuts"],
    )
    def test_any_symbols_come_back_through_a_level(self, windowing: Windowing) -> None:
        level, (symbols, offsets) = self.level(windowing), self.documents()
        coded = level.encode(symbols, offsets)
        assert int(coded.tokens.max()) < level.token_alphabet == self.vocabulary
        back = level.decode(coded.tokens, coded.offsets)
        assert back.symbols.tolist() == symbols.tolist()
        assert back.offsets.tolist() == offsets.tolist()
        assert len(coded.starts) == len(coded.tokens)
        for low, high, first, last in zip(
            offsets[:-1], offsets[1:], coded.offsets[:-1], coded.offsets[1:], strict=True
        ):
            assert level.encode(symbols[low:high]).tokens.tolist() == coded.tokens[first:last].tolist()

    def test_any_tokens_decode(self) -> None:
        level = self.level(Windowing(bits=None, symbols=None))
        tokens = np.random.default_rng([self.seed, 4]).integers(0, self.vocabulary, 500)
        whole = level.decode(tokens).symbols.tolist()
        assert whole == [symbol for token in tokens for symbol in level.decode(np.array([token])).symbols.tolist()]

    def test_its_own_decoding_joins_the_pieces(self) -> None:
        coder = self.fitted()
        if not joins_pieces(coder):
            pytest.skip("stackc joins its pieces")
        pieces, offsets = coder.pieces()
        rng, (symbols, _) = np.random.default_rng([self.seed, 5]), self.documents()
        written, _ = coder.encode(symbols, np.array([0, len(symbols)]))
        sizes = (0, 1, 2, 700)
        for tokens in (written, *(rng.integers(0, self.vocabulary, size).astype(np.uint32) for size in sizes)):
            before = tokens.copy()
            found = coder.decode(tokens)
            known = [pieces[offsets[t] : offsets[t + 1]] for t in tokens.tolist() if t < len(offsets) - 1]
            assert found.dtype.kind in "iu"
            assert found.tolist() == np.concatenate([pieces[:0], *known]).tolist()
            assert tokens.tolist() == before.tolist(), "the tokens that it is given stay as they are"

    def test_it_is_fitted_alike_twice(self, tmp_path: Path) -> None:
        found = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            self.fit(tmp_path / name)
            found.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
        assert found[0] == found[1]
        assert found[0], "what is fitted is in files"

    def test_damaged_files_are_an_error(self, tmp_path: Path) -> None:
        self.fit(tmp_path)
        for path in sorted(tmp_path.iterdir()):
            good = path.read_bytes()
            for bad in (b"", b"\xff" * 100, good[: len(good) // 2]):
                path.write_bytes(bad)
                with pytest.raises(StackcError):
                    self.make(self.vocabulary).load(tmp_path)
            path.unlink()
            with pytest.raises(StackcError):
                self.make(self.vocabulary).load(tmp_path)
            path.write_bytes(good)


def _coded(coder: Any, symbols: Symbols) -> list[Any]:
    """Two windows, and the pieces."""
    tokens, counts = coder.encode(symbols, np.array([0, len(symbols) // 3, len(symbols)]))
    found = [tokens.copy(), counts.copy()]
    if joins_pieces(coder):
        found.append(coder.decode(tokens).copy())
    pieces, offsets = coder.pieces()
    return [*found, pieces.copy(), offsets.copy()]
