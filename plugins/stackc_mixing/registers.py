"""What LLVM offers and numba does not: arrays of the function itself, which may become registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


@intrinsic(prefer_literal=True)
def local(typing_context: Any, count: Any, kind: Any) -> Any:
    """A new array of `count` (a constant) zeros of an integer type, for as long as the caller runs.

    Nothing else can point to it, so that LLVM keeps in registers what is written there and read again.
    """
    if not (isinstance(count, types.IntegerLiteral) and isinstance(kind, types.NumberClass)):
        return None
    made = types.Array(kind.dtype, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        size, width = count.literal_value, kind.dtype.bitwidth
        cells = ir.ArrayType(ir.IntType(width), size)
        place = cgutils.alloca_once(builder, cells)
        builder.store(cgutils.get_null_value(cells), place)
        word = context.get_constant
        array = context.make_array(made)(context, builder)
        context.populate_array(
            array,
            data=builder.bitcast(place, array.data.type),
            shape=[word(types.intp, size)],
            strides=[word(types.intp, width // 8)],
            itemsize=word(types.intp, width // 8),
            meminfo=None,
        )
        return array._getvalue()

    return made(count, kind), generate
