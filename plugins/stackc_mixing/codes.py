"""Prefix codes of symbols: which decisions a symbol takes.

A byte of text takes 8 decisions where each is a bit of it, and 4 to 5 where frequent bytes have short codes. The codes
are fixed, and which one holds is chosen by the byte before: what may follow a vowel is seldom what may follow a digit.
A context of one and more symbols implies that byte, so whatever it has seen, it has seen with the same code.

A code is known by its lengths alone: in the order of lengths, and of bytes where these are equal, each code is the one
before plus one, with zeros behind if it is longer (D. S. Hirschberg and D. A. Lelewer, Efficient decoding of prefix
codes, CACM 33, 1990). The *nodes* of its tree, where a decision is made, are numbered by length and then by value.
"""

from __future__ import annotations

import functools

import attrs
import numpy as np
import numpy.typing as npt

from stackc.api import Uint8

LEAF = 1 << 16
"""In `Codes.steps`, the flag of a symbol."""

CLASSES = (
    b" \t",
    b"\n\r",
    b"aiu",
    b"e",
    b"oqy",
    b"tw",
    b"hjmvz",
    b"bcdfgklnprsx",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"0123456789",
    b"!,.:;?)]}>",
    b"\"#$%&'(*+-/<=@[\\^_`{|~",
    bytes(range(0xC0, 0x100)),  # of UTF-8, the first of several bytes
    bytes(range(0x80, 0xC0)),  # and the others
    bytes([*range(9), 11, 12, *range(14, 32), 127]),  # not of a text
)
"""The bytes after which a code holds."""

LENGTHS = (
    "ccccccccc7bccccccccccccccccccccc2b69c9997a8ac887888aaaabab9c78bcb898899997aa88898b987aa8bab89ac9"
    "a46566575598666559654775b8a8a8bccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccbaccccccccccababcccccccccccccc9cbbccccccccbccccccccccccccccccc",
    "ccccccccc43ccccccccccccccccccccc2c66c8cb8aaccac8c889999999bc6cccb677687876a886886a856777b9baccc9"
    "a677787977ba88477b876897cabbc9cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "cccbbbcccccccc9c8bcccccbbbcccccc79bacbcccccbbccccccccccccccccccc",
    "cccccccccc8ccccccccccccccccccccc5c8ccccbbabc899b9899999999abcc8cccccccccccccccccccccbccccccbbbb9"
    "c6555665a6a744355a433769877ccbcccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "cccabacccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "cccccccccc6ccccccccccccccccccccc3b7cccb988bb6768998999999968958bcbbbbabccbccbbbbbcbaacbcccca8ac7"
    "a565466797a9563968345a6867accacccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "cccbcbcccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "cccccccccc6ccccccccccccccccccccc3a8ccbbaa9ab787ababbbbbbbb89ab9bbbbbbbabbbbbbbbbbbaaabbbbcba9ab6"
    "b5765747a79755355a355465a9accbbccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccbbbbcbccccccccccccccccccccccccccbccccccccccccccccccccccccccccb",
    "cccccccccc7ccccccccccccccccccccc3b7cccb979bb6869bab7cb7cbc88a89bcabababbcaccbbbbbcbaabbcccc99bc6"
    "b4a8639a33ba78748b4666b8a5bccacccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccc9abcccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "cccccccccc7ccacccccccccccccccccc4a8ccbc999bb6878aa999aaccc79aa8bbaabbbcccacacbbcbabbbcbccccaabc7"
    "a3696299a3aa66845a665599b6a9c9cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccc89bcccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "cccccccccc6ccccccccccccccccccccc3b7bcba988bb6768888788888878977bbabbbabbcbcbbbbbbcbabcbcccaa9bc7"
    "a4765366649757746a654589a6abc9cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccb9abccccccccccccccccccccccccccccbccccccccccccccccccccccccccccc",
    "cccccccccb8ccccccccccccccccccccc5c6cc8aa88b9867a9889a8aaab7bacac857665776597666669655787889b9ac5"
    "94887479558968547a57669987accbcccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "ccc9abccccccccccccccccccccccccccccbccccccccccccccccccccccccccccc",
    "cccccccccc5ccccccccccccccccccccc6b6bc9bbb7c846494445454555798c9cc899a9bcccccccccccccaccccccc99c5"
    "b556655bcaabbbbcbbc9b9cc5cbccbaccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
    "ccccccccca3cc7cccccccccccccccccc2b6bc87986a958574567788889575799c89898aab9ca98899c988abacbc877c8"
    "8687785878aa88887b87889abcb8c7cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "cc9cccccccccccccccccccccccccccccccccccccccccccccbccccccccccccccc",
    "ccccccccc65ccacccccccccccccccccc4b48b8a89789668576668889995a885bb6878888879887887a867999aaaa68b7"
    "85655677759866676a745788aaa7b9accccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
    "cccbbbccccccccccbcccccccccccccccbbbcccccccccccccaccccccccccccccc",
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb55546787888877a878a898789798978776974556766745875666657667666566"
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "bbbbbbbbbb5bbbbbbbbbbbbbbbbbbbbb4b8bb8baa9bb899bbbbbbbbbbb9a8bbbbbbbbbbbbbbbbbaabbbbbbbbbbbbbbbb"
    "b8a988a997a978789b77899aba9bbbbb87898897899786b98798879778887888889879897978797769798899789a8a67"
    "bb9899bbbbbbbb4545abb8a788b9bbbb369598899aa879bb9bbbbbbbbbbbbbbb",
    "999999943879999999999999999999999979999999999999999999999999999999998999899999799998799997959999"
    "969996999699997799797599979999999999999999999999999999999999999999999999999999999998888888888888"
    "8888888888888888888888888888888888888888888888888888888888888888",
)
"""Of the code after each class, the lengths of all bytes' codes, as hexadecimal digits: 1 to 12.

Huffman codes of counts (`tests/benchmarks/code_lengths.py`) in English, Python, C, markup, JSON, lists of packages,
logs, CSV and messages in many languages, together with 3 % for all bytes equally, 10 % after bytes of 0x80 and more,
70 % after those of no text. They decide bits: a better table is another model.
"""


