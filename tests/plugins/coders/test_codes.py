"""What the slot rule promises of codes: all of them name different texts, every text has its code, in preorder."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from stackc.api import Frequencies, Window
from stackc.testing.driving import STYLES, TablePredictor, decode_lanes, encode_lanes, random_table
from stackc_coders.arithmetic import ArithmeticCoder

CODER = ArithmeticCoder()


def texts_of(window: Window, table: Frequencies, codes: np.ndarray) -> list[tuple[int, ...]]:
    """The text of every code, decoded in lanes, each as a window of its own."""
    assert window.bits is not None
    per = window.bits // window.token_bits
    shifts = np.arange(per - 1, -1, -1) * window.token_bits
    tokens = (codes[:, None] >> shifts & (1 << window.token_bits) - 1).astype(np.uint32).reshape(-1)
    decoder = CODER.lane_decoder(window, len(codes), tokens)
    made = decode_lanes(decoder, window, table, [(i * per, (i + 1) * per) for i in range(len(codes))])
    return [tuple(one.windows[0]) for one in made]


def codes_of(window: Window, table: Frequencies, texts: list[tuple[int, ...]]) -> list[int]:
    """The code of every text, each of which must fit into one window."""
    made = encode_lanes(CODER.lane_encoder(window, len(texts)), window, table, [list(text) for text in texts])
    out = []
    for one, text in zip(made, texts, strict=True):
        assert [tuple(part) for part in one.windows] == [text]
        code = 0
        for token in one.tokens:
            code = code << window.token_bits | token
        out.append(code)
    return out


def small() -> list[tuple[int, int, str]]:
    cases = []
    for bits in range(1, 11):
        for alphabet in {1, 2, 3, min(7, 2**bits - 1), 2 ** (bits - 1), 2**bits - 1}:
            if alphabet <= 2**bits - 1:
                cases.append((bits, alphabet, STYLES[len(cases) % 4]))
    return cases


@pytest.mark.parametrize(("bits", "alphabet", "style"), small())
def test_all_codes_name_different_texts_in_preorder(bits: int, alphabet: int, style: str) -> None:
    window = Window(alphabet=alphabet, bits=bits, symbols=1 << bits, token_bits=bits)  # a budget that no text reaches
    table = random_table(np.random.default_rng([bits, alphabet]), alphabet, style)
    texts = texts_of(window, table, np.arange(1 << bits))
    assert texts[0] == ()
    different = set(texts)
    assert len(different) == 1 << bits
    assert texts == sorted(texts), "tuples sort as texts do in preorder: a text before those that extend it"
    assert all(text[:-1] in different for text in texts[1:]), "prefix-closed"
    assert codes_of(window, table, texts[1:]) == list(range(1, 1 << bits)), "every text has its code"
    for code in range(0, 1 << bits, 1 << max(0, bits - 5)):  # the codes of a text's extensions are an interval
        encoder = CODER.encoder(window)
        last = -1
        for symbol in texts[code]:
            assert encoder.add(table[0 if last < 0 else 1 + last % (len(table) - 1)], symbol)
            last = symbol
        low, size, resolved = encoder.interval()
        assert (low, resolved) == (code, bits)
        inside = [other for other, text in enumerate(texts) if text[: len(texts[code])] == texts[code]]
        assert inside == list(range(low, low + size))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("bits", [16, 20, 24, 29, 30, 31, 37, 38])
def test_codes_of_larger_windows_come_back(bits: int, style: str) -> None:
    """Up to W = 38 a code that is decoded and encoded again is the same code."""
    window = Window(alphabet=256, bits=bits, symbols=65_535, token_bits=bits if bits <= 32 else bits // 2)
    if bits == 37:
        window = Window(alphabet=256, bits=bits, symbols=65_535, token_bits=1)
    rng = np.random.default_rng(bits)
    table = random_table(rng, 256, style)
    # All codes of a sharp model are texts of up to 2^W symbols: take those after which it is surprised soon.
    codes = np.unique(rng.integers(1, 1 << bits, 200))
    texts = texts_of(Window(alphabet=256, bits=bits, symbols=300, token_bits=window.token_bits), table, codes)
    short = [i for i, text in enumerate(texts) if len(text) < 300]
    assert codes_of(window, table, [texts[i] for i in short]) == codes[short].tolist()
    assert len({texts[i] for i in short}) == len(short)


@pytest.mark.parametrize("bits", [39, 40, 62, 63, 64, 65, 127, 128])
def test_above_38_bits_a_text_keeps_its_own_code(bits: int) -> None:
    """Several codes may name one text; the encoder's decodes to it."""
    rng = np.random.default_rng(bits)
    token_bits = next(size for size in range(16, 0, -1) if bits % size == 0)
    window = Window(alphabet=50, bits=bits, symbols=1000, token_bits=token_bits)
    table = random_table(rng, 50, "random")
    tokens = rng.integers(0, 1 << token_bits, 100 * bits // token_bits).astype(np.uint32)
    per = bits // token_bits
    spans = [(i * per, (i + 1) * per) for i in range(100)]
    texts = [one.windows[0] for one in decode_lanes(CODER.lane_decoder(window, 100, tokens), window, table, spans)]
    coded = encode_lanes(CODER.lane_encoder(window, 100), window, table, texts)
    assert [one.windows for one in coded] == [[text] for text in texts]
    again = np.array([token for one in coded for token in one.tokens], np.uint32)
    back = decode_lanes(CODER.lane_decoder(window, 100, again), window, table, spans)
    assert [one.windows[0] for one in back] == texts
    assert (again <= tokens).reshape(100, per)[:, 0].all(), "the lowest of a text's codes"


@pytest.mark.parametrize(
    ("bits", "alphabet", "budget"), [(8, 256, 9), (12, 256, 3), (16, 256, 1), (10, 2, 4), (16, 5, 6)]
)
def test_a_dictionary_holds_what_decoding_says(bits: int, alphabet: int, budget: int) -> None:
    if alphabet > 2**bits - 1:
        alphabet = 2**bits - 1
    window = Window(alphabet=alphabet, bits=bits, symbols=budget, token_bits=bits)
    table = random_table(np.random.default_rng(bits), alphabet, "random")
    parent, symbol = CODER.dictionary(TablePredictor(table), window, 64)
    texts = texts_of(window, table, np.arange(1 << bits))
    for code in range(1, 1 << bits):
        assert texts[code] == (*texts[parent[code]], int(symbol[code]))
    full = [code for code, text in enumerate(texts) if len(text) == budget]
    assert len(full) > len({texts[code] for code in full}) or budget > 3, "codes left over name full texts again"


class Restepped(TablePredictor):
    """The same model without `take`: its texts are stepped from their start."""

    take = property()  # type: ignore[assignment]


def test_a_model_without_take_compiles_to_the_same() -> None:
    table = random_table(np.random.default_rng(0), 9, "sharp")
    window = Window(alphabet=9, bits=12, symbols=500, token_bits=12)
    assert not hasattr(Restepped(table), "take")
    one, other = (CODER.dictionary(made(table), window, 10) for made in (TablePredictor, Restepped))
    assert one[0].tolist() == other[0].tolist()
    assert one[1].tolist() == other[1].tolist()


class Counting(TablePredictor):
    """Counts its calls, and the states that exist at once."""

    def __init__(self, table: Frequencies) -> None:
        super().__init__(table)
        self.widest = self.most = self.calls = 0
        self.states: list[weakref.ref[np.ndarray]] = []

    def step(self, state: np.ndarray, symbols: np.ndarray) -> Frequencies:
        self.calls += 1
        self.widest = max(self.widest, len(state))
        self.states = [known for known in self.states if known() is not None] + [weakref.ref(state)]
        self.most = max(self.most, len(self.states))
        return super().step(state, symbols)


@pytest.mark.parametrize("style", STYLES)
def test_compiling_keeps_to_its_lanes_and_few_states(style: str) -> None:
    model = Counting(random_table(np.random.default_rng(1), 256, style))
    window = Window(alphabet=256, bits=16, symbols=1024, token_bits=16)
    parent, _ = CODER.dictionary(model, window, 100)
    assert (parent[1:] >= 0).all()
    assert model.widest <= 100
    assert 1 < model.most <= 16 + 2
    assert model.calls < 3000
