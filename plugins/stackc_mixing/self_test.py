"""Payloads that must never change: the model on this machine, compared with them."""

from __future__ import annotations

import hashlib

import numpy as np

from stackc.api import StackcError, Symbols
from stackc_mixing.backend import MixingPredictor, prime
from stackc_mixing.config import Mixing

_CONFIGS = {
    name: Mixing(size=10, rich=8, window=64, contexts=name) for name in ("many", "some", "few", "six", "twelve")
}

_GOLDEN = {
    ("many", 256): (642, "c059388a2772df0c"),
    ("many", 1000): (731, "a7241d351b61fe13"),
    ("some", 256): (646, "29fb86a3d93974cf"),
    ("some", 1000): (724, "e2008ab6bd2b9dbd"),
    ("few", 256): (660, "778b22ce1a054ed8"),
    ("few", 1000): (751, "fb388718c3f2453e"),
    ("six", 256): (727, "6252ddd71fa6a1b5"),
    ("six", 1000): (754, "7fabefc00fa3b83a"),
    ("twelve", 256): (642, "82b1cdfcdc62bd9f"),
    ("twelve", 1000): (724, "c9ecf7eaa5aa5bbc"),
}
"""By contexts and alphabet: bytes of the payload of `text`, and the beginning of its SHA-256."""


def text(alphabet: int) -> Symbols:
    """A text with repetition, lines and noise, made by a recurrence: uint8 or uint16[3000]."""
    state, made = 1, []
    for i in range(3000):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        made.append(
            10 if i % 61 == 60 else 97 + (state >> 16) % 3 + i % 7 if i % 500 < 400 else (state >> 12) % alphabet
        )
    return np.array(made, np.uint8 if alphabet <= 256 else np.uint16)


def payload(contexts: str, alphabet: int) -> bytes:
    """The second half of `text`, coded by a model that has read the first."""
    symbols, config = text(alphabet), _CONFIGS[contexts]
    predictor = MixingPredictor(config, prime(config, symbols[:1500].copy(), alphabet), alphabet)
    state, out = predictor.begin(), np.zeros(4096, np.uint8)
    size = predictor.encode_block(state, symbols[1500:].copy(), out)
    back = np.zeros(1500, symbols.dtype)
    predictor.decode_block(state, out[:size].copy(), back)
    if not np.array_equal(back, symbols[1500:]):
        raise StackcError("mixing: a text did not decode to itself; please report this")
    return out[:size].tobytes()


def examine(alphabets: tuple[int, ...] = (256,)) -> str:
    """Raises `StackcError` if a payload differs.

    Args:
        alphabets: some of those in `_GOLDEN`. For symbols of two bytes the same loops are compiled once more, which
            takes as long again; the tests do that, `stackc doctor` does not.
    """
    for (contexts, alphabet), golden in _GOLDEN.items():
        if alphabet not in alphabets:
            continue
        made = payload(contexts, alphabet)
        found = (len(made), hashlib.sha256(made).hexdigest()[:16])
        if found != golden:
            raise StackcError(
                f"mixing, {contexts} contexts, alphabet {alphabet}: payload {found} instead of {golden}; "
                "please report this"
            )
    return f"golden payloads of alphabets {', '.join(map(str, alphabets))} are right"
