"""Text cut into its tokens, stacks side by side and line by line. Any bytes; all are escaped."""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from stackc.api.messages import amount
from stackc.report.facts import Facts
from stackc.report.sample_text import Cutting

SHOWN_BYTES = 3072
"""Source bytes of the sample to show, at most."""

MAX_PIECES = 12000
"""Windows on a page, over all its stacks and levels, at most: about 120 bytes of HTML each."""

SHOWN_TOKENS = 8
"""Tokens of one window to list, at most."""

READ = "text cut into windows; the left and right arrow keys move between them"

SHADES = 5
"""Shades of cost, one per bit per byte; the last one is for everything above."""

_LINE = re.compile(rb"[^\n]*\n+|[^\n]+")
"""A line, its end, and the empty lines after it."""


def groups_of(facts: Sequence[Facts]) -> list[list[int]]:
    """The stacks that are shown side by side, by their positions: those whose samples are the same text."""
    groups: dict[tuple[str, bytes], list[int]] = {}
    for number, fact in enumerate(facts):
        if _views(fact):
            groups.setdefault((fact.split, fact.data.tobytes()), []).append(number)
    return list(groups.values())


def browser(facts: Sequence[Facts], group: Sequence[int]) -> str:
    """Buttons for the levels, and below them a row for each line of the text, with a column for each stack.

    It works without a script: radio buttons, and the rules of `switches`. Several stacks are first shown as their top
    models read the text, which is comparable whatever their depth; one alone as its first level cuts it.

    Args:
        facts: all stacks of the page, which share `MAX_PIECES`.
        group: the positions of those to show, whose samples are equal.
    """
    shown_facts = [facts[number] for number in group]
    size = min(_shown_bytes(fact, MAX_PIECES // len(facts)) for fact in shown_facts)
    data = bytes(shown_facts[0].data[:size])
    lines = [match.end() for match in _LINE.finditer(data)]
    inputs, heads = [], []
    columns: list[list[str]] = [[] for _ in lines]
    for number, fact in zip(group, shown_facts, strict=True):
        views = _views(fact)
        first = len(views) - 1 if len(group) > 1 else 0
        labels, notes = [], []
        for k, cutting in enumerate(views):
            name = f"s{number}l{k}"
            title = html.escape(f"{cutting.name}{' (top)' if cutting.top else ''}")
            checked = " checked" if k == first else ""
            said = html.escape(f"{fact.label}: {cutting.name}{' (top)' if cutting.top else ''}")
            inputs.append(f'<input type="radio" name="s{number}" id="{name}" aria-label="{said}"{checked}>')
            labels.append(f'<label for="{name}">{title}</label>')
            notes.append(f'<p class="note view {name}">{_note(cutting, len(data))}</p>')
        stack = f'<strong class="own{number % 8}">{html.escape(fact.label)}</strong> ' if len(group) > 1 else ""
        heads.append(f"<div>{stack}{''.join(labels)}{''.join(notes)}</div>")
        cut = [list(_by_line(cutting, data, lines)) for cutting in views]
        for row in range(len(lines)):
            cell = "".join(_view(fact, views[k], f"s{number}l{k}", cut[k][row], row == 0) for k in range(len(views)))
            who = f' data-who="{html.escape(fact.label)}"' if len(group) > 1 else ""
            columns[row].append(f'<div class="cell own{number % 8}"{who}>{cell}</div>')
    rows = "".join(f'<div class="row">{"".join(cells)}</div>' for cells in columns)
    return (
        f'<div class="browser" style="--n:{len(group)}">{"".join(inputs)}'
        f'<div class="heads">{"".join(heads)}</div><div class="lines">{rows}</div></div>'
    )


def switches(facts: Sequence[Facts]) -> str:
    """The style rules of the radio buttons: each shows its own view, and is seen to be pressed."""
    names = [f"s{number}l{k}" for number, fact in enumerate(facts) for k in range(len(_views(fact)))]
    if not names:
        return ""
    views = ",".join(f"#{name}:checked~div .{name}" for name in names)
    pressed = ",".join(f"#{name}:checked~.heads label[for={name}]" for name in names)
    focused = ",".join(f"#{name}:focus-visible~.heads label[for={name}]" for name in names)
    return (
        f"{views}{{display:block}}{pressed}{{background:var(--link);border-color:var(--link);color:var(--paper)}}"
        f"{focused}{{outline:2px solid var(--ink);outline-offset:2px}}"
    )


def _views(fact: Facts) -> list[Cutting]:
    return [cutting for cutting in fact.cuttings if len(cutting.symbols)]


def _note(cutting: Cutting, size: int) -> str:
    mean = (cutting.bytes[-1] - cutting.bytes[0]) / len(cutting.symbols)
    what = "tokens that the top model reads" if cutting.top else "windows"
    return f"{html.escape(cutting.name)}: {what}, {mean:.2f} bytes each; here, the first {amount(size, 'byte')}"


def _view(fact: Facts, cutting: Cutting, name: str, pieces: str, first: bool) -> str:
    """One line as one level cuts it. The first line of each level can be focused; the arrow keys go through all."""
    said = html.escape(f"{fact.label}, {cutting.name}: {READ}")
    focus = f' tabindex="0" role="group" aria-label="{said}"' if first else ""
    return f'<pre class="view {name}" data-view="{name}"{focus}>{pieces}</pre>'


def _shown_bytes(fact: Facts, most: int) -> int:
    """Source bytes to show: a quarter fewer, repeatedly, until all levels together have at most `most` pieces."""
    size, data = min(SHOWN_BYTES, len(fact.data)), fact.data.tobytes()
    while size > 1 and _pieces(fact, data, size) > most:
        size = size * 3 // 4
    return size


def _pieces(fact: Facts, data: bytes, size: int) -> int:
    """Windows in the first `size` bytes at all levels, with one more for each line that may cut one."""
    lines = data.count(b"\n", 0, size)
    return sum(int((cutting.bytes[1:] <= size).sum()) + lines for cutting in fact.cuttings)


def _by_line(cutting: Cutting, data: bytes, lines: list[int]) -> Iterator[str]:
    """The elements of each line: one per window, or one per line that a window has a part of.

    A window of less than a byte has no text and is shown as a mark.
    """
    cells: list[list[str]] = [[] for _ in lines]
    ends = cutting.bytes.tolist()
    for i in range(len(cutting.symbols)):
        first, last = int(ends[i] + 1e-9), int(ends[i + 1] + 1e-9)
        if last > len(data):
            break
        row = min(bisect_right(lines, first), len(lines) - 1)
        if last <= lines[row]:
            cells[row].append(_piece(cutting, i, data[first:last], data[first:last]))
            continue
        start, part = first, 0
        while start < last:
            end = min(last, lines[row])
            cells[row].append(_piece(cutting, i, data[first:last], data[start:end], part))
            start, row, part = end, row + 1, part + 1
    yield from map("".join, cells)


def _piece(cutting: Cutting, i: int, whole: bytes, seen: bytes, part: int | None = None) -> str:
    """A window, or one of its parts: those have the window's number and whole text, and all but the first a mark."""
    parts = "" if part is None else f' data-w="{i}" data-text="{html.escape(_plain(whole))}"'
    kind = f"h{_shade(cutting, i)}{' more' if part else ''}"
    return f'<b class="{kind}"{parts} title="{html.escape(_told(cutting, i, len(whole)))}">{shown(seen)}</b>'


def _told(cutting: Cutting, i: int, size: int) -> str:
    tokens = cutting.tokens[cutting.bounds[i] : cutting.bounds[i + 1]].tolist()
    listed = " ".join(map(str, tokens[:SHOWN_TOKENS])) + (" ..." if len(tokens) > SHOWN_TOKENS else "")
    parts = [f"{'token' if cutting.top else 'code'} {listed}", amount(size, "byte")]
    if not cutting.top:
        parts.append(amount(int(cutting.symbols[i]), "symbol"))
    if cutting.bits is not None:
        parts.append(f"{cutting.bits[i]:.2f} bits for the model")
    if not cutting.top:
        parts.append(f"{len(tokens) * cutting.token_bits:.4g} bits written")
    return " · ".join(parts)


def _shade(cutting: Cutting, i: int) -> int:
    """0 (cheap) .. SHADES - 1 (expensive), by bits per byte."""
    size = cutting.bytes[i + 1] - cutting.bytes[i]
    bits = len(cutting.tokens[cutting.bounds[i] : cutting.bounds[i + 1]]) * cutting.token_bits
    paid = bits if cutting.bits is None else float(cutting.bits[i])
    return min(SHADES - 1, int(paid / size)) if size > 0 else SHADES - 1


def shown(data: bytes) -> str:
    """Bytes as HTML: text if they are UTF-8, escapes for invalid bytes and invisible characters."""
    out = []
    for char in data.decode("utf-8", "surrogateescape"):
        if char == "\n":
            out.append("<i>↵</i>\n")
        elif char.isprintable():
            out.append(html.escape(char))
        else:
            out.append(f"<i>{_escape(char)}</i>")
    return "".join(out) or "<i>·</i>"


def _plain(data: bytes) -> str:
    """The same as text, without elements."""
    return "".join(
        "↵" if char == "\n" else char if char.isprintable() else _escape(char)
        for char in data.decode("utf-8", "surrogateescape")
    )


def _escape(char: str) -> str:
    """A byte that is not text, a control character, or a mark that changes the direction of text."""
    code = ord(char)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else char.encode("unicode_escape").decode()
