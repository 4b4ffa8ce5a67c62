"""What LLVM offers and numba does not: loads into the cache ahead of time, choices without a branch, and arrays without
reference counts.

For kernels that wait for memory or for branches that were guessed wrong, or that spend their time on reference counts:
measure before and after. They change no result, so a twin in plain Python does without them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

_TO_READ, _TO_WRITE = 0, 1
_ALL_CACHES, _DATA = 3, 1


def _prefetch(array: Any, index: Any, purpose: int) -> Any:
    """(signature, code generator) of `prefetch` and `prefetch_to_write`, as `numba.extending.intrinsic` expects."""
    if not (isinstance(array, types.Array) and isinstance(index, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(made.data, [arguments[1]])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [byte, word, word, word]), "llvm.prefetch.p0"
        )
        builder.call(function, [builder.bitcast(place, byte), word(purpose), word(_ALL_CACHES), word(_DATA)])
        return context.get_dummy_value()

    return types.void(array, index), generate


@intrinsic
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Inside a kernel, ``prefetch(array, index)``: begin to load what array[index] holds, which is soon read.

    It loads one line of the cache and changes nothing, so an index out of range does no harm.

    Args:
        array: contiguous, of one dimension.
        index: an unsigned integer; a negative one is not counted from the end.
    """
    return _prefetch(array, index, _TO_READ)


@intrinsic
def prefetch_to_write(typing_context: Any, array: Any, index: Any) -> Any:
    """Same as `prefetch`, for what is soon written: the line of the cache is taken from other processors at once."""
    return _prefetch(array, index, _TO_WRITE)


@intrinsic
def choose(typing_context: Any, condition: Any, one: Any, other: Any) -> Any:
    """Inside a kernel, ``choose(condition, one, other)``: same as ``one if condition else other``, without a branch.

    For conditions that cannot be foreseen: LLVM often makes a branch of the plain form. Both values are computed in any
    case.

    Args:
        condition: a boolean.
        one: a number, the result if the condition is true.
        other: a number of the same type, the result if not.
    """
    if not (isinstance(condition, types.Boolean) and isinstance(one, types.Number) and one == other):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        chosen = builder.select(*arguments)
        chosen.set_metadata("unpredictable", builder.module.add_metadata([]))
        return chosen

    return one(condition, one, other), generate


@intrinsic
def borrowed(typing_context: Any, arrays: Any) -> Any:
    """Inside a kernel, ``a, b = borrowed((a, b))``: the same arrays, whose references are not counted.

    numba counts them wherever a function that is compiled into its caller names an array, also in loops, and each count
    is an atomic operation in memory. For arguments of a kernel, which its caller keeps: an array that the kernel makes
    itself would be freed while it is used.

    Args:
        arrays: a tuple of arrays, each of any type.
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
