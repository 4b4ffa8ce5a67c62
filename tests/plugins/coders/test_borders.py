"""Where the slot rule could break: carries, small ranges, full windows, the largest alphabets, and foreign tokens."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from stackc.api import TOTAL, CodingError, Frequencies, Window, normalise
from stackc.parts.lanes import AdaptedLaneDecoder, AdaptedLaneEncoder
from stackc.parts.packing import TokenBits
from stackc.testing.driving import STYLES, Coded, decode_lanes, encode_lanes, random_table
from stackc_coders import ArithmeticConfig
from stackc_coders.arithmetic import ArithmeticCoder
from stackc_coders.twin import in_reach

CODER, FLAGS = ArithmeticCoder(), ArithmeticConfig()


def both_tiers(window: Window, table: Frequencies, texts: list[list[int]]) -> list[Coded]:
    """Encode and decode in both tiers; all agree."""
    slow = encode_lanes(AdaptedLaneEncoder(CODER, FLAGS, window, len(texts)), window, table, texts)
    assert encode_lanes(CODER.lane_encoder(window, len(texts)), window, table, texts) == slow
    tokens = np.array([token for one in slow for token in one.tokens], np.uint32)
    ends = np.cumsum([len(one.tokens) for one in slow]).tolist()
    spans = [(end - len(one.tokens), end) for end, one in zip(ends, slow, strict=True)]
    decoders = (
        AdaptedLaneDecoder(CODER, FLAGS, window, len(texts), tokens),
        CODER.lane_decoder(window, len(texts), tokens),
    )
    for decoder in decoders:
        back = decode_lanes(decoder, window, table, spans)
        assert [(one.windows, one.sizes) for one in back] == [(one.windows, one.sizes) for one in slow]
    assert [list(chain(*one.windows)) for one in slow] == texts
    return slow


@pytest.mark.parametrize("bits", [None, 39, 64, 65, 127, 128, 400])
def test_carries_run_through_long_rows_of_ones(bits: int | None) -> None:
    """Texts that follow the digits ...0111...1 and then step over: the carry turns them into ...1000...0."""
    rng = np.random.default_rng(5)
    table = random_table(rng, 6, "random")
    window = Window(alphabet=6, bits=bits, symbols=200, token_bits=1)
    size = bits or 160
    longest = 0
    for start in (0, 7, 30, 38, 46):
        digits = np.ones(size, np.uint32)
        digits[:start], digits[start : start + 1] = rng.integers(0, 2, len(digits[:start])), 0
        below = decode_lanes(CODER.lane_decoder(window, 1, digits), window, table, [(0, size)])[0].windows[0]
        prefixes = [below[:k] for k in range(1, len(below), 6)]
        before = encode_lanes(CODER.lane_encoder(window, len(prefixes)), window, table, prefixes)
        for last in (5, 3):
            after = both_tiers(window, table, [[*prefix, last, last] for prefix in prefixes])
            for one, two in zip(before, after, strict=True):
                if len(two.windows) == 1 and one.tokens[start : start + 1] == [0] and two.tokens[start] == 1:
                    ones = one.tokens[start + 1 :]
                    longest = max(longest, ones.index(0) if 0 in ones else len(ones))
    if bits is None or bits > 64:
        assert longest > 24, "carries must have passed whole bytes"


def test_a_carry_reaches_the_first_digit() -> None:
    """Two halves, and a text just below the middle: 0.0111... of 2,000 bits, then over it."""
    table = np.array([[TOTAL // 2, TOTAL // 2 - 2, 1, 1]], np.uint32)
    window = Window(alphabet=4, bits=2000, symbols=3000, token_bits=8)
    digits = np.array([0x7F] + [0xFF] * 249, np.uint32)
    below = decode_lanes(CODER.lane_decoder(window, 1, digits), window, table, [(0, 250)])[0].windows[0]
    texts = [[*below[:k], 3] for k in range(1, len(below), 50)] + [below]
    both_tiers(window, table, texts)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("bits", [9, 10, 12, 14])
def test_small_ranges_share_slots_among_symbols_in_reach(bits: int, style: str) -> None:
    rng = np.random.default_rng(bits)
    table = random_table(rng, 300, style)
    window = Window(alphabet=300, bits=bits, symbols=100, token_bits=bits)
    both_tiers(window, table, [rng.integers(0, 300, 40).tolist(), [int(row.argmax()) for row in table] * 20])


def test_who_is_in_reach() -> None:
    f = np.array([TOTAL // 2, TOTAL // 4, TOTAL // 8, TOTAL // 8], np.int64)
    assert in_reach(f, 4).tolist() == f.tolist(), "half a slot is enough: 2 * (T/8) * 4 = T"
    assert in_reach(f, 3).tolist() == [TOTAL // 2, TOTAL // 4, 0, 0]
    assert in_reach(f, 1).tolist() == [TOTAL // 2, 0, 0, 0]
    flat = normalise(np.ones(256, np.int64)).astype(np.int64)
    assert flat.max() == flat.min()
    assert in_reach(flat, 128).tolist() == flat.tolist()
    assert in_reach(flat, 127).tolist() == [int(flat[0])] + [0] * 255, "none is: the lowest of the most frequent"
    flat[[7, 9]] += 3
    assert np.flatnonzero(in_reach(flat, 3)).tolist() == [7]


@pytest.mark.parametrize("bits", [1, 2, 3, 8, 10])
def test_the_first_symbol_always_fits(bits: int) -> None:
    """An alphabet of 2^W - 1: every symbol is a window of its own code."""
    alphabet = 2**bits - 1
    table = random_table(np.random.default_rng(bits), alphabet, "certain")
    window = Window(alphabet=alphabet, bits=bits, symbols=1000, token_bits=bits)
    text = list(range(alphabet)) + [int(row.argmax()) for row in table]
    coded = both_tiers(window, table, [text])[0]
    assert coded.tokens == [s + 1 for s in text]
    assert all(len(part) == 1 for part in coded.windows)


@pytest.mark.parametrize("bits", [None, 1, 16, 38, 39, 128])
def test_an_alphabet_of_one_symbol(bits: int | None) -> None:
    table = np.array([[TOTAL]], np.uint32)
    window = Window(alphabet=1, bits=bits, symbols=300, token_bits=1)
    coded = both_tiers(window, table, [[0] * 1000])[0]
    if bits is None:
        assert coded.sizes[:3] == [1, 1, 1], "a full window leaves no doubt after a token"
    assert max(len(part) for part in coded.windows) == (1 if bits == 1 else 300)


@pytest.mark.parametrize("bits", [None, 17, 20, 32, 64])
@pytest.mark.parametrize("style", ["random", "certain"])
def test_a_large_alphabet(bits: int | None, style: str) -> None:
    rng = np.random.default_rng(1)
    table = random_table(rng, 65_536, style)
    window = Window(alphabet=65_536, bits=bits, symbols=7, token_bits=bits if bits and bits <= 32 else 16)
    both_tiers(window, table, [[0, 65_535, 65_535, 1, *rng.integers(0, 65_536, 6).tolist()]])


@pytest.mark.parametrize("bits", [None, 12, 64])
@pytest.mark.parametrize("style", STYLES)
def test_a_budget_of_one_symbol(bits: int | None, style: str) -> None:
    table = random_table(np.random.default_rng(2), 20, style)
    window = Window(alphabet=20, bits=bits, symbols=1, token_bits=4)
    text = list(range(20)) * 2
    coded = both_tiers(window, table, [text])[0]
    assert coded.windows == [[s] for s in text]


@pytest.mark.parametrize("bits", [37, 38, 39, 40, 46, 47, 54, 61, 62, 63, 64, 65, 70, 126, 127, 128, 129, 200])
def test_every_width_around_the_borders(bits: int) -> None:
    rng = np.random.default_rng(bits)
    for style in STYLES:
        table = random_table(rng, 5, style)
        window = Window(
            alphabet=5, bits=bits, symbols=3000, token_bits=next(t for t in (8, 7, 5, 3, 1) if bits % t == 0)
        )
        texts = [rng.integers(0, 5, 60).tolist(), [int(table[0].argmax())] * 60, [4] * 40]
        both_tiers(window, table, texts)


@pytest.mark.parametrize("token_bits", [1, 2, 7, 16, 31, 32])
def test_short_windows_without_a_budget_mark_their_end(token_bits: int) -> None:
    """Every length up to the budget, the next window right behind."""
    rng = np.random.default_rng(token_bits)
    table = random_table(rng, 9, "sharp")
    window = Window(alphabet=9, bits=None, symbols=12, token_bits=token_bits)
    text = rng.integers(0, 9, 80).tolist()
    cuts = frozenset(np.cumsum(np.arange(1, 13)).tolist())
    coded = encode_lanes(CODER.lane_encoder(window, 1), window, table, [text], cuts)[0]
    assert [len(part) for part in coded.windows[:12]] == list(range(1, 13))
    assert coded == encode_lanes(AdaptedLaneEncoder(CODER, FLAGS, window, 1), window, table, [text], cuts)[0]
    tokens = np.array(coded.tokens, np.uint32)
    back = decode_lanes(CODER.lane_decoder(window, 1, tokens), window, table, [(0, len(tokens))])[0]
    assert (back.windows, back.sizes) == (coded.windows, coded.sizes)


def test_a_long_window_grows_its_room() -> None:
    rng = np.random.default_rng(3)
    table = random_table(rng, 256, "flat", rows=1)
    window = Window(alphabet=256, bits=None, symbols=9000, token_bits=16)
    text = rng.integers(0, 256, 12_000)
    run = CODER.lane_encoder(window, 2)
    rows = np.broadcast_to(table, (len(text), 256)).copy()
    tokens, lengths = run.run(1, rows, text, np.zeros(len(text), np.bool_))
    rest, _ = run.close(np.array([1]), np.array([False]))
    assert lengths.tolist() == [9000]
    assert abs(len(tokens) - 4500) <= 2
    every = np.concatenate([tokens, rest])
    decoder = CODER.lane_decoder(window, 1, every)
    back = decode_lanes(decoder, window, table, [(0, len(every))])[0]
    assert list(chain(*back.windows)) == text.tolist()


@pytest.mark.parametrize("bits", [None, 16, 64])
def test_a_million_equal_symbols_stay_within_the_symbol_budget(bits: int | None) -> None:
    table = np.array([[TOTAL - 1, 1]], np.uint32)
    window = Window(alphabet=2, bits=bits, symbols=65_535, token_bits=16)
    lanes = CODER.lane_encoder(window, 1)
    rows, text = np.repeat(table, 100_000, axis=0), np.zeros(100_000, np.int64)
    lengths = [lanes.run(0, rows, text, text > 0)[1] for _ in range(10)]
    closed = np.concatenate(lengths)
    assert closed.max() <= 65_535
    assert closed.sum() > 1_000_000 - 65_535
    if bits != 16:
        assert (closed == 65_535).all()


def test_tokens_too_large_for_their_bits_are_read_as_their_low_bits() -> None:
    rng = np.random.default_rng(4)
    table = random_table(rng, 9, "random")
    for bits in (None, 12, 60):
        window = Window(alphabet=9, bits=bits, symbols=30, token_bits=6)
        wild = rng.integers(0, 1 << 32, 60).astype(np.uint32)
        for make in (AdaptedLaneDecoder, None):
            texts = []
            for tokens in (wild, wild & 63):
                lanes = make(CODER, FLAGS, window, 1, tokens) if make else CODER.lane_decoder(window, 1, tokens)
                texts.append(decode_lanes(lanes, window, table, [(0, 60)])[0])
            assert texts[0] == texts[1]


def test_arrays_of_another_form_are_refused() -> None:
    window = Window(alphabet=9, bits=12, symbols=30, token_bits=6)
    table = random_table(np.random.default_rng(0), 9, "random", rows=3)
    lanes, symbols = CODER.lane_encoder(window, 3), np.array([1, 2, 3])
    for freqs in (None, table[:2], table[:, :8], table.astype(np.int64)):
        with pytest.raises(CodingError, match=r"frequencies must be uint32\[3, 9\], found"):
            lanes.add(freqs, symbols)
    with pytest.raises(CodingError, match="symbol 9 is outside the alphabet of 9"):
        lanes.add(table, np.array([1, 9, 3]))
    with pytest.raises(CodingError, match=r"symbols must be int64\[3\]"):
        lanes.add(table, symbols.astype(np.int32))
    with pytest.raises(CodingError, match="symbol -2 in a sequence of known symbols"):
        lanes.run(0, table, np.array([1, -2, 3]), symbols < 0)
    decoder = CODER.lane_decoder(window, 3, np.zeros(4, np.uint32))
    with pytest.raises(CodingError, match="outside the 4 tokens"):
        decoder.open(np.array([0]), np.array([0]), np.array([5]))
    frozen = table.copy()
    frozen.flags.writeable = False
    assert lanes.add(frozen, symbols).all()
    assert CODER.decoder(window, TokenBits(np.zeros(2, np.uint32), 6, 0, 2)).next(table[0]) is None
