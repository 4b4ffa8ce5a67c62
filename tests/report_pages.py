"""What tests read from a page of `stackc report`."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

HOSTILE = b'<script>alert("1")</script>&amp; \xff\xfe </pre><b title="x">\n' * 3


VOID = {"meta", "input", "br"}


class Page(HTMLParser):
    """Elements with their attributes; fails where a closing tag has no opening one."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str, key: str) -> list[str]:
        return [str(attrs[key]) for name, attrs in self.elements if name == tag and key in attrs]


def panes(text: str) -> dict[str, str]:
    """The text as each stack's levels cut it, by their names on the page, of all lines together."""
    found: dict[str, str] = {}
    for view, line in re.findall(r'<pre class="[^"]*" data-view="([^"]*)"[^>]*>(.*?)</pre>', text, re.DOTALL):
        found[view] = found.get(view, "") + line
    return found


APART = "different texts: stacks cannot be compared."


def warnings(text: str) -> dict[str, str]:
    """The warnings of a page, by figure; that of the table has no name."""
    found = {}
    for part in re.split(r'(?=<figure id=")', text):
        key = re.match(r'<figure id="([^"]+)"', part)
        if said := re.search(r'<p class="warning">(.*?)</p>', part):
            found[key[1] if key else ""] = html.unescape(re.sub("<[^>]*>", "", said[1]))
    return found
