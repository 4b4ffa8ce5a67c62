"""What every window coder must keep, as tests to subclass.

    class TestMyCoder(CoderContract):
        config = MyConfig

        def make(self):
            return MyCoder()

Everything is seeded: the same tests on every run. Class attributes narrow what is tried.
"""

from __future__ import annotations

import functools
import itertools
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from stackc.api.arrays import Frequencies
from stackc.api.coders import Coder, CoderFlags
from stackc.api.models import Text
from stackc.api.offsets import offsets_of
from stackc.api.windowings import Window
from stackc.parts.abilities import is_fitted
from stackc.parts.lanes import AdaptedLaneDecoder, AdaptedLaneEncoder, LevelLaneEncoder
from stackc.parts.rules import CODER_FLAGS
from stackc.testing.compiled import CompiledLanesTests
from stackc.testing.driving import (
    STYLES,
    Coded,
    TablePredictor,
    declared,
    decode_lanes,
    encode_lanes,
    random_table,
    row_after,
    sample_text,
)
from stackc.testing.sharing import Job, check_shared
from stackc.testing.tables import MaskingTests

Case = tuple[Window, str]


class CoderContract(MaskingTests, CompiledLanesTests):
    """The tests. Tier 1 is the measure of the others; tests of abilities that a coder does not have are skipped.

    Attributes:
        config: the coder's configuration class, which declares its flags. None: the coder declares them itself, as
            contract 1.0 had it.
        alphabets: alphabet sizes to try.
        budgets: bit budgets to try, if the coder obeys one and they can hold the alphabet.
        symbols: symbol budgets to try.
        token_bits: token sizes to try, if they divide the bit budget.
        seed: of all random choices.
    """

    config: ClassVar[Any] = None
    alphabets: ClassVar[tuple[int, ...]] = (1, 2, 3, 7, 256, 300)
    budgets: ClassVar[tuple[int, ...]] = (3, 8, 9, 12, 16, 32, 40, 64, 128)
    symbols: ClassVar[tuple[int, ...]] = (1, 5, 100)
    token_bits: ClassVar[tuple[int, ...]] = (1, 4, 8, 12, 16)
    seed: ClassVar[int] = 0

    def make(self) -> Coder:
        """A fresh coder, not fitted. To be written by the subclass."""
        raise NotImplementedError

    # ----------------------------------------------------------------------------------------------
    # Helpers

    @property
    def flags(self) -> CoderFlags:
        return declared(self.config, self.make())

    def coder(self, alphabet: int) -> Any:
        """A coder ready to code, fitted if it has its own tables; one for every alphabet."""
        return _ready(type(self), alphabet)

    def tier_1(self, coder: Any) -> tuple[Any, Any]:
        """Makers of lanes, for encoding and for decoding, that use the coder a window at a time."""
        flags = self.flags

        def encoder(window: Window, lanes: int) -> LevelLaneEncoder:
            return LevelLaneEncoder(AdaptedLaneEncoder(coder, flags, window, lanes), window, lanes)

        return encoder, functools.partial(AdaptedLaneDecoder, coder, flags)

    def rows(self, table: Frequencies) -> Frequencies | None:
        """What the coder is given of these rows: all, or nothing if it needs no model."""
        return table if self.flags.needs_model else None

    def rng(self, *more: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *more])

    def cases(self) -> list[Case]:
        """Windows and styles of frequencies: every alphabet with every budget, the rest in turn."""
        flags = self.flags
        cases: list[Case] = []
        for alphabet in self.alphabets:
            budgets = [None, *(bits for bits in self.budgets if (1 << bits) - 1 >= alphabet)]
            for bits in budgets if flags.budget else [None]:
                sizes = [size for size in self.token_bits if bits is None or bits % size == 0]
                turn = len(cases)
                window = Window(
                    alphabet=alphabet,
                    bits=bits,
                    symbols=self.symbols[turn % len(self.symbols)],
                    token_bits=sizes[turn % len(sizes)],
                )
                cases.append((window, STYLES[turn % len(STYLES)]))
        return cases

    def setting(self, number: int, case: Case) -> tuple[Any, Window, Frequencies, list[list[int]]]:
        """A coder, its window, a table and texts, one of them empty."""
        window, style = case
        rng = self.rng(1, number)
        table = random_table(rng, window.alphabet, style)
        texts = [sample_text(rng, table, length) for length in (0, 1, 40, 17, 2 * window.symbols)]
        return self.coder(window.alphabet), window, table, texts

    # ----------------------------------------------------------------------------------------------
    # Tests

    def test_it_says_what_it_can(self) -> None:
        coder, flags = self.make(), self.flags
        for flag in CODER_FLAGS:
            assert isinstance(getattr(flags, flag, None), bool), f"{flag} is a class variable, True or False"
        assert flags.ends or not flags.budget, "a coder that obeys a bit budget marks ends itself"
        assert hasattr(coder, "fit") == hasattr(coder, "load"), "tables that are fitted are loaded"

    def test_what_is_encoded_decodes(self) -> None:
        """Window after window from one sequence of tokens, with windows that end early, in whole tokens."""
        for number, case in enumerate(self.cases()):
            coder, window, table, texts = self.setting(number, case)
            rows = self.rows(table)
            encode, decode = self.tier_1(coder)
            coded, decoded = _there_and_back(encode, decode, window, rows, texts, frozenset({3, 4}))
            assert all(0 <= token < 1 << window.token_bits for one in coded for token in one.tokens), case
            for one, text, back in zip(coded, texts, decoded, strict=True):
                assert [symbol for part in one.windows for symbol in part] == text, case
                assert all(1 <= len(part) <= window.symbols for part in one.windows), case
                assert back.windows == one.windows, case
                assert back.sizes == one.sizes, case

    def test_a_budget_is_filled_exactly(self) -> None:
        for number, case in enumerate(self.cases()):
            coder, window, table, texts = self.setting(number, case)
            if window.bits is None:
                continue
            for symbol in texts[2][:1]:
                encoder = coder.encoder(window)
                assert encoder.add(table[0] if self.flags.needs_model else None, symbol)
                value, bits = encoder.close(window.symbols == 1)
                assert bits == window.bits, case
                assert 0 < value < 1 << bits, "code 0 is the empty text, which is never written"

    def test_a_symbol_that_does_not_fit_changes_nothing(self) -> None:
        if not self.flags.budget:
            pytest.skip("only a bit budget turns symbols away")
        tried = 0
        for number, case in enumerate(self.cases()):
            coder, window, table, texts = self.setting(number, case)
            if window.bits is None or window.bits > 40:
                continue
            left, right, size, last = coder.encoder(window), coder.encoder(window), 0, -1
            for symbol in texts[-1] + texts[2]:
                row = table[row_after(table, last)] if self.flags.needs_model else None
                fits = left.add(row, symbol)
                if fits:  # the twin is offered only what fits
                    assert right.add(row, symbol), case
                    size, last = size + 1, symbol
                tried += not fits
                if size == window.symbols:
                    break
            assert left.close(size == window.symbols) == right.close(size == window.symbols), case
        assert tried, "no symbol was ever refused: widen `alphabets` or `budgets`"

    def test_lanes_are_tier_1_side_by_side(self) -> None:
        if not hasattr(self.make(), "lane_encoder"):
            pytest.skip("tier 1 only")
        for number, case in enumerate(self.cases()):
            coder, window, table, texts = self.setting(number, case)
            rows, cuts = self.rows(table), frozenset({2, 9})
            slow = encode_lanes(self.tier_1(coder)[0](window, len(texts)), window, rows, texts, cuts)
            fast, back = _there_and_back(coder.lane_encoder, coder.lane_decoder, window, rows, texts, cuts)
            assert fast == slow, case
            alone = [encode_lanes(coder.lane_encoder(window, 1), window, rows, [text], cuts)[0] for text in texts]
            assert alone == slow, case
            assert [one.windows for one in back] == [one.windows for one in slow], case
            assert [one.sizes for one in back] == [one.sizes for one in slow], case

    def test_a_run_is_the_same_as_symbol_by_symbol(self) -> None:
        if not hasattr(self.make(), "lane_encoder"):
            pytest.skip("tier 1 only")
        for number, case in enumerate(self.cases()):
            coder, window, table, texts = self.setting(number, case)
            text = np.array(texts[2] + texts[4], np.int64)
            rng = self.rng(2, number)
            freqs = self.rows(table[rng.integers(0, len(table), len(text))])
            forced = rng.random(len(text)) < 0.1
            made = coder.lane_encoder(window, 3)
            if not hasattr(made, "run"):
                pytest.skip("its lanes have no run")
            plain = LevelLaneEncoder(coder.lane_encoder(window, 3), window, 3)
            for first, last in ((0, 1), (1, 20), (20, 20), (20, len(text))):
                part = (None if freqs is None else freqs[first:last], text[first:last], forced[first:last])
                found, expected = made.run(1, *part), plain.run(1, *part)
                assert found[0].tolist() == expected[0].tolist(), case
                assert found[1].tolist() == expected[1].tolist(), case
            one = np.array([1])
            assert made.close(one, one < 0)[0].tolist() == plain.close(one, one < 0)[0].tolist(), case

    def test_any_tokens_decode(self) -> None:
        if not self.flags.total:
            pytest.skip("decodes only what it encoded")
        for number, case in enumerate(self.cases()):
            coder, window, table, _ = self.setting(number, case)
            rows, rng = self.rows(table), self.rng(3, number)
            tokens = rng.integers(0, 1 << window.token_bits, 200).astype(np.uint32)
            tokens[40:90] = 0  # empty texts
            tokens[90:130] = (1 << window.token_bits) - 1
            whole = 1 if window.bits is None else window.bits // window.token_bits
            spans = [(first, first + count - count % whole) for first, count in ((0, 7), (5, 60), (40, 40), (100, 100))]
            slow = decode_lanes(self.tier_1(coder)[1](window, len(spans), tokens), window, rows, spans)
            for one in slow:
                assert all(len(part) <= window.symbols for part in one.windows), case
            if hasattr(coder, "lane_decoder"):
                made = coder.lane_decoder(window, len(spans), tokens)
                assert decode_lanes(made, window, rows, spans) == slow, case

    def test_long_runs_end_at_the_symbol_budget(self) -> None:
        """A text of one symbol that is nearly certain: windows are bounded all the same."""
        for bits in (None, max(self.budgets)) if self.flags.budget else (None,):
            sizes = [size for size in self.token_bits if bits is None or bits % size == 0]
            window = Window(alphabet=2, bits=bits, symbols=400, token_bits=sizes[-1])
            coder, table = self.coder(2), random_table(self.rng(4), 2, "certain", rows=1)
            symbol = int(table[0].argmax())
            encoder = coder.encoder(window)
            row = table[0] if self.flags.needs_model else None
            fitted = 0
            while fitted < window.symbols and encoder.add(row, symbol):
                fitted += 1
            assert fitted == window.symbols or window.bits is not None
            if fitted < window.symbols:
                continue
            rows = self.rows(table)
            text = [[symbol] * (2 * window.symbols + 3)]
            (coded,), (back,) = _there_and_back(*self.tier_1(coder), window, rows, text)
            assert [len(part) for part in coded.windows] == [400, 400, 3]
            assert back.windows == coded.windows

    def test_a_dictionary_says_what_stepping_says(self) -> None:
        if not hasattr(self.make(), "dictionary"):
            pytest.skip("does not compile")
        sizes = ((1, 3, 5), (2, 4, 1024), (3, 8, 4), (7, 9, 100), (15, 4, 9))
        for number, (alphabet, bits, budget) in enumerate(sizes):
            coder = self.coder(alphabet)
            window = Window(alphabet=alphabet, bits=bits, symbols=budget, token_bits=bits)
            table = random_table(self.rng(5, number), alphabet, STYLES[number % 4])
            predictor = TablePredictor(table) if self.flags.needs_model else None
            parent, symbol = coder.dictionary(predictor, window, 3)
            assert (parent[0], symbol[0]) == (-1, -1), "entry 0 is the empty text"
            codes = np.arange(len(parent))
            assert ((parent[1:] >= 0) & (parent[1:] < codes[1:])).all(), "texts come after those that they extend"
            spans = [(code, code + 1) for code in codes.tolist()]
            decoder = self.tier_1(coder)[1](window, len(codes), codes.astype(np.uint32))
            stepped = decode_lanes(decoder, window, self.rows(table), spans)
            for code in codes.tolist():
                text, above = [], code
                while above > 0:
                    text.append(int(symbol[above]))
                    above = int(parent[above])
                assert text[::-1] == stepped[code].windows[0], (window, code)

    def test_intervals_hold_the_codes_of_what_extends_a_text(self) -> None:
        case = next((case for case in self.cases() if case[0].bits == 16), None)
        if case is None or not hasattr(self.coder(case[0].alphabet).encoder(case[0]), "interval"):
            pytest.skip("has no intervals")
        coder, window, table, _ = self.setting(0, case)
        rng = self.rng(6)
        encoder: Any = coder.encoder(window)
        last = -1
        for _ in range(min(4, window.symbols)):
            row = table[row_after(table, last)] if self.flags.needs_model else None
            low, size, resolved = encoder.interval()
            parts = [encoder.sub_interval(row, s, s) for s in range(window.alphabet)]
            fitting = [s for s, part in enumerate(parts) if part is not None]
            if not fitting:
                break
            low, size, resolved = encoder.interval()
            assert parts[fitting[0]] == (low + 1, *parts[fitting[0]][1:]), "the first slot is the text's own"
            whole = encoder.sub_interval(row, 0, window.alphabet - 1)
            assert whole == (low + 1, size - 1, resolved), "symbols share all slots but the first"
            assert sum(parts[s][1] for s in fitting) == size - 1, "and no slot is two symbols'"
            last = int(rng.choice(fitting))
            assert encoder.add(row, last)
            assert encoder.interval() == parts[last]

    @pytest.mark.parametrize("budget", [False, True])
    def test_it_may_be_shared_by_threads(self, budget: bool) -> None:
        if budget and not self.flags.budget:
            pytest.skip("obeys no bit budget")
        cases = [case for case in self.cases() if (case[0].bits is not None) == budget]
        # Callers whose texts are equal would not notice each other's symbols.
        window, style = max(cases, key=lambda case: (case[1] == "random", case[0].symbols > 1, case[0].alphabet))
        table = random_table(self.rng(8), window.alphabet, style)
        check_shared(lambda: self.sharing_jobs(_fitted(type(self), window.alphabet), window, table))

    def sharing_jobs(self, coder: Any, window: Window, table: Frequencies) -> list[Job]:
        """Calls for lanes of their own texts, there and back, in every tier that there is."""
        rows = self.rows(table)
        jobs: list[Job] = []
        tiers = [self.tier_1(coder)]
        if hasattr(coder, "lane_encoder"):
            tiers.append((coder.lane_encoder, coder.lane_decoder))
        for tier in tiers:
            for seed in (1, 2):
                texts = [sample_text(self.rng(9, seed), table, length) for length in (6, 3)]
                jobs.append(functools.partial(_there_and_back, *tier, window, rows, texts, frozenset({4})))
            for seed in (1, 2):
                text = sample_text(self.rng(9, seed), table, 6)
                jobs.append(functools.partial(_run, tier[0], window, rows, text))
        if hasattr(coder, "dictionary"):
            for seed in (1, 2):
                small = Window(alphabet=window.alphabet, bits=window.alphabet.bit_length() + 1, symbols=4, token_bits=1)
                model = TablePredictor(random_table(self.rng(10, seed), window.alphabet, "random"))
                jobs.append(functools.partial(coder.dictionary, model, small, 3))
        return jobs


