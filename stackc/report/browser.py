"""Text cut into its tokens: every window a piece that tells its code, text and bits. Any bytes; all of it escaped."""

from __future__ import annotations

import html
from collections.abc import Iterator

from stackc.api.messages import amount
from stackc.report.facts import Facts
from stackc.report.sample_text import Cutting

SHOWN_BYTES = 3072
"""Source bytes of the sample that are shown, at most."""

MAX_PIECES = 12000
"""Pieces on a page, over all its stacks and levels: about 120 bytes each."""

SHOWN_TOKENS = 8
"""Tokens of one window that are told."""

READ = "Text cut into pieces; the left and right arrow keys go from piece to piece"

SHADES = 5
"""Shades of cost; the middle of the scale is 2.5 bits a byte."""


def browser(fact: Facts, number: int, stacks: int = 1) -> str:
    """A switch of levels, and the text as each of them cuts it. Works without a script: radio buttons and style.

    Args:
        fact: of the stack.
        number: of the stack on its page, from 0.
        stacks: on the page, which share its pieces.
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
        what = "tokens that the top model reads" if cutting.top else "windows"
        note = (
            f"{html.escape(cutting.name)}: {what}, {mean:.2f} bytes each; here, the first {amount(len(data), 'byte')}"
        )
        pieces = "".join(_pieces(cutting, data))
        text = f'<pre tabindex="0" role="group" aria-label="{READ}">{pieces}</pre>'
        out.append(f'<section class="pane"><p class="note">{note}</p>{text}</section>')
    return "".join([*out, "</div>"])


def _shown_bytes(fact: Facts, most: int) -> int:
    """Source bytes that are shown: a quarter fewer, and again, until the pieces of all levels are at most `most`."""
    size = min(SHOWN_BYTES, len(fact.data))
    while size > 1 and sum(int((cutting.bytes[1:] <= size).sum()) for cutting in fact.cuttings) > most:
        size = size * 3 // 4
    return size


def _pieces(cutting: Cutting, data: bytes) -> Iterator[str]:
    """One element a window. A window that is less than a byte has an empty piece, shown as a mark."""
    ends = cutting.bytes.tolist()
    for i in range(len(cutting.symbols)):
        first, last = int(ends[i] + 1e-9), int(ends[i + 1] + 1e-9)
        if last > len(data):
            return
        text = shown(data[first:last])
        yield f'<b class="h{_shade(cutting, i)}" title="{html.escape(_told(cutting, i, last - first))}">{text}</b>'


def _told(cutting: Cutting, i: int, size: int) -> str:
    tokens = cutting.tokens[cutting.bounds[i] : cutting.bounds[i + 1]]
    listed = " ".join(str(int(token)) for token in tokens[:SHOWN_TOKENS]) + (
        " ..." if len(tokens) > SHOWN_TOKENS else ""
    )
    count = int(cutting.symbols[i])
    parts = [f"{'token' if cutting.top else 'code'} {listed}", amount(size, "byte")]
    if not cutting.top:
        parts.append(amount(count, "symbol"))
    if cutting.bits is not None:
        parts.append(f"{cutting.bits[i]:.2f} bits for the model")
    if not cutting.top:
        parts.append(f"{len(tokens) * cutting.token_bits:.4g} bits written")
    return " · ".join(parts)


def _shade(cutting: Cutting, i: int) -> int:
    """0 for cheap .. SHADES - 1 for dear, by bits a byte."""
    size = cutting.bytes[i + 1] - cutting.bytes[i]
    bits = len(cutting.tokens[cutting.bounds[i] : cutting.bounds[i + 1]]) * cutting.token_bits
    paid = bits if cutting.bits is None else float(cutting.bits[i])
    return min(SHADES - 1, int(paid / size)) if size > 0 else SHADES - 1


def shown(data: bytes) -> str:
    """Bytes as HTML: text where they are UTF-8, escapes for what is none and for what cannot be seen."""
    out = []
    for char in data.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char == "\n":
            out.append("<i>↵</i>\n")
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"<i>\\x{code - 0xDC00:02x}</i>")
        elif char.isprintable():
            out.append(html.escape(char))
        else:  # controls, and marks that turn the direction of text
            out.append(f"<i>{char.encode('unicode_escape').decode()}</i>")
    return "".join(out) or "<i>·</i>"
