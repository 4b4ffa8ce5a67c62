"""`StackTokenizer`: what `transformers` asks of a tokenizer, answered by a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import AddedToken, BatchEncoding, PreTrainedTokenizer
from transformers.tokenization_utils_base import PaddingStrategy, TruncationStrategy

from stackc.errors import StackcError
from stackc.hf.coding import decode_run, encode_batch
from stackc.hf.pieces import numbered, token_pieces
from stackc.level import Level
from stackc.stack import Stack
from stackc.subset import SUBFOLDER, copy_levels, open_levels
from stackc.words import amount

MODULE = "tokenization_stackc"
"""The file that `AutoTokenizer` imports from a saved folder (with ``trust_remote_code=True``)."""

Ids = list[int]
Spans = list[tuple[int, int]]


class StackTokenizer(PreTrainedTokenizer):  # type: ignore[misc]
    """A level of a stack as a tokenizer. Lossless: ``decode(encode(text)) == text``, no normalisation.

    Ids below `vocab_size` are the level's tokens; special and added tokens come after them. Offsets count *bytes* of
    the UTF-8 text, not characters: a token may end inside a character.

    Args:
        manifest_file: the manifest of the stack, in its folder.
        level: whose tokens; None: the last level's.
        special_tokens_pattern: what `add_special_tokens` adds: "none", "bos", "eos" or "bos_eos".
        options: of `PreTrainedTokenizer`: bos_token, eos_token, pad_token, model_max_length, padding_side …

    Raises:
        StackcError: no stack there, a damaged one, no such level, or a model that answers on one machine only.
    """

    vocab_files_names = {"manifest_file": f"{SUBFOLDER}/manifest.json"}  # noqa: RUF012 (the base class's form)
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(
        self,
        manifest_file: str | Path,
        level: str | None = None,
        special_tokens_pattern: str = "none",
        **options: Any,
    ) -> None:
        self._folder = Path(manifest_file).parent
        self._opened: Stack | None = open_levels(self._folder, level)
        self._all_pieces: list[str] | None = None
        self._ids_of: dict[str, int] | None = None
        self._level = self._opened.recipe.levels[-1].name if level is None else level
        self._alphabet = self._opened.token_alphabet(self._level)
        options.setdefault("clean_up_tokenization_spaces", False)
        options["auto_map"] = {"AutoTokenizer": [f"{MODULE}.StackTokenizer", None]}
        super().__init__(special_tokens_pattern=special_tokens_pattern, **options)
        self.init_kwargs.update(level=self._level, special_tokens_pattern=special_tokens_pattern)

    @classmethod
    def from_stack(cls, path: str | Path, level: str | None = None, **options: Any) -> StackTokenizer:
        """A tokenizer over a stack's folder; an end-of-text token serves as eos, bos and pad unless told otherwise."""
        end = options.setdefault("eos_token", "<|endoftext|>")
        options.setdefault("bos_token", end)
        options.setdefault("pad_token", end)
        return cls(Path(path) / "manifest.json", level, **options)

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoTokenizer") -> None:
        """Nothing: a saved folder always carries `MODULE`, which imports this class and copies none of its source."""

    # ---- the stack

    @property
    def _levels(self) -> list[Level]:
        if self._opened is None:
            self._opened = open_levels(self._folder, self._level)
        return self._opened.levels

    def __getstate__(self) -> dict[str, Any]:
        """Without what can be read again: processes are handed the path of the stack."""
        return self.__dict__ | {
            "_opened": None,
            "_all_pieces": None,
            "_ids_of": None,
            "_folder": self._folder.resolve(),
        }

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Copy what the level and those below need to code, and the module for `AutoTokenizer`."""
        folder = Path(save_directory)
        made = copy_levels(self._folder, self._level, folder / SUBFOLDER)
        module = folder / f"{MODULE}.py"
        module.write_text('from stackc.hf import StackTokenizer\n\n__all__ = ["StackTokenizer"]\n')
        return (*map(str, made), str(module))

    # ---- the vocabulary

    @property
    def vocab_size(self) -> int:
        """Tokens of the level, without special and added ones."""
        return self._alphabet

    def __len__(self) -> int:
        return max(self._alphabet, 1 + max(self._added_tokens_decoder, default=0))

    def _update_total_vocab_size(self) -> None:
        self.total_vocab_size = len(self)

    @property
    def _pieces(self) -> list[str]:
        if self._all_pieces is None:
            self._all_pieces = token_pieces(self._levels, self._alphabet)
        return self._all_pieces

    def get_vocab(self) -> dict[str, int]:
        """Every token's string and id, those of added tokens too."""
        vocabulary = {self._convert_id_to_token(token): token for token in range(self._alphabet)}
        added: dict[str, int] = self._added_tokens_encoder
        return vocabulary | added

    def _convert_id_to_token(self, index: int) -> str:
        if not 0 <= index < self._alphabet:
            return numbered(index)
        piece = self._pieces[index]
        return piece + numbered(index) if piece in self._added_tokens_encoder else piece

    def _convert_token_to_id(self, token: str) -> int | None:
        if self._ids_of is None:
            self._ids_of = {piece: number for number, piece in enumerate(self._pieces)}
        number = self._ids_of.get(token)
        if number is None and token.endswith("\u27e9"):  # the piece that an added token has taken
            number = self._ids_of.get(token[: token.rfind("\u27e8")])
        return self.unk_token_id if number is None else number

    def _add_tokens(self, new_tokens: list[str] | list[AddedToken], special_tokens: bool = False) -> int:
        """As of the base class, but an added token never takes the id of a text of the level."""
        added = 0
        for token in new_tokens or []:
            content = str(token)
            if not content or content in self._added_tokens_encoder:
                continue
            if isinstance(token, str):
                special = special_tokens or token in self.all_special_tokens
                token = AddedToken(token, normalized=False, special=special)
            elif special_tokens:
                token.special = True
            number = len(self)
            self._added_tokens_decoder[number] = token
            self._added_tokens_encoder[content] = number
            if token.special and content not in self.all_special_tokens:
                self._extra_special_tokens.append(token)
            added += 1
        self._update_trie()
        self._update_total_vocab_size()
        return added

    # ---- text to ids

    def _tokenize(self, text: str, **options: Any) -> list[str]:
        return [self._convert_id_to_token(number) for number in self._ids([text], False, True)[0][0]]

    def tokenize(self, text: str, **options: Any) -> list[str]:
        whole = bool(options.get("split_special_tokens", self.split_special_tokens))
        pieces: list[str] = self.convert_ids_to_tokens(self._ids([text], False, whole)[0][0])
        return pieces

    def _ids(self, texts: list[str], spans: bool, whole: bool) -> list[tuple[Ids, Spans]]:
        """The ids of texts, and the bytes that each stands for where asked; `whole`: added tokens are but text."""
        parts = [[text] if whole or not text else self.tokens_trie.split(text) for text in texts]
        added = {} if whole else self._added_tokens_encoder
        plain = [_utf8(part) for cut in parts for part in cut if part not in added]
        batch = encode_batch(self._levels, plain, spans)
        tokens, bounds = batch.tokens.tolist(), batch.offsets.tolist()
        places = [] if batch.spans is None else [(low, high) for low, high in batch.spans.tolist()]
        out: list[tuple[Ids, Spans]] = []
        number = 0
        for cut in parts:
            ids: Ids = []
            where: Spans = []
            at = 0
            for part in cut:
                if part in added:
                    ids.append(added[part])
                    size = len(part.encode())
                    where.append((at, at + size))
                else:
                    first, last, size = bounds[number], bounds[number + 1], len(plain[number])
                    number += 1
                    ids += tokens[first:last]
                    where += [(at + low, at + high) for low, high in places[first:last]]
                at += size
            out.append((ids, where))
        return out

    def _encode_plus(  # type: ignore[no-untyped-def]
        self,
        text,
        text_pair=None,
        add_special_tokens: bool = True,
        padding_strategy: PaddingStrategy = PaddingStrategy.DO_NOT_PAD,
        truncation_strategy: TruncationStrategy = TruncationStrategy.DO_NOT_TRUNCATE,
        max_length: int | None = None,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: Any = None,
        return_attention_mask: bool | None = None,
        return_offsets_mapping: bool = False,
        **options,
    ) -> BatchEncoding:
        """All texts of a batch go through the levels together."""
        if is_split_into_words:
            raise StackcError("is_split_into_words: a stack reads text, not words; join them first")
        batched = isinstance(text, list | tuple) and (not text or not isinstance(text[0], int))
        firsts = list(text) if batched else [text]
        seconds = [None] * len(firsts) if text_pair is None else list(text_pair) if batched else [text_pair]
        if len(seconds) != len(firsts):
            raise StackcError(f"{amount(len(firsts), 'text')} and {amount(len(seconds), 'text pair')}: one pair a text")
        for i, one in enumerate(firsts):  # a pair may come as one entry of the batch
            if isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str) and seconds[i] is None:
                firsts[i], seconds[i] = one
        if return_tensors and options.get("return_overflowing_tokens"):  # of uneven lengths: no tensor
            options["return_overflowing_tokens"] = False
        whole: bool = options.pop("split_special_tokens", self.split_special_tokens)
        rows = self._rows([*firsts, *(one for one in seconds if one is not None)], return_offsets_mapping, whole)
        pairs = iter(rows[len(firsts) :])
        encoded: dict[str, list[Any]] = {}
        offsets: list[Spans] = []
        for (ids, where), second in zip(rows, seconds, strict=False):
            pair_ids, pair_where = (None, []) if second is None else next(pairs)
            made = self.prepare_for_model(
                ids,
                pair_ids,
                add_special_tokens=add_special_tokens,
                truncation=truncation_strategy.value,
                max_length=max_length,
                return_attention_mask=False,
                **{key: value for key, value in options.items() if key.startswith("return_") or key == "stride"},
            )
            for key, value in made.items():
                encoded.setdefault(key, []).append(value)
            if return_offsets_mapping:
                bare = len(made["input_ids"]) - (
                    self.num_special_tokens_to_add(second is not None) if add_special_tokens else 0
                )
                surplus = len(where) + len(pair_where) - bare
                if surplus > 0:
                    where, pair_where, _ = self.truncate_sequences(
                        where, pair_where if second is not None else None, surplus, truncation_strategy.value
                    )
                offsets.append(
                    self._with_specials(where, pair_where if second is not None else None, add_special_tokens)
                )
        if not encoded:
            encoded = {"input_ids": []}
        padded = (
            self.pad(
                encoded,
                padding=padding_strategy.value,
                max_length=max_length,
                pad_to_multiple_of=pad_to_multiple_of,
                padding_side=padding_side,
                return_attention_mask=return_attention_mask,
            )
            if firsts
            else BatchEncoding({"input_ids": [], "attention_mask": []})
        )
        if return_offsets_mapping:
            left = (padding_side or self.padding_side) == "left"
            fill = [[(0, 0)] * (len(row) - len(own)) for row, own in zip(padded["input_ids"], offsets, strict=True)]
            padded["offset_mapping"] = [f + o if left else o + f for f, o in zip(fill, offsets, strict=True)]
        if not batched and return_tensors is None:
            return BatchEncoding({key: value[0] for key, value in padded.items()})
        return BatchEncoding(dict(padded), tensor_type=return_tensors)

    def _rows(self, texts: list[Any], spans: bool, whole: bool) -> list[tuple[Ids, Spans]]:
        """Ids of each text; what is ids already stays."""
        strings = iter(self._ids([one for one in texts if isinstance(one, str)], spans, whole))
        rows = []
        for one in texts:
            if not isinstance(one, str | list | tuple):
                raise StackcError(f"a text of type {type(one).__name__}; a tokenizer is given str, or lists of it")
            rows.append(next(strings) if isinstance(one, str) else (list(one), [(0, 0)] * len(one)))
        return rows

    def _with_specials(self, first: Spans, second: Spans | None, add: bool) -> Spans:
        """Spans where `build_inputs_with_special_tokens` puts ids; special tokens stand for no bytes."""
        if not add:
            return first + (second or [])
        marks = range(len(first)), None if second is None else range(len(first), len(first) + len(second))
        placed = self.build_inputs_with_special_tokens(
            [-1 - i for i in marks[0]], None if marks[1] is None else [-1 - i for i in marks[1]]
        )
        every = first + (second or [])
        return [every[-1 - one] if one < 0 else (0, 0) for one in placed]

    # ---- ids to text

    def _decode(self, token_ids: int | Ids, skip_special_tokens: bool = False, **options: Any) -> str:
        """Text of any ids whatever: what is no UTF-8, or no text, becomes U+FFFD."""
        ids = [token_ids] if isinstance(token_ids, int) else list(token_ids)
        special = set(self.all_special_ids) if skip_special_tokens else set()
        out: list[bytes] = []
        run: Ids = []
        for number in [*ids, -1]:
            if 0 <= number < self._alphabet:
                run.append(number)
                continue
            if run:
                data = decode_run(self._levels, run)
                out.append("\ufffd".encode() if data is None else data)
                run = []
            if number >= 0 and number not in special:
                token = self._added_tokens_decoder.get(number)
                out.append(("\ufffd" if token is None else token.content).encode())
        return b"".join(out).decode(errors="replace")

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        ids = [self._convert_token_to_id_with_added_voc(token) for token in tokens]
        return self._decode([number for number in ids if number is not None])


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise StackcError(
            f"a text with a lone surrogate (character {error.start}): it is no Unicode text and has no bytes"
        ) from error
