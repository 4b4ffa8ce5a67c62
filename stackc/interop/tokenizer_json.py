"""A level as a plain ``tokenizer.json``, which the library `tokenizers` loads without stackc.

Bytes are written as printable letters (`byte_letters`), as byte-level tokenizers do, so any token is a string. A level
can be written if it reads bytes, if its windows are words by one regular expression or a whole segment, and if its
coder is a dictionary or says how pieces are chosen (`stackc.api.PlainTokenizer`). Dictionaries become WordPiece with an
empty prefix: greedy longest match in each word, which is what a walk in the dictionary does.

Nothing is written unproven: the file's ids are compared with the stack's on the stack's own test text and on texts
that tokenizers often get wrong. Only words in which nothing but the rounding of scores decides (`tied_words`) may
differ; they are counted and shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import numpy as np

from stackc.api.errors import StackcError
from stackc.api.extras import need
from stackc.api.messages import amount
from stackc.api.plain import PlainTokenizer
from stackc.coding.dictionary.dictionary import Dictionary
from stackc.coding.level import Level
from stackc.interop.rounded_ties import tied_words
from stackc.interop.token_strings import byte_letters, numbered, token_pieces
from stackc.stack.stack import Stack
from stackc.stack.store import Store

LONGEST_WORD = 1 << 30
"""Characters of a word that WordPiece accepts: more than any text has; a longer word would be one unknown token."""

PROOF_BYTES = 1 << 20
"""Bytes of the stack's own test text that both sides code."""

SHOWN_TIES = 3
"""Words that a remark on rounded sums shows."""

ODD_TEXTS = (
    "", " ", "  ", "   a", "a  b   c", "\t\tx = 1\r\n\r\ny\n", "\0\x01\x7f", "naïve 東京 wife", "don't 'tis O'Neil's",
    "\U0001f600\U0001f468\u200d\U0001f469", "1234567890 3.14 -5%", "aaaa" * 64, "ab" * 40 + " " * 70 + "\n" * 9,
    "x" * 3000, "\u00a0\u2003\u3000\u2581 \ufeff\ufffd", "<|endoftext|", "Answer: yes.\nQ: no?", "¿¡«»…—",
    "e\u0301 \u0915\u094d\u0937 \ufdfa",
)  # fmt: skip
"""Texts on which two different tokenizers are likely to differ."""

_ALL_HIGH = r"\x80-\xff"
_HIGH_CHARACTERS = r"\x{80}-\x{10FFFF}"


@attrs.frozen(kw_only=True)
class Extras:
    """Tokens besides a level's own.

    Attributes:
        added: by its id, the content of a token and its options (special, lstrip, rstrip, single_word, normalized).
        before, after: added tokens that are put around a text; empty: none.
    """

    added: Mapping[int, tuple[str, Mapping[str, Any]]] = attrs.field(factory=dict)
    before: str = ""
    after: str = ""


NO_EXTRAS = Extras()


@attrs.frozen(kw_only=True)
class Written:
    """A file's content, and what is known of it.

    Attributes:
        text: of ``tokenizer.json``.
        ids: number of ids, added tokens included.
        compared: bytes on which both sides gave the same ids.
        remarks: where ids may differ, one line each.
    """

    text: str
    ids: int
    compared: int
    remarks: tuple[str, ...]


def tokenizer_json(stack: Stack, level: str | None = None, extras: Extras = NO_EXTRAS) -> Written:
    """A level as the content of a ``tokenizer.json``, compared with the stack.

    Args:
        stack: the stack.
        level: the level; None: the last.
        extras: tokens besides the level's own.

    Raises:
        StackcError: the level cannot be written so; `tokenizers` is not installed; ids differ on the stack's own test
            text, and not by rounding alone (the message shows the first place); added tokens with gaps between their
            ids.
    """
    tokenizers = need("tokenizers", "hf", "export a tokenizer.json")
    one = _only_level(stack, level)
    plain, rules = _plain(one)
    made = _assembled(tokenizers, one, plain, rules, extras)
    compared, tied = 0, Counter[bytes]()
    for text in _own_texts(stack, one.spec.segment):
        differing = _compare(made, stack, one, text, plain, rules)
        compared += len(text.encode()) - sum(map(len, differing))
        tied.update(differing)
    odd = [text for text in ODD_TEXTS if _first_difference(made, stack, one.name, text) is not None]
    remarks = [f"ids differ on {_shown(text)}" for text in odd]
    remarks.append(
        f"texts longer than {one.spec.segment:,} bytes may differ where the stack begins a new segment; text that is "
        "not UTF-8 has no ids there"
    )
    remarks += _on_words(one, plain)
    remarks += _on_ties(plain, tied)
    size = made.get_vocab_size(with_added_tokens=True)
    return Written(text=made.to_str(pretty=False), ids=size, compared=compared, remarks=tuple(remarks))


