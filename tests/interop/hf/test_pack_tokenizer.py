"""A tokenizer of a packed stack is that of the stack, and saves the levels' files as a folder."""

from __future__ import annotations

from pathlib import Path

from golden_stacks import FOLDER
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
