"""Copies of compiled modules in which every index is compared with its array: numba checks none.

numba's own `boundscheck` lets negative indices pass, which count from the end. So the copy's source is changed instead:
each a[i] of a function becomes a[within(i, len(a))].
"""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import Any

import numba
from numba.core import types
from numba.extending import intrinsic


def jit(function: Any) -> Any:
    """In the place of `stackc.api.kernel`: kept nowhere, functions compiled alone, which is faster."""
    return numba.njit(nogil=True)(function)


def inner(function: Any) -> Any:
    """In the place of `stackc.api.kernels.inlined`: as `jit`, without what lets Python call it.

    That is a third of what compiling takes. Python must not call it: it would jump to address zero.
    """
    return numba.njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)


@intrinsic  # type: ignore[untyped-decorator]
def within(typing_context: Any, index: Any, size: Any) -> Any:
    """In a kernel, an index as an int64; an error if it is negative, so large that it becomes negative, or not below
    `size`. A function that numba compiles would take as long for each index as the rest of its line.
    """
    if not (isinstance(index, types.Integer) and isinstance(size, types.Integer)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = context.cast(builder, arguments[0], index, types.int64)
        length = context.cast(builder, arguments[1], size, types.int64)
        with builder.if_then(builder.icmp_unsigned(">=", found, length), likely=False):  # a negative one is very large
            context.call_conv.return_user_exc(builder, IndexError, ("an index out of its array",))
        return found

    return types.int64(index, size), generate


class _Bounded(ast.NodeTransformer):
    """Changes the bodies of a module's functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:  # the name that ast looks for
        node.body = [_Subscripts().visit(statement) for statement in node.body]
        return node


class _Subscripts(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.Subscript:  # the name that ast looks for
        self.generic_visit(node)
        if isinstance(node.slice, ast.Slice) or not isinstance(node.value, ast.Name):
            return node
        size = ast.Call(ast.Name("len", ast.Load()), [node.value], [])
        node.slice = ast.Call(ast.Name("within", ast.Load()), [node.slice, size], [])
        return node


def bounded(module: ModuleType, **names: Any) -> ModuleType:
    """A copy of a module of kernels; `names` take the place of what it imports, such as another module's copies."""
    tree = ast.fix_missing_locations(_Bounded().visit(ast.parse(inspect.getsource(module))))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            node.names = [one for one in node.names if one.name not in names]
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom) or node.names]
    copy = ModuleType(f"bounded_{module.__name__}")
    vars(copy).update({"within": within} | names)
    exec(compile(tree, f"bounded copy of {module.__name__}", "exec"), vars(copy))
    return copy
