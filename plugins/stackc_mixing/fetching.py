"""What numba has no word for, and LLVM has: a load into the cache that nothing waits for, arrays without counts of
references, and arrays of the function itself, which may become registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


@intrinsic
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Begin to load the line of the cache that holds array[index] (unsigned). It changes nothing, not even faults."""
    if not (isinstance(array, types.Array) and isinstance(index, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(made.data, [arguments[1]])
        byte = ir.IntType(8).as_pointer()
        word = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
        )
        # To be written (1), to be kept in all caches (3), data (1).
        builder.call(function, [builder.bitcast(place, byte), word(1), word(3), word(1)])
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
