"""Where the tables keep what a context has seen: see `stackc_mixing.kernels`."""

from __future__ import annotations

from stackc.api import inlined, prefetch_to_write
from stackc_mixing.contexts import hashed_lanes
from stackc_mixing.integers import Int, Row, i64, u8, u32, u64
from stackc_mixing.layout import FAR, FRESH_CELL, OWN_SLOT, SEEKS, SLOT
from stackc_mixing.shapes import Shape, Size
from stackc_mixing.tables import SEEN
from stackc_mixing.vectors import LANES, load, shift_in_zeros, splat, store


@inlined
def rich_slot(rich: Row, a: Int, h: Int, spare: Int) -> Int:
    """The slot of a context: of one that is new, `spare`, or if that is -1, the place of the least seen."""
    check = u32(h) & u32(0xFFFF)
    b, c = a ^ u64(SLOT), a ^ u64(2 * SLOT)
    if (rich[a] & u32(0xFFFF)) == check:
        return a
    if (rich[b] & u32(0xFFFF)) == check:
        return b
    if (rich[c] & u32(0xFFFF)) == check:
        return c
    if spare >= 0:
        return u64(spare)
    seen_a, seen_b = rich[a + u64(1)] & u32(0x3F00), rich[b + u64(1)] & u32(0x3F00)
    if seen_b < seen_a:
        a, seen_a = b, seen_b
    if (rich[c + u64(1)] & u32(0x3F00)) < seen_a:
        a = c
    rich[a] = check
    for k in range(u64(1), u64(SLOT)):
        rich[a + k] = u32(FRESH_CELL)
    return a


@inlined
def lean_slot(lean: Row, a: Int, h: Int, spare: Int) -> Int:
    """Same as `rich_slot`, for lean slots."""
    check = u8(h)
    b, c = a ^ u64(SLOT), a ^ u64(2 * SLOT)
    if lean[a] == check:
        return a
    if lean[b] == check:
        return b
    if lean[c] == check:
        return c
    if spare >= 0:
        return u64(spare)
    seen_a, seen_b = SEEN[lean[a + u64(1)]], SEEN[lean[b + u64(1)]]
    if seen_b < seen_a:
        a, seen_a = b, seen_b
    if SEEN[lean[c + u64(1)]] < seen_a:
        a = c
    lean[a] = check
    for k in range(u64(1), u64(SLOT)):
        lean[a + k] = u8(0)
    return a


@inlined
def slot_masks(shape: Shape, rich: Row, lean: Row, masks: Row) -> None:
    """What bounds the slots of each context: the last slot of a table is the empty one."""
    for i in range(u64(SEEKS)):
        masks[i] = (len(rich) >> 4) - 2 if i < u64(len(shape.rich)) else (len(lean) >> 4) - 2


@inlined
def seek_slots(shape: Shape, rich: Row, lean: Row, masks: Row, hashes: Row, partial: Int) -> None:
    """Where the slots of all contexts begin for the decisions after `partial`, and fetch them.

    A slot is one of three: that one, and those with 1 and 2 changed, all in the same line of the cache. Called one
    decision before `open_slots`, without the last bit: the memory answers while that decision is coded.
    """
    for j in range(0, SEEKS, LANES):
        h = hashed_lanes(load(hashes, u64(j)), splat(partial))
        store(hashes, u64(SEEKS + j), h)
        slot = shift_in_zeros(h * splat(0xC2B2AE35), splat(4)) & load(masks, u64(j))
        store(hashes, u64(2 * SEEKS + j), slot << splat(4))
    for i in range(u64(len(shape.rich))):
        prefetch_to_write(rich, u64(hashes[u64(2 * SEEKS) + i]))
    for i in range(u64(len(shape.far)), u64(len(shape.rich))):
        prefetch_to_write(rich, u64(hashes[u64(2 * SEEKS) + i]) ^ u64(SLOT))
        prefetch_to_write(rich, u64(hashes[u64(2 * SEEKS) + i]) ^ u64(2 * SLOT))
    for i in range(u64(len(shape.rich)), u64(len(shape.contexts))):
        prefetch_to_write(lean, u64(hashes[u64(2 * SEEKS) + i]))