def _on_words(level: Level, plain: PlainTokenizer) -> Iterator[str]:
    """What there is to know about very long words."""
    spec = level.spec
    if plain.model == "longest":
        yield "words of thousands of letters, as a paragraph without blanks is one, take seconds there"
    elif spec.windowing.rule is not None and spec.window.symbols < spec.segment:
        yield f"words longer than {spec.window.symbols:,} bytes may differ: the stack's windows end there"


def _on_ties(plain: PlainTokenizer, tied: Counter[bytes]) -> Iterator[str]:
    """Which words may differ because sums of scores are rounded, and those of the test text that do."""
    if not _rounds(plain):
        return
    yield (
        "a word may differ if two cuts of it have scores of the same sum, but for rounding to float32: most such words "
        "are rows of one character"
    )
    if tied:
        shown = ", ".join(_shown(word.decode(errors="replace")) for word, _ in tied.most_common(SHOWN_TIES))
        often = f"{amount(len(tied), 'such word')}, {amount(tied.total(), 'time')}"
        yield f"ids of the test text differ in {often}: {shown}{', …' if len(tied) > SHOWN_TIES else ''}"


def _rounds(plain: PlainTokenizer) -> bool:
    """Whether the coder's sums are rounded otherwise than those of `tokenizers`."""
    return plain.scores is not None and plain.scores.dtype.kind == "f"


def _only_level(stack: Stack, level: str | None) -> Level:
    levels = stack.levels[: stack.level_index(level)]
    if not levels:
        raise StackcError(f"{stack.place}: the tokens are bytes; any byte-level tokenizer does")
    if len(levels) > 1:
        raise StackcError(
            f"{levels[-1].name}: a tokenizer.json has no levels below; only a stack's first level can be written as one"
        )
    return levels[0]


def _plain(level: Level) -> tuple[PlainTokenizer, list[str]]:
    """How the level chooses its tokens, and the patterns that cut the text first, one after another."""
    spec = level.spec
    rule = spec.windowing.rule
    cuts_otherwise = rule is None and not (spec.windowing.cuts is None and spec.windowing.table is None)
    rules = [] if rule is None else [rule]
    if hasattr(spec.coder, "plain") and spec.windowing.bits is None and (rules or spec.one_window):
        plain: PlainTokenizer | None = spec.coder.plain()
        if plain is not None and not cuts_otherwise:
            return plain, rules + ([] if plain.pattern is None else [plain.pattern])
    elif isinstance(level.texts, Dictionary) and level.window_tokens == 1:
        if rules:
            return PlainTokenizer(model="longest"), rules
        raise StackcError(
            f"{level.name}: its windows are not words, and a tokenizer.json would have to match a whole text, which "
            "takes quadratic time there; use windows of one word, or StackTokenizer"
        )
    what = "windowing" if hasattr(spec.coder, "plain") and not (rules or spec.one_window) else "coder"
    raise StackcError(f"{level.name}: its {what} has no form that a tokenizer.json knows; use StackTokenizer")


