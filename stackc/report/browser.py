"""Text cut into its tokens: every window is an element with its code, text and bits. Any bytes; all are escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator

from stackc.api.messages import amount
from stackc.report.facts import Facts
from stackc.report.sample_text import Cutting

SHOWN_BYTES = 3072
"""Source bytes of the sample to show, at most."""

MAX_PIECES = 12000
"""Windows on a page, over all its stacks and levels, at most: about 120 bytes of HTML each."""

SHOWN_TOKENS = 8
"""Tokens of one window to list, at most."""

READ = "Text cut into windows; the left and right arrow keys move between them"

SHADES = 5
"""Shades of cost, one per bit per byte; the last one is for everything above."""


def browser(fact: Facts, number: int, stacks: int = 1) -> str:
    """Buttons for the levels, and the text as each of them cuts it. It works without a script: radio buttons and style.

    Args:
        fact: the stack.
        number: its position on the page, from 0.
        stacks: number of stacks on the page, which share `MAX_PIECES`.
    """
    data = bytes(fact.data[: _shown_bytes(fact, MAX_PIECES // stacks)])
    views = [cutting for cutting in fact.cuttings if len(cutting.symbols)]
    if not views:
        return ""
    out = ['<div class="browser">']
    for k, cutting in enumerate(views):
        checked = " checked" if k == 0 else ""
        name = f"s{number}l{k}"
        out.append(f'<input type="radio" name="s{number}" id="{name}"{checked}>')
        out.append(f'<label for="{name}">{html.escape(cutting.name)}{" (top)" if cutting.top else ""}</label>')
    for cutting in views:
        mean = (cutting.bytes[-1] - cutting.bytes[0]) / len(cutting.symbols)
        what = f"{'tokens that the top model reads' if cutting.top else 'windows'}, {mean:.2f} bytes each"
        note = f"{html.escape(cutting.name)}: {what}; here, the first {amount(len(data), 'byte')}"
        pieces = "".join(_pieces(cutting, data))
        text = f'<pre tabindex="0" role="group" aria-label="{READ}">{pieces}</pre>'
        out.append(f'<section class="pane"><p class="note">{note}</p>{text}</section>')
    return "".join([*out, "</div>"])


def _shown_bytes(fact: Facts, most: int) -> int:
    """Source bytes to show: a quarter fewer, repeatedly, until all levels together have at most `most` windows."""
    size = min(SHOWN_BYTES, len(fact.data))
    while size > 1 and sum(int((cutting.bytes[1:] <= size).sum()) for cutting in fact.cuttings) > most:
        size = size * 3 // 4
    return size


def _pieces(cutting: Cutting, data: bytes) -> Iterator[str]:
    """One element per window. A window of less than a byte has no text and is shown as a mark."""
    ends = cutting.bytes.tolist()
    for i in range(len(cutting.symbols)):
        first, last = int(ends[i] + 1e-9), int(ends[i + 1] + 1e-9)
        if last > len(data):
            return
        text = shown(data[first:last])
        yield f'<b class="h{_shade(cutting, i)}" title="{html.escape(_told(cutting, i, last - first))}">{text}</b>'


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
        code = ord(char)
        if char == "\n":
            out.append("<i>↵</i>\n")
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"<i>\\x{code - 0xDC00:02x}</i>")
        elif char.isprintable():
            out.append(html.escape(char))
        else:  # control characters, and marks that change the direction of text
            out.append(f"<i>{char.encode('unicode_escape').decode()}</i>")
    return "".join(out) or "<i>·</i>"