@inlined
def open_slots(shape: Shape, rich: Row, lean: Row, hashes: Row, slots: Row, bit: Int, keep: Int) -> None:
    """The slots of all contexts, where `seek_slots` found that they begin.

    Args:
        bit: the last of the bits that the slots depend on; it is in the check alone.
        keep: whether the tables stay as they are: contexts that are not there get the empty slot behind the table.
    """
    spare_rich = i64(len(rich) - SLOT) if keep else i64(-1)
    spare_lean = i64(len(lean) - SLOT) if keep else i64(-1)
    for i in range(u64(len(shape.rich))):
        slots[i] = rich_slot(rich, u64(hashes[u64(2 * SEEKS) + i]), hashes[u64(SEEKS) + i] + u32(bit), spare_rich)
    for i in range(u64(len(shape.rich)), u64(len(shape.contexts))):
        slots[i] = lean_slot(lean, u64(hashes[u64(2 * SEEKS) + i]), hashes[u64(SEEKS) + i] + u32(bit), spare_lean)


@inlined
def lean_places(lean: Row, h: Int) -> Int:
    """Vector: where the slots of all contexts begin, by their hashes, in a model without rich slots."""
    return (shift_in_zeros(h * splat(0xC2B2AE35), splat(4)) & splat((len(lean) >> 4) - 2)) << splat(4)


@inlined
def seek_lean_symbol(contexts: Size, lean: Row, hashes: Row, slots: Row, h: Int) -> None:
    """As `seek_slots`, of a model without rich slots, for the first decisions of a symbol.

    Args:
        h: vector: the hashes of all contexts.
    """
    store(hashes, u64(LANES), h)
    first = lean_places(lean, h)
    store(slots, u64(LANES), first)
    store(slots, u64(2 * LANES), first)
    for i in range(u64(len(contexts))):
        prefetch_to_write(lean, u64(slots[u64(LANES) + i]))


@inlined
def seek_lean_slots(lean: Row, hashes: Row, slots: Row, h: Int) -> None:
    """The same for later decisions of the symbol, of hashes that depend on those before.

    Short contexts have slots of their own; those of the others stay in the line that the symbol's first decisions have.
    """
    own = load(OWN_SLOT, u64(0))
    first = load(slots, u64(2 * LANES))
    store(hashes, u64(LANES), h)
    store(slots, u64(LANES), first ^ ((first ^ lean_places(lean, h)) & own))
    for i in range(u64(FAR)):
        prefetch_to_write(lean, u64(slots[u64(LANES) + i]))


@inlined
def open_lean_slots(contexts: Size, lean: Row, hashes: Row, slots: Row, bit: Int, keep: Int) -> None:
    """The same of a model without rich slots, whose places to look at are in `slots`, behind those in use."""
    spare = i64(len(lean) - SLOT) if keep else i64(-1)
    for i in range(u64(len(contexts))):
        slots[i] = lean_slot(lean, u64(slots[u64(LANES) + i]), hashes[u64(LANES) + i] + u32(bit), spare)


@inlined
def known_order(shape: Shape, rich: Row, lean: Row, slots: Row) -> Int:
    """How many of the contexts that are orders have been seen; at most 5."""
    order = i64(0)
    for i in range(u64(len(shape.order_6) + 1)):
        if i != u64(len(shape.word)):
            seen = rich[slots[i] + u64(1)] & u32(0x3F00) if i < u64(len(shape.rich)) else u32(lean[slots[i] + u64(1)])
            order += i64(seen != 0)
    return min(order, i64(5))


@inlined
def node_of(partial: Int, k: Int) -> Int:
    """The node of a slot: the bits since the slot was opened, after a one."""
    inner = u32(k & 3)
    return u64((u32(1) << inner) | (partial & ((u32(1) << inner) - u32(1))))
