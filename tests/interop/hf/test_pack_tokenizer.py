"""A tokenizer of a packed stack is that of the stack; a saved folder holds the levels' files, no builder's folders."""

from __future__ import annotations

from pathlib import Path

import stackc
from golden_stacks import FOLDER
from recipes_of_tests import corpus, counting
from stackc.hf import StackTokenizer
from stackc.stack.packed import write_pack

TEXT = "It is a truth universally acknowledged"


def test_a_tokenizer_of_a_pack(tmp_path: Path) -> None:
    with (tmp_path / "one.stack").open("wb") as file:
        write_pack(FOLDER / "counting", file)
    ours, theirs = StackTokenizer.from_stack(tmp_path / "one.stack"), StackTokenizer.from_stack(FOLDER / "counting")
    assert ours(TEXT)["input_ids"] == theirs(TEXT)["input_ids"]
    ours.save_pretrained(tmp_path / "saved")
    (tmp_path / "one.stack").unlink()
    assert StackTokenizer.from_pretrained(tmp_path / "saved")(TEXT)["input_ids"] == theirs(TEXT)["input_ids"]


def test_a_saved_tokenizer_does_not_tell_where_its_stack_was_built(tmp_path: Path) -> None:
    folder = tmp_path / "of-a-builder"
    folder.mkdir()
    corpus(folder)
    (tmp_path / "recipe.toml").write_text(counting())
    names = [f"corpus.{split}={folder}/{split}*.txt" for split in ("train", "valid", "test")]
    stack = stackc.build(stackc.load_recipe(tmp_path / "recipe.toml", names), tmp_path / "stack")
    assert str(folder) in (stack.folder / "manifest.json").read_text()
    StackTokenizer.from_stack(stack.folder).save_pretrained(tmp_path / "saved")
    saved = [path for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert (tmp_path / "saved/stack/manifest.json") in saved
    assert not [path for path in saved if str(tmp_path).encode() in path.read_bytes()]
    again = StackTokenizer.from_pretrained(tmp_path / "saved")
    assert again(TEXT)["input_ids"] == StackTokenizer.from_stack(stack.folder)(TEXT)["input_ids"]
    again.save_pretrained(tmp_path / "again")
    written = (tmp_path / place / "stack/manifest.json" for place in ("saved", "again"))
    assert len({path.read_bytes() for path in written}) == 1
