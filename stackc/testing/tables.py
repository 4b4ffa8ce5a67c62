"""What a coder that obeys tables of cuts must keep (``masks = True``), as tests that `CoderContract` includes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pytest

from stackc.api.arrays import Frequencies, Int32
from stackc.api.offsets import offsets_of
from stackc.api.windowings import CUT, Window
from stackc.parts.lanes import LevelLaneEncoder
from stackc.testing.driving import (
    STYLES,
    TablePredictor,
    decode_lanes,
    encode_lanes,
    random_cuts,
    random_table,
    row_after,
)


def cut_place(table: Int32, text: list[int] | tuple[int, ...]) -> int | None:
    """The first place before which a table cuts a window's text; None if it cuts nowhere."""
    state = 0
    for place, symbol in enumerate(text):
        state = int(table[state, symbol])
        if state == CUT:
            return place
    return None


class MaskingTests:
    """The tests, for a `CoderContract`. They are skipped if its coder does not declare `masks`."""

    def masked_settings(self: Any) -> Iterator[tuple[Any, Window, Frequencies, list[list[int]]]]:
        """A coder, its window with a random table of cuts, frequencies, and texts."""
        if not getattr(self.flags, "masks", False):
            pytest.skip("does not obey a table of cuts")
        for number, (window, style) in enumerate(self.cases()):
            coder, window, table, texts = self.setting(number, (window, style))
            cuts = random_cuts(self.rng(11, number), window.alphabet)
            yield coder, attrs.evolve(window, table=cuts), table, texts

    def test_a_table_of_cuts_ends_windows_in_every_tier(self: Any) -> None:
        """A symbol that is cut is refused, what is coded decodes, and lanes write what windows alone do."""
        refused = 0
        for coder, window, table, texts in self.masked_settings():
            rows, cuts = self.rows(table), frozenset({3})
            tiers = [self.tier_1(coder)]
            tiers += [(coder.lane_encoder, coder.lane_decoder)] if hasattr(coder, "lane_encoder") else []
            expected = None
            for encode, decode in tiers:
                coded = encode_lanes(encode(window, len(texts)), window, rows, texts, cuts)
                expected = expected or coded
                assert coded == expected, window
                tokens = np.array([token for one in coded for token in one.tokens], np.uint32)
                spans = list(itertools.pairwise(offsets_of([len(one.tokens) for one in coded]).tolist()))
                back = decode_lanes(decode(window, len(texts), tokens), window, rows, spans)
                assert [(one.windows, one.sizes) for one in back] == [(one.windows, one.sizes) for one in coded], window
            for one, text in zip(coded, texts, strict=True):
                assert list(itertools.chain(*one.windows)) == text, window
                for part, later in itertools.pairwise(one.windows):
                    assert window.table is not None
                    assert cut_place(window.table, part) is None, window
                    refused += cut_place(window.table, [*part, later[0]]) is not None
        assert refused, "no symbol was ever cut: widen `alphabets` or `symbols`"

    def test_a_table_of_cuts_ends_windows_in_a_run(self: Any) -> None:
        for coder, window, table, texts in self.masked_settings():
            if not hasattr(coder, "lane_encoder") or not hasattr(coder.lane_encoder(window, 1), "run"):
                pytest.skip("has no run")
            text = np.array(texts[2] + texts[4], np.int64)
            freqs = self.rows(table[[row_after(table, last) for last in [-1, *text[:-1].tolist()]]])
            forced = self.rng(12).random(len(text)) < 0.1
            made = coder.lane_encoder(window, 2)
            plain = LevelLaneEncoder(coder.lane_encoder(window, 2), window, 2)
            found, expected = made.run(1, freqs, text, forced), plain.run(1, freqs, text, forced)
            assert [part.tolist() for part in found] == [part.tolist() for part in expected], window

    def test_any_tokens_decode_to_windows_that_a_table_allows(self: Any) -> None:
        for number, (coder, window, table, _) in enumerate(self.masked_settings()):
            rng, rows = self.rng(13, number), self.rows(table)
            tokens = rng.integers(0, 1 << window.token_bits, 200).astype(np.uint32)
            tokens[40:60] = 0
            whole = 1 if window.bits is None else window.bits // window.token_bits
            spans = [(first, first + count - count % whole) for first, count in ((0, 60), (40, 40), (100, 100))]
            slow = decode_lanes(self.tier_1(coder)[1](window, len(spans), tokens), window, rows, spans)
            for text in itertools.chain(*(one.windows for one in slow)):
                assert window.table is not None
                assert cut_place(window.table, text) is None, window
            if hasattr(coder, "lane_decoder"):
                assert decode_lanes(coder.lane_decoder(window, len(spans), tokens), window, rows, spans) == slow, window

    def test_a_dictionary_has_no_text_that_a_table_cuts(self: Any) -> None:
        if not getattr(self.flags, "masks", False) or not hasattr(self.make(), "dictionary"):
            pytest.skip("does not compile, or does not obey a table of cuts")
        for number, (alphabet, bits, budget) in enumerate(((2, 4, 1024), (3, 8, 4), (7, 9, 100), (15, 6, 9))):
            coder, rng = self.coder(alphabet), self.rng(14, number)
            cuts = random_cuts(rng, alphabet)
            window = Window(alphabet=alphabet, bits=bits, symbols=budget, token_bits=bits, table=cuts)
            table = random_table(rng, alphabet, STYLES[number % 4])
            predictor = TablePredictor(table) if self.flags.needs_model else None
            parent, symbol = coder.dictionary(predictor, window, 3)
            codes = np.arange(len(parent))
            spans = [(code, code + 1) for code in codes.tolist()]
            decoder = self.tier_1(coder)[1](window, len(codes), codes.astype(np.uint32))
            stepped = decode_lanes(decoder, window, self.rows(table), spans)
            texts: list[list[int]] = [[]]
            for code in range(1, len(parent)):
                texts.append([*texts[parent[code]], int(symbol[code])])
                assert texts[code] == stepped[code].windows[0], (window, code)
                assert cut_place(cuts, texts[code]) is None, (window, code)

    def test_without_cuts_a_table_changes_no_code(self: Any) -> None:
        for number, (coder, window, table, texts) in enumerate(self.masked_settings()):
            allowed = random_cuts(self.rng(15, number), window.alphabet, share=0.0)
            allowed[allowed == CUT] = 0
            rows, encode = self.rows(table), self.tier_1(coder)[0]
            plain = attrs.evolve(window, table=None)
            expected = encode_lanes(encode(plain, len(texts)), plain, rows, texts)
            window = attrs.evolve(window, table=allowed)
            assert encode_lanes(encode(window, len(texts)), window, rows, texts) == expected, window
