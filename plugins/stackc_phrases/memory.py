"""What numba has no word for, and LLVM has: eight bytes at once, a load into the cache that nothing waits for, and
arrays without counts of references."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
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
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Begin to load the line of the cache that holds array[index] (unsigned). It changes nothing, not even faults."""
    if not (isinstance(array, types.Array) and isinstance(index, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(made.data, [arguments[1]])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
        )
        # To be read (0), to be kept in all caches (3), data (1).
        builder.call(function, [builder.bitcast(place, byte), word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@intrinsic
def borrowed(typing_context: Any, arrays: Any) -> Any:
    """A tuple of arrays as they are, but owned by nobody: their references are not counted.

    numba counts them wherever a function that is compiled into its caller names an array, also in loops, and each count
    is an atomic operation in memory. The caller has to keep the arrays while they are used.
    """
    tuples: Any = types
    if not (isinstance(arrays, tuples.BaseTuple) and all(isinstance(one, types.Array) for one in arrays)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = []
        for one, value in zip(arrays, cgutils.unpack_tuple(builder, arguments[0]), strict=True):
            array = context.make_array(one)(context, builder, value)
            array.meminfo = cgutils.get_null_value(array.meminfo.type)
            array.parent = cgutils.get_null_value(array.parent.type)
            made.append(array._getvalue())
        return context.make_tuple(builder, signature.return_type, made)

    return arrays(arrays), generate
