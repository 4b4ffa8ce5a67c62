"""`LevelVocabulary`: a tokenizer's ids and their strings, with tokens added to a level's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from transformers import AddedToken, PreTrainedTokenizer

from stackc.api.errors import ArtifactError, StackcError
from stackc.api.files import read_bytes, read_json, write_atomically
from stackc.interop.end_of_text import EndId, end_of_text
from stackc.interop.hf.level_handle import OpenedLevel
from stackc.interop.token_strings import numbered
from stackc.interop.tokenizer_json import Extras, Written
from stackc.stack.lower_levels import copy_levels
from stackc.stack.saved import CONFIG, SUBFOLDER

PLAIN = "tokenizer.json"

PATTERNS = ("none", "bos", "eos", "bos_eos")
"""Which tokens `add_special_tokens` adds. transformers takes any other for none."""

MODULE = "tokenization_stackc"
"""The file that `AutoTokenizer` imports from a saved folder (with ``trust_remote_code=True``)."""


class LevelVocabulary(PreTrainedTokenizer):  # type: ignore[misc]
    """A level's tokens and added tokens, as ids and strings; can be saved and loaded.

    The end of text, if there is one, has the first id after the level's own or the id 0 (`end_of_text`), as in exports
    (`stackc export --eos`). All other special tokens, padding too, come after the level's own.

    Args, errors: see `StackTokenizer`.
    """

    vocab_files_names = {"manifest_file": f"{SUBFOLDER}/manifest.json"}  # noqa: RUF012 (the base class's form)

    def __init__(
        self, manifest_file: str | Path | None, level: str | None, eos_id: EndId = "next", **options: Any
    ) -> None:
        if manifest_file is None:
            raise StackcError(
                f"no {SUBFOLDER}/manifest.json there: from_pretrained opens what save_pretrained wrote, "
                "StackTokenizer.from_stack opens a stack"
            )
        self._opened = OpenedLevel(Path(manifest_file).parent, level)
        if (pattern := options.get("special_tokens_pattern", "none")) not in PATTERNS:
            listed = ", ".join(map(repr, PATTERNS))
            raise StackcError(f"special_tokens_pattern: expected one of {listed}, found {pattern!r}")
        if eos_id not in get_args(EndId):
            raise StackcError(f"eos_id: expected 'next' or 'zero', found {eos_id!r}")
        end = options.get("eos_token")
        if end is not None and not options.get("added_tokens_decoder"):
            token = AddedToken(end, normalized=False) if isinstance(end, str) else end
            token.special = True
            number = self._opened.alphabet if eos_id == "next" else end_of_text(self._opened.levels, 0, eos_id)
            self._added_tokens_decoder: dict[int, AddedToken] = {number: token}
        options.setdefault("clean_up_tokenization_spaces", False)
        options["auto_map"] = {"AutoTokenizer": [f"{MODULE}.StackTokenizer", None]}
        super().__init__(**options)
        self.init_kwargs["level"] = self._opened.name
        self.init_kwargs["eos_id"] = eos_id

    # ---- saved and loaded

    @classmethod
    def register_for_auto_class(cls, auto_class: str = "AutoTokenizer") -> None:
        """Do nothing: a saved folder always has `MODULE`, which imports the class and does not copy its source."""

    def save_pretrained(self, save_directory: str | Path, *args: Any, **options: Any) -> tuple[str, ...]:
        """Write the folder that `AutoTokenizer` loads.

        A level that can be written as a plain ``tokenizer.json`` has one there. Then the folder loads without stackc
        and without ``trust_remote_code``, as a fast tokenizer; with it, or by `from_pretrained` of this class, as this.
        """
        plain, folder = self.plain(), Path(save_directory)
        if isinstance(plain, str) and (folder / PLAIN).is_file() and not (folder / f"{MODULE}.py").is_file():
            raise ArtifactError(f"{folder / PLAIN}: is of another tokenizer; move it, or save to another folder")
        made: tuple[str, ...] = super().save_pretrained(save_directory, *args, **options)
        if isinstance(plain, str):
            (folder / PLAIN).unlink(missing_ok=True)  # clients would take an earlier one for this tokenizer's
            return made
        config = read_json(folder / CONFIG, "tokenizer's settings")
        for path, content in (
            (folder / PLAIN, plain.text),
            (folder / CONFIG, json.dumps(config | {"tokenizer_class": "PreTrainedTokenizerFast"}, indent=2)),
        ):
            with write_atomically(path) as file:
                file.write(f"{content}\n".encode())
        return (*made, str(folder / PLAIN))

    def plain(self) -> Written | str:
        """The content of a ``tokenizer.json`` with the added tokens, or why the level cannot be written as one.

        Made once for the same added tokens: trainers save a tokenizer with every checkpoint.
        """
        flags = "special", "lstrip", "rstrip", "single_word", "normalized"
        added = {
            number: (token.content, {flag: getattr(token, flag) for flag in flags})
            for number, token in self._added_tokens_decoder.items()
        }
        pattern = self.special_tokens_pattern
        extras = Extras(
            added=added,
            before=str(self.bos_token) if pattern in ("bos", "bos_eos") else "",
            after=str(self.eos_token) if pattern in ("eos", "bos_eos") else "",
        )
        return self._opened.plain(extras)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Copy the files that the level and the levels below need to code, and the module for `AutoTokenizer`."""
        folder = Path(save_directory)
        module = folder / f"{MODULE}.py"
        if module.is_file() and b"stackc.hf" not in read_bytes(module):
            raise ArtifactError(f"{module}: exists already and is not stackc's; move it, or save to another folder")
        made = copy_levels(self._opened.stack.folder, self._opened.name, folder / SUBFOLDER)
        with write_atomically(module) as file:
            file.write(b'from stackc.hf import StackTokenizer\n\n__all__ = ["StackTokenizer"]\n')
        return (*map(str, made), str(module))

    # ---- ids and strings

    @property
    def vocab_size(self) -> int:
        """Number of the level's tokens, without special and added ones."""
        return self._opened.alphabet

    def __len__(self) -> int:
        return max(self.vocab_size, 1 + max(self._added_tokens_decoder, default=0))

    def _update_total_vocab_size(self) -> None:
        self.total_vocab_size = len(self)

    def get_vocab(self) -> dict[str, int]:
        """Every token's string and id, including added tokens."""
        own = (token for token in range(self.vocab_size) if token not in self._added_tokens_decoder)
        added: dict[str, int] = self._added_tokens_encoder
        return {self._convert_id_to_token(token): token for token in own} | added

    def _convert_id_to_token(self, index: int) -> str:
        if not 0 <= index < self.vocab_size:
            return numbered(index)
        piece = self._opened.pieces[index]
        return piece + numbered(index) if piece in self._added_tokens_encoder else piece

    def _convert_token_to_id(self, token: str) -> int | None:
        known = self._opened.tokens
        number = known.get(token)
        if number is None and token.endswith("\u27e9"):  # the level's piece with the same text as an added token
            number = known.get(token[: token.rfind("\u27e8")])
        if number is None and token != str(self.unk_token):  # else `unk_token_id` would call this method again
            number = self.unk_token_id
        return number

    # ---- added tokens

    def _add_tokens(self, new_tokens: list[str] | list[AddedToken], special_tokens: bool = False) -> int:
        """Same as in the base class, but an added token never takes the id of a text of the level."""
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
