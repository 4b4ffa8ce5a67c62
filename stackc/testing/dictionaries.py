"""What every dictionary coder must keep (`stackc.api.DictionaryCoder`), as tests to subclass.

class TestMyCoder(DictionaryCoderContract):
    config = MyConfig

    def make(self, vocabulary):
        return MyCoder(vocabulary)
"""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import attrs
import numpy as np
import pytest

from stackc.api.windowings import Window
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.testing.driving import STYLES, TablePredictor, declared, random_cuts, random_table, sample_text
from stackc.testing.sharing import Job, check_shared
from stackc.testing.tables import cut_place


class DictionaryCoderContract:
    """The tests: a dictionary in preorder that holds every symbol, whatever the model and the lanes.

    Attributes:
        config: see `CoderContract`.
        sizes: (alphabet, vocabulary, symbols in a window at most) to try.
        seed: of all random choices.
    """

    config: ClassVar[Any] = None
    sizes: ClassVar[tuple[tuple[int, int, int], ...]] = (
        (1, 2, 5), (1, 9, 4), (2, 3, 9), (3, 60, 1), (3, 60, 2), (7, 333, 1024), (256, 1000, 64), (300, 301, 8),
    )  # fmt: skip
    seed: ClassVar[int] = 0

    def make(self, vocabulary: int) -> Any:
        """A fresh coder with this many codes. To be written by the subclass."""
        raise NotImplementedError

    def cases(self) -> list[tuple[Window, TablePredictor, int, Any]]:
        """(window, predictor, vocabulary, coder): every size with every style of frequencies."""
        cases = []
        for number, (alphabet, vocabulary, longest) in enumerate(self.sizes):
            for style in STYLES:
                table = random_table(np.random.default_rng([self.seed, number]), alphabet, style)
                bits = max(1, (vocabulary - 1).bit_length())
                window = Window(alphabet=alphabet, bits=None, symbols=longest, token_bits=bits)
                cases.append((window, TablePredictor(table), vocabulary, self.make(vocabulary)))
        return cases

    def test_it_says_what_it_can(self) -> None:
        flags = declared(self.config, self.make(300))
        assert (flags.budget, flags.ends, flags.total) == (False, True, True)
        assert isinstance(flags.needs_model, bool)

    def test_codes_are_texts_in_preorder(self) -> None:
        for window, predictor, vocabulary, coder in self.cases():
            parent, symbol = coder.dictionary(predictor, window, 16)
            assert parent.dtype == symbol.dtype == np.int32
            assert window.alphabet < len(parent) <= vocabulary
            texts: list[tuple[int, ...]] = [()]
            assert (parent[0], symbol[0]) == (-1, -1), "entry 0 is the empty text"
            for code in range(1, len(parent)):
                texts.append((*texts[parent[code]], int(symbol[code])))
            assert texts == sorted(set(texts)), "no text twice, each before what extends it"
            assert {(s,) for s in range(window.alphabet)} <= set(texts), "every symbol is kept"
            assert max(map(len, texts)) <= window.symbols

    def test_no_text_is_one_that_a_table_cuts(self) -> None:
        """A coder that declares `masks`: what it lists without a table, but for what is cut, it may list with one."""
        if not getattr(declared(self.config, self.make(300)), "masks", False):
            pytest.skip("does not obey a table of cuts")
        for number, (window, predictor, vocabulary, coder) in enumerate(self.cases()):
            cuts = random_cuts(np.random.default_rng([self.seed, 2, number]), window.alphabet)
            window = attrs.evolve(window, table=cuts)
            parent, symbol = coder.dictionary(predictor, window, 16)
            assert window.alphabet < len(parent) <= vocabulary
            texts: list[tuple[int, ...]] = [()]
            for code in range(1, len(parent)):
                texts.append((*texts[parent[code]], int(symbol[code])))
                assert cut_place(cuts, texts[-1]) is None
            assert texts == sorted(set(texts))
            assert {(s,) for s in range(window.alphabet)} <= set(texts)
            assert all(
                np.array_equal(*pair)
                for pair in zip(coder.dictionary(predictor, window, 3), (parent, symbol), strict=True)
            )

    def test_lanes_change_nothing(self) -> None:
        for window, predictor, _, coder in self.cases():
            expected = coder.dictionary(predictor, window, 64)
            for lanes in (1, 7):
                found = coder.dictionary(predictor, window, lanes)
                assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))

    def test_it_may_be_shared_by_threads(self) -> None:
        def jobs() -> list[Job]:
            cases = [case for case in self.cases()[:: len(STYLES)] if 1 < case[0].alphabet < 256]
            coder = self.make(max(vocabulary for _, _, vocabulary, _ in cases))
            return [functools.partial(_texts, coder, window, predictor) for window, predictor, _, _ in cases]

        check_shared(jobs)

    def test_any_text_comes_back(self) -> None:
        for number, (window, predictor, _, coder) in enumerate(self.cases()):
            parent, symbol = coder.dictionary(predictor, window, 16)
            dictionary = Dictionary(parent, symbol, window.alphabet)
            rng = np.random.default_rng([self.seed, 1, number])
            text = np.array(sample_text(rng, predictor.table, 500), np.uint32)
            bounds = np.array([0, 200, len(text)])
            codes, offsets = dictionary.encode(text, bounds, 64, window.symbols)
            symbols, ends = dictionary.decode(codes, offsets)
            assert symbols.tolist() == text.tolist()
            assert ends.tolist() == bounds.tolist()


def _texts(coder: Any, window: Window, predictor: TablePredictor) -> list[Any]:
    parent, symbol = coder.dictionary(predictor, window, 4)
    return [parent.copy(), symbol.copy()]