@attrs.frozen(eq=False)
class Codes:
    """The codes of an alphabet, of K classes and of k bits (`stackc.api.BitwisePredictor`).

    Attributes:
        classes: uint8[256], by the low byte of the symbol before.
        codes: uint32[K << k], at (class << k) + symbol: the decisions, after a one.
        sizes: uint8[K << k]: how many.
        steps: uint32[K << (k + 1)], at (class << (k + 1)) + 2 node + bit: the next node, or LEAF + symbol.
    """

    classes: Uint8
    codes: npt.NDArray[np.uint32]
    sizes: Uint8
    steps: npt.NDArray[np.uint32]


@functools.cache
def codes_of(depth: int) -> Codes:
    """The codes of symbols of `depth` bits: of bytes those above, of others their bits, most significant first."""
    classes = np.zeros(256, np.uint8)
    lengths = [np.full(1 << depth, depth, np.uint8)]
    if depth == 8:
        for number, members in enumerate(CLASSES):
            classes[list(members)] = number
        lengths = [np.array([int(digit, 16) for digit in row], np.uint8) for row in LENGTHS]
    codes = [canonical(sizes) for sizes in lengths]
    steps = [steps_of(*both) for both in zip(codes, lengths, strict=True)]
    return Codes(classes, np.concatenate(codes), np.concatenate(lengths), np.concatenate(steps))


def canonical(sizes: Uint8) -> npt.NDArray[np.uint32]:
    """uint32[A]: the codes of given lengths, after a one."""
    found = np.zeros(len(sizes), np.uint32)
    code = before = 0
    for symbol in np.argsort(sizes, kind="stable").tolist():
        size = int(sizes[symbol])
        code, before = code << (size - before), size
        found[symbol] = code | 1 << size
        code += 1
    return found


def steps_of(codes: npt.NDArray[np.uint32], sizes: Uint8) -> npt.NDArray[np.uint32]:
    """uint32[2 A]: from each node, where its two decisions lead. See `Codes.steps`."""
    inner = [codes[sizes > size] >> (sizes[sizes > size] - size) for size in range(int(sizes.max()))]
    nodes = np.unique(np.concatenate(inner))  # a one before the decisions sorts them by length and then by value
    after = np.concatenate([2 * nodes, 2 * nodes + 1]).reshape(2, -1).T.reshape(-1)
    symbols = np.argsort(codes)
    leaf = np.minimum(np.searchsorted(codes[symbols], after), len(codes) - 1)
    ends = codes[symbols[leaf]] == after
    steps = np.where(ends, LEAF | symbols[leaf], np.searchsorted(nodes, after))
    return np.resize(steps, 2 * len(codes)).astype(np.uint32)