def _assembled(tokenizers: Any, level: Level, plain: PlainTokenizer, rules: list[str], extras: Extras) -> Any:
    """The library's tokenizer."""
    models, pre, decoders = tokenizers.models, tokenizers.pre_tokenizers, tokenizers.decoders
    scores = [] if plain.scores is None else plain.scores.tolist()
    names = _names(level, extras.added)
    vocabulary = {name: token for token, name in enumerate(names)}
    if plain.model == "bpe":
        pairs = [] if plain.merges is None else [(names[left], names[right]) for left, right in plain.merges.tolist()]
        model = models.BPE(vocabulary, pairs)
    elif plain.model == "unigram":
        scores += [min(scores, default=0)] * (len(names) - len(scores))
        model = models.Unigram([(name, float(score)) for name, score in zip(names, scores, strict=True)], None, False)
    else:
        model = models.WordPiece(
            vocabulary, unk_token=names[0], continuing_subword_prefix="", max_input_chars_per_word=LONGEST_WORD
        )
    made = tokenizers.Tokenizer(model)
    letters = pre.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    words = [pre.Split(tokenizers.Regex(over_characters(rule)), "isolated") for rule in rules]
    made.pre_tokenizer = pre.Sequence([*words, letters])
    made.decoder = decoders.ByteLevel()
    for number, (content, options) in sorted(extras.added.items()):
        token = tokenizers.AddedToken(content, **options)
        (made.add_special_tokens if options.get("special") else made.add_tokens)([token])
        if made.token_to_id(content) != number:
            raise StackcError(f"{level.name}: the added token {content!r} cannot have the id {number:,} there")
    if extras.before or extras.after:
        # See `special_tokens_pattern` of transformers: a second text has its own beginning only if it has no end.
        single = " ".join(filter(None, [extras.before, "$A", extras.after]))
        other = f"$B:1 {extras.after}:1" if extras.after else f"{extras.before}:1 $B:1"
        marks = {mark: made.token_to_id(mark) for mark in (extras.before, extras.after) if mark}
        made.post_processor = tokenizers.processors.TemplateProcessing(single, f"{single} {other}", list(marks.items()))
    return made


def _names(level: Level, added: Mapping[int, tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The string of each of the level's ids, unique, as the library asks for."""
    letters = set(byte_letters())
    names = token_pieces([level], level.token_alphabet)
    for token, name in enumerate(names):
        if token in added:
            names[token] = added[token][0]
        elif not name or not set(name) <= letters:
            # No text, or the text of another token: never the longest, never merged.
            names[token] = numbered(token)
    return names


def over_characters(pattern: str) -> str:
    """A pattern over bytes as one over characters: all bytes above 0x7F become all characters above U+007F.

    Raises: StackcError: the pattern tells such bytes apart.
    """
    made = pattern.replace(_ALL_HIGH, _HIGH_CHARACTERS)
    if re.search(r"\\x[89a-fA-F][0-9a-fA-F]|[\x80-\uffff]", made):
        raise StackcError(f"the pattern {pattern!r} tells apart bytes above 0x7f; a tokenizer.json reads characters")
    return made


def _own_texts(stack: Stack, segment: int) -> Iterator[str]:
    """The stack's own test text, in pieces of at most a segment; nothing if the stack was handed on without it."""
    folder = stack.folder / "corpus" / "test"
    if not (folder / "store.json").is_file():
        return
    store, left = Store(folder), PROOF_BYTES
    for low, high in zip(store.offsets[:-1].tolist(), store.offsets[1:].tolist(), strict=True):
        for start in range(low, min(high, low + left), segment):
            data = store.symbols[start : min(start + segment, high)].tobytes()
            yield data.decode(errors="ignore")
            left -= len(data)
        if left <= 0:
            return


def _first_difference(made: Any, stack: Stack, level: str, text: str) -> int | None:
    """The first id that differs; None if none does."""
    theirs, own = made.encode(text, add_special_tokens=False).ids, stack.encode(text.encode(), level).tolist()
    if theirs == own:
        return None
    pairs = zip(theirs, own, strict=False)
    return next((at for at, (left, right) in enumerate(pairs) if left != right), min(len(theirs), len(own)))


def _compare(made: Any, stack: Stack, level: Level, text: str, plain: PlainTokenizer, rules: list[str]) -> list[bytes]:
    """The words of a text in which ids differ, but only by rounding (`tied_words`).

    Raises: StackcError: other ids differ.
    """
    at = _first_difference(made, stack, level.name, text)
    if at is None:
        return []
    data = text.encode()
    own = stack.encode(data, level.name)
    if level.texts is not None and len(rules) == 1 and _rounds(plain):
        theirs = made.encode(text, add_special_tokens=False).ids
        lengths, scores = level.texts.length, np.asarray(plain.scores, np.float64)
        if max(theirs) < len(scores):  # else one is an added token's
            tied = tied_words(data, theirs, own.tolist(), lengths, scores, rules[0])
            if tied is not None:
                return tied
    place = len(stack.decode(own[:at], level.name).decode(errors="ignore"))
    raise StackcError(
        f"{level.name}: a tokenizer.json gives other ids at {_shown(text[place : place + 24])}; use StackTokenizer"
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 32 else f"{text[:32]}…")
