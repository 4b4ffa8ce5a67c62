"""Training: candidates are counted, then the text is cut again and again, and the least useful pieces are dropped.

A round parses the text with the pieces that are left, derives each one's cost from how often it was used, and drops
some: those used least (`use`), or those without which the text would cost least more (`unigram`; what takes the place
of a piece is the cheapest parse of its own text in the others). The number of pieces falls by the same factor in each
round. Everything is integers, and nothing is done in threads, so the same text gives the same pieces everywhere.
"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from stackc.api import LOG_BITS, Int64, Mask, Text, kernel, log2_fixed
from stackc_phrases import counting, parsing
from stackc_phrases.candidates import find_parts, find_phrases, find_words, sampled
from stackc_phrases.config import BYTES, PhrasesConfig
from stackc_phrases.pieces import Pieces
from stackc_phrases.words import words_of_piece

Row = Any

COST_BITS = LOG_BITS
"""Fractional bits of a cost."""

SEEDS = 8
"""Candidates that training starts from, as a multiple of the vocabulary."""

RARE = 8
"""Candidates occur at least 1/RARE as often as the last of the V most frequent words."""


@kernel
def costs_of(uses: Row, surcharge: int, out: Row) -> None:
    """-log2 of each piece's share of all uses, 1 at least, and the surcharge. An unused piece counts as used once."""
    total = 1
    for use in uses:
        total += use
    every = log2_fixed(total)
    for i in range(len(uses)):
        out[i] = max(1, every - log2_fixed(max(uses[i], 1))) + surcharge


@kernel
def enter(text: Row, begins: Row, lengths: Row, keys: Row, slots: Row) -> None:
    """Fill a table of parts by their hashes."""
    for part in range(len(begins)):
        slot = counting.find(keys, counting.text_hash(text, begins[part], begins[part] + lengths[part]))
        keys[slot], slots[slot] = counting.text_hash(text, begins[part], begins[part] + lengths[part]), part


@attrs.define(eq=False)
class Kept:
    """Candidates of one kind: which are left, how often each was used, and what it costs."""

    alive: Mask
    uses: Int64
    costs: Int64


