"""Numbers that bound everything: known without importing anything."""

from __future__ import annotations

PRECISION = 24
"""P: frequencies are counts out of 2^P."""

TOTAL = 1 << PRECISION
"""T = 2^P, the sum of every row of frequencies."""

MAX_ALPHABET = 1 << 20
"""The largest alphabet a level may read, so that every count can be at least 1 and still say something."""

MAX_COUNT = 1 << 38
"""Counts given to `normalise` stay below this, so that count * T fits in a signed 64-bit integer."""

MAX_WINDOW_SYMBOLS = 65_535
"""The largest symbol budget: every loop and every text is bounded."""

PROBABILITY_BITS = 16
"""The probability of a bit is an integer in 1 .. 2^16 - 1, of 2^16 (`stackc.api.BitwisePredictor`)."""

MAX_BITWISE_ALPHABET = 1 << 16
"""The largest alphabet of a model that codes bit by bit: 16 decisions a symbol."""
