"""`StackTokenizer`: the tokenizer interface of `transformers`, implemented by a stack."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import attrs
from transformers import BatchEncoding
from transformers.tokenization_utils_base import PaddingStrategy, TruncationStrategy

from stackc.api.errors import CodingError, StackcError
from stackc.interop.end_of_text import EndId
from stackc.interop.hf.alignment import Alignments, Value
from stackc.interop.hf.batches import Coder, Unit, pairs_of
from stackc.interop.hf.coding import decode_run
from stackc.interop.hf.healing import HealedPrompts
from stackc.interop.hf.rows import Ids, Pair, Row, Spans
from stackc.interop.hf.truncation import Limits, fit
from stackc.interop.hf.vocabulary import LevelVocabulary
from stackc.stack.stack import Stack

REFUSED = {
    "sanitize_control_tokens": "not supported by a stack; remove the template's tokens from the messages first",
}
"""Options that would change the ids and that a stack cannot support, and what to do instead."""


class StackTokenizer(LevelVocabulary):
    """A level of a stack as a tokenizer. Lossless: ``decode(encode(text)) == text``, no normalisation.

    Ids below `vocab_size` are the level's tokens; special and added tokens come after them (but see `eos_id`). A token
    that ends inside a character has the whole of it in its offsets. Words (``is_split_into_words=True``) are joined by
    spaces; their offsets are counted in the word. Results have what those of fast tokenizers have: ``word_ids()``,
    ``char_to_token()``, ``tokens()``, ….

    An `AddedToken` with lstrip or rstrip removes blanks from the text, and decoding does not restore them. Offsets
    still count them, as part of no token. Its ``normalized`` has no effect here.

    Args:
        manifest_file: the manifest of the stack, in its folder.
        level: the level of the tokens; None: the last.
        special_tokens_pattern: the tokens that `add_special_tokens` adds: "none", "bos", "eos" or "bos_eos".
        eos_id: the id of the end of text: "next", the first one after the level's own, or "zero", the code 0, which
            some levels never write (`stackc.interop.end_of_text`): then 65,536 tokens and the end fit into uint16.
            ``pad_token = eos_token`` pads with that id, 0 too; as in any tokenizer, the attention mask still tells ends
            from padding, and collators that make labels by the padding's id hide the ends from the loss.
        offsets: what offsets count: "characters", or "bytes" of the UTF-8 text.
        options: options of `PreTrainedTokenizer`: bos_token, eos_token, pad_token, model_max_length, padding_side …

    Raises:
        StackcError: a missing or damaged stack, no such level, a level that writes code 0, or a model whose outputs are
            exact on one machine only.
    """

    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012 (the base class's form)

    def __init__(
        self,
        manifest_file: str | Path | None = None,
        level: str | None = None,
        special_tokens_pattern: str = "none",
        eos_id: EndId = "next",
        offsets: Unit = "characters",
        **options: Any,
    ) -> None:
        if offsets not in get_args(Unit):
            raise StackcError(f"offsets: expected 'characters' or 'bytes', found {offsets!r}")
        self.offsets = offsets
        super().__init__(manifest_file, level, eos_id, special_tokens_pattern=special_tokens_pattern, **options)
        self.init_kwargs["offsets"] = offsets
        self.init_kwargs["special_tokens_pattern"] = special_tokens_pattern

    @classmethod
    def from_stack(cls, path: str | Path, level: str | None = None, **options: Any) -> StackTokenizer:
        """A tokenizer over a stack's folder or pack.

        By default "<|endoftext|>" is eos and bos, and "<|pad|>" is pad: if eos were also pad, collators would treat the
        ends of texts as padding, and no model would learn to stop.
        """
        end = options.setdefault("eos_token", "<|endoftext|>")
        options.setdefault("bos_token", end)
        options.setdefault("pad_token", "<|pad|>")
        return cls(Path(path) / "manifest.json", level, **options)

    @property
    def stack(self) -> Stack:
        """The stack, its levels up to this one."""
        return self._opened.stack

    # ---- text to ids

    def _coder(self, whole: bool) -> Coder:
        """`whole`: added tokens are treated as text."""
        return Coder(
            levels=self._opened.levels,
            trie=self.tokens_trie,
            added={} if whole else self._added_tokens_encoder,
            tokens=self._added_tokens_decoder,
            words=self._opened.words,
            unit=self.offsets,
        )

    def _tokenize(self, text: str, **options: Any) -> list[str]:
        return [self._convert_id_to_token(number) for number in self._coder(True).rows([text], False)[0].ids]

    def tokenize(self, text: str, **options: Any) -> list[str]:
        whole = bool(options.get("split_special_tokens", self.split_special_tokens))
        pieces: list[str] = self.convert_ids_to_tokens(self._coder(whole).rows([text], False)[0].ids)
        return pieces

    def _encode_plus(  # type: ignore[no-untyped-def]
        self,
        text,
        text_pair=None,
        add_special_tokens: bool = True,
        padding_strategy: PaddingStrategy = PaddingStrategy.DO_NOT_PAD,
        truncation_strategy: TruncationStrategy = TruncationStrategy.DO_NOT_TRUNCATE,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: Any = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        **options,
    ) -> BatchEncoding:
        """All other options are columns to return, or exist for other tokenizers only."""
        for refused, instead in REFUSED.items():
            if options.get(refused):
                raise StackcError(f"{refused}: {instead}")
        words = bool(options.get("is_split_into_words"))
        pairs, batched = pairs_of(text, text_pair, words)
        coder = self._coder(bool(options.get("split_special_tokens", self.split_special_tokens)))
        asked = {key for key, value in options.items() if value and key.startswith("return_")}
        if "token_type_ids" in self.model_input_names and options.get("return_token_type_ids") is None:
            asked.add("return_token_type_ids")
        limits = Limits(
            strategy=truncation_strategy.value,
            length=None if truncation_strategy is TruncationStrategy.DO_NOT_TRUNCATE else max_length,
            side=self.truncation_side,
            overflow=return_overflowing_tokens,
            stride=stride,
        )
        # Offsets in given words follow from the alignment.
        spans = "return_offsets_mapping" in asked and not words
        numbers, rows = self._fitted(coder, pairs, spans, add_special_tokens, limits, words)
        columns = self._columns(rows, add_special_tokens, asked)
        ids = columns["input_ids"]
        sizes = list(map(len, ids))
        if max(sizes, default=0) > self.model_max_length:
            for one in ids:
                self._eventual_warn_about_too_long_sequence(one, max_length, options.get("verbose", True))
        if return_overflowing_tokens:
            columns["overflow_to_sample_mapping"] = numbers
        side = padding_side or self.padding_side
        data = self._padded(
            columns,
            padding=padding_strategy,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=side,
            return_attention_mask=return_attention_mask,
        )
        encodings = Alignments(self, data["input_ids"], rows, sizes, add_special_tokens, side == "left")
        if "return_offsets_mapping" in asked and words:
            data["offset_mapping"] = [encoding.offsets for encoding in encodings]
        if not batched and return_tensors is None and not return_overflowing_tokens:
            data = {key: value[0] for key, value in data.items()}
        texts = 2 if rows and rows[0][1] is not None else 1
        return BatchEncoding(data, encodings, return_tensors, n_sequences=texts)

    def heal(self, prompts: str | list[str]) -> HealedPrompts:
        """Prompts without the last tokens, which a continuation may change, for ``model.generate``.

        The ids that are kept (`HealedPrompts.input_ids`) begin those of the prompt with any continuation, whether
        tokens hold one word or several. No special token is added.

        Raises:
            CodingError: a level through which nothing can be generated.
            StackcError: nothing is kept of a prompt, and there is no token for the beginning of a text.
        """
        coder = self._coder(self.split_special_tokens)
        return HealedPrompts(self, [coder.healed(one) for one in ([prompts] if isinstance(prompts, str) else prompts)])

    def _fitted(
        self, coder: Coder, pairs: list[tuple[Any, Any]], spans: bool, add: bool, limits: Limits, words: bool
    ) -> tuple[list[int], list[Pair]]:
        """The index of its pair for each row, and the rows of all pairs, cut to their length."""
        texts = [one for first, second in pairs for one in ([first] if second is None else [first, second])]
        coded = iter(coder.rows(texts, spans, words))
        rows: list[Pair]
        if limits.length is None:
            rows = [(next(coded), None if second is None else next(coded)) for _, second in pairs]
            return list(range(len(rows))), rows
        kinds = {second is not None for _, second in pairs}
        marks = {paired: self.num_special_tokens_to_add(paired) if add else 0 for paired in kinds}
        numbers: list[int] = []
        rows = []
        for number, (_, other) in enumerate(pairs):
            first = next(coded)
            second = None if other is None else next(coded)
            made = fit(first, second, marks[second is not None], limits)
            numbers += [number] * len(made)
            rows += made
        return numbers, rows

    def _columns(self, rows: list[Pair], add: bool, asked: set[str]) -> dict[str, list[Any]]:
        """The columns to return, with special tokens and not yet padded."""
        columns: dict[str, list[Any]] = {"input_ids": [self._joined(*row, add) for row in rows]}
        inputs = [(first.ids, None if second is None else second.ids) for first, second in rows]
        for name, made in (
            ("token_type_ids", self.create_token_type_ids_from_sequences),
            ("special_tokens_mask", self.get_special_tokens_mask),
        ):
            if f"return_{name}" in asked:
                columns[name] = [made(*ids) if add else [0] * sum(len(one or ()) for one in ids) for ids in inputs]
        if "return_length" in asked:
            columns["length"] = [len(ids) for ids in columns["input_ids"]]
        if "return_offsets_mapping" in asked:
            columns["offset_mapping"] = [self._places(*row, add) for row in rows]
        return columns

    def _joined(self, first: Row, second: Row | None, add: bool) -> Ids:
        if not add:
            return first.ids + ([] if second is None else second.ids)
        ids: Ids = self.build_inputs_with_special_tokens(first.ids, None if second is None else second.ids)
        return ids

    def _places(self, first: Row, second: Row | None, add: bool) -> Spans:
        """Spans in the order in which `_joined` puts ids; special tokens represent nothing."""
        placed = self.placed([first.spans, *([] if second is None else [second.spans])], add)
        return [(0, 0) if one is None else one for one in placed]

    def placed(self, own: list[list[Value]], add: bool) -> list[Value | None]:
        """Values of one or two texts' ids in the order in which the ids come in a row; None for special tokens.

        Args:
            own: a value for each id of each text.
            add: whether special tokens are put around the texts.
        """
        every = [value for values in own for value in values]
        marks = [-1 - i for i in range(len(every))]  # no special token has an id below 0
        first = Row(marks[: len(own[0])], [])
        second = None if len(own) == 1 else Row(marks[len(own[0]) :], [])
        return [every[-1 - one] if one < 0 else None for one in self._joined(first, second, add)]

    def character_spans(self, row: Row) -> Spans:
        """The characters of each id of a text, in the text.

        Raises:
            StackcError: windows with varying numbers of tokens.
        """
        if row.source is None:
            return [(0, 0)] * len(row.ids)
        coder = attrs.evolve(self._coder(row.source.whole), unit="characters")
        return coder.rows([row.source.text], True)[0].spans[row.first : row.first + len(row.ids)]

    def _padded(
        self,
        columns: dict[str, list[Any]],
        padding: PaddingStrategy,
        return_attention_mask: bool | None,
        **options: Any,
    ) -> dict[str, list[Any]]:
        """`pad`, which pads no offsets, accepts no empty batch, and is slow if there is nothing to pad."""
        if padding is PaddingStrategy.DO_NOT_PAD or not columns["input_ids"]:
            wanted = return_attention_mask
            if "attention_mask" in self.model_input_names if wanted is None else wanted:
                columns["attention_mask"] = [[1] * len(ids) for ids in columns["input_ids"]]
            return columns
        padded = dict(self.pad(columns, padding=padding.value, return_attention_mask=return_attention_mask, **options))
        if "offset_mapping" in padded:
            left = options["padding_side"] == "left"
            for i, (ids, own) in enumerate(zip(padded["input_ids"], columns["offset_mapping"], strict=True)):
                fill = [(0, 0)] * (len(ids) - len(own))
                padded["offset_mapping"][i] = fill + own if left else own + fill
        return padded

    # ---- ids to text

    def _decode(self, token_ids: int | Ids, skip_special_tokens: bool = False, **options: Any) -> str:
        """The text of any ids: invalid UTF-8 and unknown ids become U+FFFD."""
        given = token_ids if isinstance(token_ids, Iterable) else [token_ids]
        try:
            ids = [operator.index(number) for number in given]  # numpy would round 626.5
        except TypeError as error:
            raise CodingError(f"{self._opened.name}: ids must be a flat list of integers ({error})") from error
        special = set(self.all_special_ids) if skip_special_tokens else set()
        out: list[bytes] = []
        run: Ids = []
        for number in [*ids, -1]:
            if 0 <= number < self.vocab_size and number not in self._added_tokens_decoder:
                run.append(number)
                continue
            if run:
                data = decode_run(self._opened.levels, run)
                out.append("\ufffd".encode() if data is None else data)
                run = []
            if number >= 0 and number not in special:
                token = self._added_tokens_decoder.get(number)
                out.append(("\ufffd" if token is None else token.content).encode())
        return b"".join(out).decode(errors="replace")

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The text of tokens; their names if they have none, as in a ``tokenizer.json``.

        Clients that constrain what a model writes ask for the text of each token, and would let it write one without
        text (a code that is never written) for ever.
        """
        ids = [self._convert_token_to_id_with_added_voc(token) for token in tokens]
        return self._decode([number for number in ids if number is not None]) or "".join(tokens)