class Trainer:
    """Candidates, and what is left of them.

    Args:
        train: the text.
        config: the coder's.
    """

    def __init__(self, train: Text, config: PhrasesConfig) -> None:
        self.config = config
        self.optimal, self.by_loss = config.parse == "optimal", config.objective == "unigram"
        source, offsets = sampled(train, config.sample)
        if not len(source):  # nothing to learn from: as if it were one byte
            source, offsets = np.zeros(1, np.uint8), np.array([0, 1], np.int64)
        self.words = find_words(source, offsets, config.candidates)
        counts = self.words.counts
        at_border = int(counts[config.vocabulary - 1]) if len(counts) >= config.vocabulary else 0
        least = max(2, at_border // RARE)
        parts = find_parts(source, self.words, least, config.candidates)
        self.phrases = find_phrases(self.words, config.words, least, config.candidates)
        # The bytes are parts 0 .. 255, read from behind the text.
        self.text = np.concatenate([source, np.arange(BYTES, dtype=np.uint8)])
        worth = np.concatenate([parts.counts * (parts.lengths - 1), self.phrases.counts * (self.phrases.lengths - 1)])
        chosen = np.zeros(len(worth), np.bool_)
        chosen[np.argsort(-worth, kind="stable")[: SEEDS * config.vocabulary]] = True
        some = chosen[: len(parts.begins)]
        self.begins = np.concatenate([len(source) + np.arange(BYTES), parts.begins[some]])
        self.lengths = np.concatenate([np.ones(BYTES, np.int64), parts.lengths[some]])
        slots = 1 << int(2 * len(self.begins)).bit_length()
        self.keys, self.slots = np.zeros(slots, np.uint64), np.zeros(slots, np.int32)
        enter(self.text, self.begins, self.lengths, self.keys, self.slots)
        # The first costs: as if every occurrence were a use.
        uses = np.concatenate([np.ones(BYTES, np.int64), parts.counts[some]])
        alive = chosen[len(parts.begins) :]
        self._refuse_doubtful(alive)
        self.parts = Kept(np.ones(len(uses), np.bool_), uses, uses)
        self.several = Kept(alive, self.phrases.counts * alive, self.phrases.counts)
        self._cost()

    def run(self) -> Pieces:
        """Train, and return the pieces."""
        wanted, seeds = self.config.vocabulary, self.left()
        self.parse()
        for turn in range(self.config.rounds):
            share = 1 - (turn + 1) / self.config.rounds
            self.drop(max(wanted, round(wanted * (seeds / wanted) ** share)))
            self.parse()
        self.parse()
        return self.pieces()

    def left(self) -> int:
        """The number of pieces that are left."""
        return int(self.parts.alive.sum() + self.several.alive.sum())

    def spelt(self, phrase: int) -> bytes:
        """The text of a phrase."""
        words, node, found = len(self.words.begins), len(self.words.begins) + phrase, []
        while node >= words:
            found.append(int(self.phrases.lasts[node - words]))
            node = int(self.phrases.parents[node - words])
        return b"".join(self._word(word) for word in reversed([*found, node]))

    def _word(self, word: int) -> bytes:
        return self.text[self.words.begins[word] : self.words.ends[word]].tobytes()

    def _refuse_doubtful(self, alive: Mask) -> None:
        """Drop phrases that are other words where a letter comes before: `'` and `s` are a contraction then."""
        quoted = [self._word(word).startswith(b"'") for word in range(len(self.words.begins))]
        first = np.arange(len(self.words.begins) + len(self.phrases.parents))
        _first_words(self.phrases.parents, len(self.words.begins), first)
        for phrase in np.flatnonzero(alive & np.array(quoted, np.bool_)[first[len(self.words.begins) :]]).tolist():
            alive[phrase] = len(words_of_piece(self.spelt(phrase))) == self.phrases.sizes[phrase]

    def _cost(self) -> None:
        uses = np.concatenate([self.parts.uses, self.several.uses])
        costs = np.empty(len(uses), np.int64)
        costs_of(uses, self.config.surcharge << COST_BITS, costs)
        self.parts.costs, self.several.costs = costs[: len(self.parts.uses)], costs[len(self.parts.uses) :]

    def _link(self) -> tuple[Any, Any, Any]:
        """The trie of the phrases that are left: keys, children, and which nodes have any."""
        phrases, words = self.phrases, len(self.words.begins)
        slots = 1 << (2 * max(1, self.config.words * int(self.several.alive.sum()))).bit_length()
        keys, children = np.zeros(slots, np.uint64), np.zeros(slots, np.int64)
        inner = np.zeros(words + len(phrases.parents), np.bool_)
        parsing.link(phrases.parents, phrases.lasts, self.several.alive, words, keys, children, inner)
        return keys, children, inner

    def parse(self) -> None:
        """Cut the text into the pieces that are left: their uses, and so their costs."""
        words, count = self.words, len(self.words.begins)
        self.trie = self._link()
        known = self.keys, self.slots, self.parts.alive, self.lengths
        word_uses, self.word_costs = np.zeros(count, np.int64), np.zeros(count, np.int64)
        part_uses, phrase_uses = np.zeros(len(self.begins), np.int64), np.zeros(len(self.phrases.parents), np.int64)
        if self.optimal or self.by_loss:
            parsing.cost_of_words(self.text, words.begins, words.ends, *known, self.parts.costs, self.word_costs)
        if self.optimal:
            parsing.cheapest_phrases(
                words.text, *self.trie, self.several.alive, count, self.word_costs, self.several.costs, word_uses,
                phrase_uses,
            )  # fmt: skip
            parsing.cheapest_parts(
                self.text, words.begins, words.ends, word_uses, *known, self.parts.costs, part_uses
            )  # fmt: skip
        else:
            parsing.longest_phrases(words.text, *self.trie, self.several.alive, count, word_uses, phrase_uses)
            parsing.longest_parts(self.text, words.begins, words.ends, word_uses, *known, part_uses)
        self.parts.uses, self.several.uses = part_uses, phrase_uses
        self._cost()

    def drop(self, wanted: int) -> None:
        """Keep the `wanted` most useful pieces, all bytes, and no more phrases than their share."""
        kinds = self.parts, self.several
        worth = self._losses() if self.by_loss else np.concatenate([kind.uses for kind in kinds])
        used = np.concatenate([kind.alive & (kind.uses > 0) for kind in kinds])
        worth[:BYTES], used[:BYTES] = parsing.FAR, True
        order = np.argsort(-worth, kind="stable")
        order = order[used[order]]
        several = order >= len(self.begins)
        several &= np.cumsum(several) > int(self.config.share * wanted)  # those beyond the share
        kept = np.zeros(len(worth), np.bool_)
        kept[order[~several][:wanted]] = True
        self.parts.alive, self.several.alive = kept[: len(self.begins)], kept[len(self.begins) :]

    def _losses(self) -> Int64:
        """What the text would cost more without each piece."""
        parts, phrases = np.zeros(len(self.begins), np.int64), np.zeros(len(self.phrases.parents), np.int64)
        parsing.losses_of_parts(
            self.text, self.begins, self.keys, self.slots, self.parts.alive, self.lengths, self.parts.costs,
            self.parts.uses, parts,
        )  # fmt: skip
        if len(phrases):
            parsing.losses_of_phrases(
                self.phrases.parents, self.phrases.lasts, self.phrases.sizes, *self.trie, self.several.alive,
                len(self.words.begins), self.word_costs, self.several.costs, self.several.uses, phrases,
            )  # fmt: skip
        return np.concatenate([parts, phrases])

    def pieces(self) -> Pieces:
        """The pieces that are left: the bytes, then the others, most used first."""
        found = []
        for part in np.flatnonzero(self.parts.alive)[BYTES:].tolist():
            text = self.text[self.begins[part] : self.begins[part] + self.lengths[part]].tobytes()
            found.append((-int(self.parts.uses[part]), text, 1, int(self.parts.costs[part])))
        for phrase in np.flatnonzero(self.several.alive).tolist():
            uses, cost = int(self.several.uses[phrase]), int(self.several.costs[phrase])
            found.append((-uses, self.spelt(phrase), int(self.phrases.sizes[phrase]), cost))
        found = [(0, bytes([byte]), 1, int(self.parts.costs[byte])) for byte in range(BYTES)] + sorted(found)
        texts = [text for _, text, _, _ in found]
        self.uses = [-uses for uses, *_ in found]
        return Pieces(
            texts=texts,
            words=np.array([words for _, _, words, _ in found], np.uint8),
            costs=np.array([cost for *_, cost in found], np.int32),
        )


@kernel
def _first_words(parents: Row, words: int, first: Row) -> None:
    """The first word of every node of the trie; `first` is filled with each node itself before."""
    for phrase in range(len(parents)):
        first[words + phrase] = first[parents[phrase]]


def fitted(train: Text, config: PhrasesConfig) -> Pieces:
    """The pieces of a text."""
    return Trainer(train, config).run()
