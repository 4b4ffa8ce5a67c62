"""The id that ends a text in exports and tokenizers: one past a level's tokens, or code 0 if that is never written."""

from __future__ import annotations

from typing import Literal

from stackc.api.errors import StackcError
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level

EndId = Literal["next", "zero"]
"""`next`: the id V of an alphabet of V tokens. `zero`: code 0, which represents the empty text and is never written."""


def end_of_text(levels: list[Level], alphabet: int, choice: EndId = "next") -> int:
    """The id of the end of a text.

    Args:
        levels: the levels up to the one whose tokens are meant; none: the tokens are bytes.
        alphabet: V, the number of tokens.
        choice: which id.

    Raises:
        StackcError: `zero`, though texts may have the token 0: bytes, pieces, codes of more than one token,
            windows without a bit budget.
    """
    if choice == "next":
        return alphabet
    if not levels:
        raise StackcError(
            "--eos-id zero: bytes have no code that is never written; use next, with --dtype uint32 if it does not fit"
        )
    level = levels[-1]
    if isinstance(level.texts, Dictionary) or (level.spec.windowing.bits is not None and level.window_tokens == 1):
        return 0
    raise StackcError(
        f"{level.name}: --eos-id zero: its token 0 may occur in a text; only levels with one token for each code of a "
        "dictionary or of an equal-info window have a code that is never written; use next, with --dtype "
        "uint32 if it does not fit"
    )
