"""Sizes of the model, and where its scratch memory keeps what."""

from __future__ import annotations

import numpy as np

from stackc_mixing.shapes import size

SEEKS, HASHES = 16, 48
"""Contexts, rounded up to whole vectors; hashes: those of the symbol, then those of the slots that are looked up, then
where these begin."""

SLOT = 16
"""Entries of a slot."""

ENTRIES, ENTRY_RATES, CELLS, CELL_RATES, MOVED_CELLS, PASTS, SCRATCH = 24, 40, 56, 64, 72, 80, 96
"""After the inputs, 24 at most, in the same array: of all contexts the maps' entries or scores and how fast they move;
of rich ones the nodes, how fast they move, and where to; of all, the histories. What inputs needed stays there for
learning."""

FEW, FEW_INPUTS = 5, 8
"""Contexts of the model with few; its inputs: theirs, two of the match, and one without context."""

FEW_SIZE, FEW_CONTEXTS = size(FEW_INPUTS), size(FEW)

FEW_MATCH, FEW_ZERO, FEW_ENTRIES, FEW_PASTS, FEW_SCRATCH = 5, 7, 8, 16, 24
"""Inputs after those of its contexts; behind the inputs the entries of their maps, and their histories."""

FEW_HASHES, FEW_SLOTS = 16, 24
"""Of its contexts, the hashes and the places of slots: 8 that are in use, then 8 that are being looked up, then where
the first slots of the symbol were looked up."""

FAR = 2
"""Its contexts from this one on have the slots of a symbol in one line of the cache, and read memory once a symbol. The
two before, which many symbols follow, would not find room there."""

OWN_SLOT = np.array([(1 << 32) - 1 if i < FAR else 3 * SLOT for i in range(8)], np.uint32)
"""By context, the bits of a slot's place that the decisions before it choose; all other bits are the first slot's."""

FEW_SETS = 4 * 256 * 8
"""Its sets of weights: by how near certainty the match is, by the last symbol and by the place in the symbol."""

FEW_RATE, FEW_RATE_MORE, FEW_RATE_BITS = 64, 64, 15
"""As in `Shape`."""

FEW_STEP = 6
"""Its maps move by 1 / 2^FEW_STEP of the error, and do not count."""

SIX, SIX_CONTEXTS = 6, size(6)
"""Contexts of the model with six. It has as many inputs as that with few, two of them of the match, and the same sizes,
but for these:"""

SIX_RATE, SIX_RATE_MORE, SIX_RATE_BITS, SIX_STEP = 80, 256, 17, 7

GUESSES = 1 << 16
"""Entries of the table of what followed two bytes, or one symbol of more, the last time. It decides no bit, but what is
fetched."""

BY_ORDER, BY_PARTIAL, BY_PAIR = 0, 6 * 4 * 16, 6 * 4 * 16 + 256
PAIRS = 1 << 14
SETS = BY_PAIR + PAIRS
"""Sets of weights. Two or three mix at a time (`stackc_mixing.shapes`): chosen by what is known (contexts, match), by
`partial`, and by a hash of the last two symbols and the decision."""

CLASSES = 8
"""Of bytes (`stackc_mixing.tables.CLASS`), by which scores and weights are chosen in the model with twelve contexts."""

KNOWN_AT, PARTIAL_AT = 0, 6 * 4 * 8 * CLASSES
COLUMN_AT = PARTIAL_AT + 256 * CLASSES
CLASSES_AT = COLUMN_AT + 4 * 128 * CLASSES
PAIR_AT = CLASSES_AT + 64 * CLASSES * CLASSES
TWELVE_SETS = PAIR_AT + PAIRS
"""Its sets of weights, of which five are added up: by what is known, the decision and the class of the last byte; by
`partial` and that class; by column, that class and the decision; by the classes of the last two bytes and `partial`;
and by a hash of the last two symbols and the decision."""

FINE = 2
"""Fractional bits that its weights have beyond those of other models: each of five moves by less."""

SCORE_RATE, SCORE_RATE_MORE, SCORE_RATE_BITS = 64, 256, 19
"""How fast its scores move: as the rates of weights in `Shape`."""

SCORE_BITS = 16
"""A score is a stretched probability with this many fractional bits more."""

POINTS = 32
"""Points of a refinement over the stretched probability, of 16 bits each: a row is one line of the cache."""

ROWS_1, ROWS_2 = 1 << 16, 1 << 12
"""Rows of the refinement by the last symbol, and by the hash of the last three. A large table for the second was worth
0.03 % and missed the cache at every bit."""

LONGEST, LEAST, LENGTHS = 400, 5, 32
"""Symbols that a match is looked back over, at most; that it has at least; and the number of classes of its length."""

FRESH_CELL = 1 << 31
"""A rich node that has seen nothing: probability one half."""

WORD, WORD_1, WORD_2, SOURCE, LENGTH, LINE, LINE_1, FIELD, AT, SEEN_BITS, NO_TEXT, ZEROS, SOLID = range(13)
MEMORY = 13
"""The memory besides the tables, int64: hashes of this word and the last two, where the match continues and its
length, where this line and the last began, the field of a table's row, the run's length so far, bits learned from,
and where the bytes end that are taken for numbers; of the model with twelve contexts, how many of the last bytes are
zeros, at most `MOST_ZEROS`, and the last eight bytes that are not, the last one lowest."""

MOST_ZEROS = 7

NO_TEXT_BYTES = 64
"""After a byte that no text has: so many bytes, itself included, are taken for numbers."""

STEADY, MOST, STRIDE = 30, 60, 4
"""Counts of rich nodes: exact up to the first, at most the second, and between them one step for every STRIDE bits."""

RATES = np.array([(65536 * 5) // (5 * (n + (STRIDE - 1) * max(n - STEADY, 0)) + 8) for n in range(64)], np.int64)
"""A rich node that has seen n bits moves by 1 / (n + 8/5), over 2^16."""

CONFIDENCE = np.array([512 * n // (2 * n + 1) for n in range(64)], np.int32)
"""n / (n + 1/2), over 2^8: what the probability of a rich node of count n weighs."""

MAP_RATES = np.array([(65536 * 2) // (2 * n + 3) for n in range(256)], np.int64)
"""A map's entry of count n moves by 1 / (n + 3/2), over 2^16."""

NOT_EMPTY = np.array([0] + [-1] * 255, np.int32)
"""A mask: history 0 has seen nothing."""

MOST_MAP, ZERO_COUNT, HIT_COUNT = 255, 30, 126
"""Counts of maps stop here; those of the map without context and of the match's are always so."""

SURE = 384
"""Weights do not learn from errors of up to so much, over 2^16: it compresses a little better."""

ENCODE, DECODE, LEARN = 0, 1, 2
"""What `stackc_mixing.kernels.run` does."""
