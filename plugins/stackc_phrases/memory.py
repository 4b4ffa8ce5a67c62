"""What LLVM offers and numba does not: eight bytes, or two tokens, at once."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


@intrinsic
def eight(typing_context: Any, text: Any, place: Any) -> Any:
    """text[place : place + 8] of bytes as one integer, the first byte lowest; not checked, place is unsigned."""
    if not (isinstance(text, types.Array) and text.dtype.bitwidth == 8 and isinstance(place, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(text, types.uint64), generate


@intrinsic
def put_eight(typing_context: Any, words: Any, place: Any, value: Any) -> Any:
    """words[place], words[place + 1] = the low and the high half of `value`; not checked, all are unsigned."""
    if not (isinstance(words, types.Array) and words.dtype.bitwidth == 32 and isinstance(place, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(made.data, [arguments[1]]), ir.IntType(64).as_pointer())
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.void(words, types.uint64, types.uint64), generate
