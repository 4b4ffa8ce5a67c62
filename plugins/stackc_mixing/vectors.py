"""Vectors of eight integers of 32 bits: a type for numba, whose own arrays become vectors only if LLVM finds so.

They are LLVM's vectors, with the same answers on every machine: operations wrap around as machine words do, and a
machine without registers of that width computes in parts.

    total(load(x, 0) * load(weights, begin) >> splat(8))
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.datamodel import PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.extending import intrinsic, lower_builtin, type_callable

LANES = 8

_WORD = ir.IntType(32)
_WORDS = ir.VectorType(_WORD, LANES)


class Vector(types.Type):
    """int32[LANES] in a register."""

    def __init__(self) -> None:
        super().__init__(name=f"int32x{LANES}")


vector = Vector()


@register_default(Vector)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _WORDS)


def _operation(function: Any, instruction: str) -> None:
    """Let an operator of two vectors be an instruction, lane by lane."""

    @type_callable(function)
    def _type(context: Any) -> Any:
        return lambda a, b: vector if a is vector and b is vector else None

    @lower_builtin(function, Vector, Vector)
    def _lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments)


_operation(operator.add, "add")
_operation(operator.sub, "sub")
_operation(operator.mul, "mul")
_operation(operator.and_, "and_")
_operation(operator.or_, "or_")
_operation(operator.xor, "xor")
_operation(operator.lshift, "shl")
_operation(operator.rshift, "ashr")


@intrinsic
def shift_in_zeros(typing_context: Any, a: Any, b: Any) -> Any:
    """a >> b of lanes without a sign."""
    return vector(a, b), lambda context, builder, signature, arguments: builder.lshr(*arguments)


def _chosen(sign: str) -> Any:
    def choose(typing_context: Any, a: Any, b: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.select(builder.icmp_signed(sign, *arguments), *arguments)

        return vector(a, b), generate

    return intrinsic(choose)


least, most = _chosen("<"), _chosen(">")
"""Of two vectors, lane by lane."""


@intrinsic
def splat(typing_context: Any, number: Any) -> Any:
    """The same number in every lane: its low 32 bits."""
    if not isinstance(number, types.Integer):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = context.cast(builder, arguments[0], signature.args[0], types.int32)
        one = builder.insert_element(ir.Constant(_WORDS, ir.Undefined), word, _WORD(0))
        return builder.shuffle_vector(one, ir.Constant(_WORDS, ir.Undefined), ir.Constant(_WORDS, [_WORD(0)] * LANES))

    return vector(types.int32), generate


@intrinsic
def total(typing_context: Any, a: Any) -> Any:
    """The sum of the lanes, an int32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0]
        for half in (4, 2, 1):
            moved = [_WORD((i + half) % LANES) for i in range(LANES)]
            other = builder.shuffle_vector(value, value, ir.Constant(_WORDS, moved))
            value = builder.add(value, other)
        return builder.extract_element(value, _WORD(0))

    return types.int32(a), generate


def _place(context: Any, builder: Any, array: Any, value: Any, index: Any) -> Any:
    made = context.make_array(array)(context, builder, value)
    return builder.bitcast(builder.gep(made.data, [index]), _WORDS.as_pointer())


def _words(array: Any, index: Any) -> bool:
    return isinstance(array, types.Array) and array.dtype.bitwidth == 32 and isinstance(index, types.Integer)


@intrinsic
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """array[index : index + LANES] of an array of 32-bit integers, not checked; index is unsigned."""
    if not _words(array, index):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], *arguments)
        return builder.load(place, align=4)

    return vector(array, types.uint64), generate


@intrinsic
def store(typing_context: Any, array: Any, index: Any, value: Any) -> Any:
    """array[index : index + LANES] = value, not checked; index is unsigned."""
    if not _words(array, index):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _place(context, builder, signature.args[0], arguments[0], arguments[1])
        builder.store(arguments[2], place, align=4)
        return context.get_dummy_value()

    return types.void(array, types.uint64, value), generate
