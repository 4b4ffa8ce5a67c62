"""The model with some contexts in plain Python integers: which of those of `stackc_mixing.twins.many` it has."""

from __future__ import annotations

from stackc_mixing.shapes import SOME
from stackc_mixing.twins.many import Twin
from stackc_mixing.twins.numbers import chain


class SomeTwin(Twin):
    """A working copy, at the beginning of a run. Arguments: see `Twin`."""

    shape = SOME
    rates = (SOME.rate, SOME.rate_more, SOME.rate_bits)

    def _byte_contexts(self) -> list[int]:
        order_1, order_2, order_3, word, order_4, _, order_6, *more = super()._byte_contexts()
        _, column, last, field, _, _, two = more
        orders = [order_3, word, order_1, order_2, order_4, order_6]
        if len(self.text) >= self.no_text:
            return [*orders, column, two, field, last]
        c2, c3, c4, c6, c8 = (self._before(back) for back in (2, 3, 4, 6, 8))
        return [*orders, chain(c2, 16, c4), chain(c3, 17, c6), chain(c2, 18, c3), chain(c4, 19, c8)]

    def _token_contexts(self) -> list[int]:
        order_1, order_2, order_3, second, order_4, _, order_6, gap_1, gap_2, third, gap_3, *_ = (
            super()._token_contexts()
        )
        return [order_3, second, order_1, order_2, order_4, order_6, gap_2, gap_1, gap_3, third]
