"""How training cuts its text: by words first, since phrases begin and end with words, and each distinct word once.

A text is the numbers of its words, NONE between documents. *Parts* are pieces inside a word, *phrases* are pieces of
several words. Phrases are nodes of a trie whose first level is the words: node w < W is word w, node W + p is phrase p.
Costs are integers. Of parses of equal cost the one whose last piece is longest wins, and so on to the front.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stackc.api import borrowed, inlined, kernel
from stackc_phrases.counting import BASIS, NONE, U, find, hashed

Row = Any
Index = Any  # an integer; a checker does not know the types that numba keeps apart
FAR = 1 << 60
"""A cost above all."""
RUN = 1 << 14
"""Words that are parsed optimally at a time."""


@inlined
def child_key(node: Any, word: Any) -> Any:
    return (U(node) << U(32) | U(word)) + U(1)


@kernel
def link(parents: Row, lasts: Row, wanted: Row, words: Index, keys: Row, children: Row, inner: Row) -> None:
    """Enter all phrases that are wanted, or begin one that is, into the table of children.

    Args:
        parents, lasts: int64[Q], each phrase's node without its last word, and that word; parents come first.
        wanted: bool[Q].
        inner: bool[W + Q], filled: whether a node has children.
    """
    used = wanted.copy()
    for phrase in range(len(parents) - 1, -1, -1):
        if used[phrase]:
            inner[parents[phrase]] = True
            if parents[phrase] >= words:
                used[parents[phrase] - words] = True
    for phrase in range(len(parents)):
        if used[phrase]:
            key = child_key(parents[phrase], lasts[phrase])
            slot = find(keys, key)
            keys[slot], children[slot] = key, words + phrase


@inlined
def child(keys: Row, children: Row, inner: Row, node: Index, word: Index) -> Index:
    """The node of one word more; NONE if no phrase continues so."""
    found = NONE
    if word >= 0 and inner[node]:
        slot = find(keys, child_key(node, word))
        if keys[slot] != 0:
            found = children[slot]
    return found


@kernel
def longest_phrases(
    text: Row, keys: Row, children: Row, inner: Row, alive: Row, words: Index, word_uses: Row, phrase_uses: Row
) -> None:  # fmt: skip
    """Parse a text from the left, the longest phrase first; count uses of phrases and of words outside phrases."""
    text, keys, children, inner, alive, word_uses, phrase_uses = borrowed(
        (text, keys, children, inner, alive, word_uses, phrase_uses)
    )
    at = 0
    while at < len(text):
        if text[at] < 0:
            at += 1
            continue
        node, best, size = np.int64(text[at]), NONE, 1
        step = 1
        while at + step < len(text):
            node = child(keys, children, inner, node, text[at + step])
            if node < 0:
                break
            step += 1
            if alive[node - words]:
                best, size = node - words, step
        if best >= 0:
            phrase_uses[best] += 1
        else:
            word_uses[text[at]] += 1
        at += size


@kernel
def cheapest_phrases(
    text: Row, keys: Row, children: Row, inner: Row, alive: Row, words: Index, word_cost: Row, phrase_cost: Row,
    word_uses: Row, phrase_uses: Row,
) -> None:  # fmt: skip
    """The same, with the parse of least cost."""
    text, keys, children, inner, alive, word_cost, phrase_cost, word_uses, phrase_uses = borrowed(
        (text, keys, children, inner, alive, word_cost, phrase_cost, word_uses, phrase_uses)
    )
    best, last, size = np.empty(RUN + 1, np.int64), np.empty(RUN + 1, np.int64), np.empty(RUN + 1, np.int64)
    begin = 0
    while begin < len(text):
        if text[begin] < 0:
            begin += 1
            continue
        end = begin
        while end < len(text) and text[end] >= 0 and end - begin < RUN:
            end += 1
        count = end - begin
        best[: count + 1] = FAR
        best[0] = 0
        for i in range(count):
            here, word = best[i], np.int64(text[begin + i])
            if here + word_cost[word] < best[i + 1]:
                best[i + 1], last[i + 1], size[i + 1] = here + word_cost[word], NONE, 1
            node, step = word, 1
            while i + step < count:
                node = child(keys, children, inner, node, text[begin + i + step])
                if node < 0:
                    break
                step += 1
                phrase = node - words
                if alive[phrase] and here + phrase_cost[phrase] < best[i + step]:
                    best[i + step], last[i + step], size[i + step] = here + phrase_cost[phrase], phrase, step
        i = count
        while i > 0:
            if last[i] >= 0:
                phrase_uses[last[i]] += 1
            else:
                word_uses[text[begin + i - 1]] += 1
            i -= size[i]
        begin = end


@kernel
def longest_parts(
    text: Row, begins: Row, ends: Row, uses: Row, keys: Row, parts: Row, alive: Row, lengths: Row, part_uses: Row
) -> None:  # fmt: skip
    """Parse distinct words from the left, the longest part first; count each part as often as its words are used."""
    text, keys, parts, alive, lengths, part_uses = borrowed((text, keys, parts, alive, lengths, part_uses))
    longest = lengths.max()
    for word in range(len(begins)):
        if uses[word] == 0:
            continue
        at = begins[word]
        while at < ends[word]:
            key, best, size = BASIS, np.int64(text[at]), 1
            for stop in range(at + 1, min(at + longest, ends[word]) + 1):
                key = hashed(key, text[stop - 1])
                slot = find(keys, key | U(1))
                if keys[slot] != 0 and alive[parts[slot]] and lengths[parts[slot]] == stop - at:
                    best, size = parts[slot], stop - at
            part_uses[best] += uses[word]
            at += size


@inlined
def cheapest(
    text: Row, begin: Index, end: Index, without: Index, keys: Row, parts: Row, alive: Row, lengths: Row,
    longest: Index, cost: Row, best: Row, last: Row,
) -> Index:  # fmt: skip
    """The least cost of text[begin:end] in parts other than `without`; `last` are the last parts of its beginnings."""
    size = end - begin
    best[: size + 1] = FAR
    best[0] = 0
    for low in range(size):
        key, here = BASIS, best[low]
        for high in range(low + 1, min(low + longest, size) + 1):
            byte = text[begin + high - 1]
            key = hashed(key, byte)
            part = np.int64(byte)
            if high - low > 1:
                slot = find(keys, key | U(1))
                if keys[slot] == 0:
                    continue
                part = parts[slot]
                if not alive[part] or part == without or lengths[part] != high - low:
                    continue
            if here + cost[part] < best[high]:
                best[high], last[high] = here + cost[part], part
    return best[size]


@kernel
def cost_of_words(
    text: Row, begins: Row, ends: Row, keys: Row, parts: Row, alive: Row, lengths: Row, cost: Row, word_cost: Row
) -> None:  # fmt: skip
    """The least cost of each distinct word in parts."""
    text, keys, parts, alive, lengths, cost, word_cost = borrowed((text, keys, parts, alive, lengths, cost, word_cost))
    most = (ends - begins).max()
    longest = lengths.max()
    best_, last_ = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    best, last = borrowed((best_, last_))
    for word in range(len(begins)):
        word_cost[word] = cheapest(
            text, begins[word], ends[word], NONE, keys, parts, alive, lengths, longest, cost, best, last
        )


@kernel
def cheapest_parts(
    text: Row, begins: Row, ends: Row, uses: Row, keys: Row, parts: Row, alive: Row, lengths: Row, cost: Row,
    part_uses: Row,
) -> None:  # fmt: skip
    """As `longest_parts`, with the parses of least cost."""
    text, keys, parts, alive, lengths, cost, part_uses = borrowed((text, keys, parts, alive, lengths, cost, part_uses))
    most = (ends - begins).max()
    longest = lengths.max()
    best_, last_ = np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    best, last = borrowed((best_, last_))
    for word in range(len(begins)):
        if uses[word] == 0:
            continue
        cheapest(text, begins[word], ends[word], NONE, keys, parts, alive, lengths, longest, cost, best, last)
        at = ends[word] - begins[word]
        while at > 0:
            part_uses[last[at]] += uses[word]
            at -= lengths[last[at]]


@kernel
def losses_of_parts(
    text: Row, begins: Row, keys: Row, parts: Row, alive: Row, lengths: Row, cost: Row, uses: Row, losses: Row
) -> None:  # fmt: skip
    """What the text would cost more without each part of more than one byte: uses x the difference of its own cost."""
    text, keys, parts, alive, lengths, cost, losses = borrowed((text, keys, parts, alive, lengths, cost, losses))
    longest = lengths.max()
    best, last = np.empty(longest + 1, np.int64), np.empty(longest + 1, np.int64)
    for part in range(256, len(begins)):
        if alive[part]:
            begin = begins[part]
            other = cheapest(
                text, begin, begin + lengths[part], part, keys, parts, alive, lengths, longest, cost, best, last
            )
            losses[part] = uses[part] * (other - cost[part])


@kernel
def losses_of_phrases(
    parents: Row, lasts: Row, sizes: Row, keys: Row, children: Row, inner: Row, alive: Row, words: Index,
    word_cost: Row, phrase_cost: Row, uses: Row, losses: Row,
) -> None:  # fmt: skip
    """The same of each phrase, whose words and shorter phrases would take its place."""
    keys, children, inner, alive, word_cost, phrase_cost, losses = borrowed(
        (keys, children, inner, alive, word_cost, phrase_cost, losses)
    )
    most = sizes.max()
    own, best = np.empty(most, np.int64), np.empty(most + 1, np.int64)
    for phrase in range(len(parents)):
        if not alive[phrase]:
            continue
        size, node = sizes[phrase], words + phrase
        for i in range(size - 1, 0, -1):
            own[i] = lasts[node - words]
            node = parents[node - words]
        own[0] = node
        best[: size + 1] = FAR
        best[0] = 0
        for i in range(size):
            best[i + 1] = min(best[i + 1], best[i] + word_cost[own[i]])
            node = own[i]
            for stop in range(i + 1, size):
                node = child(keys, children, inner, node, own[stop])
                if node < 0:
                    break
                if alive[node - words] and node - words != phrase:
                    best[stop + 1] = min(best[stop + 1], best[i] + phrase_cost[node - words])
        losses[phrase] = uses[phrase] * (best[size] - phrase_cost[phrase])