def _there_and_back(
    encoder: Any,
    decoder: Any,
    window: Window,
    rows: Frequencies | None,
    texts: list[list[int]],
    cuts: frozenset[int] = frozenset(),
) -> tuple[list[Coded], list[Coded]]:
    """Lanes of texts coded, and decoded from one array of tokens."""
    coded = encode_lanes(encoder(window, len(texts)), window, rows, texts, cuts)
    tokens = np.array([token for one in coded for token in one.tokens], np.uint32)
    spans = list(itertools.pairwise(offsets_of([len(one.tokens) for one in coded]).tolist()))
    return coded, decode_lanes(decoder(window, len(texts), tokens), window, rows, spans)


def _run(encoder: Any, window: Window, rows: Frequencies | None, text: list[int]) -> list[Any]:
    """A text coded in one run, where lanes can do that."""
    made = encoder(window, 1)
    if not hasattr(made, "run"):
        return []
    freqs = None if rows is None else rows[[row_after(rows, last) for last in [-1, *text[:-1]]]]
    tokens, lengths = made.run(0, freqs, np.array(text), np.zeros(len(text), np.bool_))
    found = [tokens.copy(), lengths.copy()]
    tokens, counts = made.close(np.zeros(1, np.int64), np.zeros(1, np.bool_))
    return [*found, tokens.copy(), counts.copy()]


_FITTED: dict[tuple[type, int], Any] = {}


def _ready(suite: type[CoderContract], alphabet: int) -> Any:
    """A coder of this suite, fitted if it can be; every alphabet once."""
    if (suite, alphabet) not in _FITTED:
        _FITTED[suite, alphabet] = _fitted(suite, alphabet)
    return _FITTED[suite, alphabet]


def _fitted(suite: type[CoderContract], alphabet: int) -> Any:
    """A coder of this suite that nobody has used yet."""
    coder: Any = suite().make()
    if is_fitted(coder):
        rng = np.random.default_rng([suite.seed, 7, alphabet])
        table = random_table(rng, alphabet, STYLES[alphabet % len(STYLES)], rows=1)
        symbols = np.array(sample_text(rng, table, 1000), np.uint32)
        text = Text(symbols=symbols, offsets=np.array([0, 400, 1000]), source_bytes=1000)
        with tempfile.TemporaryDirectory() as folder:
            coder.fit(text, alphabet, Path(folder))
            coder = suite().make()  # what is fitted travels in the folder, and only there
            coder.load(Path(folder))
    return coder
