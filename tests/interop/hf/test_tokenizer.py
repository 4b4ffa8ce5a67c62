"""A stack as a tokenizer of transformers: lossless, saved, and the same everywhere."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stackc
from recipes_of_tests import TEXT
from stackc.api.errors import StackcError

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.hf import StackTokenizer  # noqa: E402

MIXED = "It is a truth\0 \U0001f600 é"


def test_any_text_comes_back(tokenizer: StackTokenizer) -> None:
    @settings(deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def check(text: str) -> None:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
        assert tokenizer.convert_tokens_to_string(tokenizer.tokenize(text)) == text or "\ufffd" in text

    check()
    with pytest.raises(StackcError, match="lone surrogate"):
        tokenizer("a\ud800")


def test_any_ids_decode(tokenizer: StackTokenizer) -> None:
    @settings(deadline=None)
    @given(st.lists(st.integers(0, len(tokenizer) + 5)))
    def check(ids: list[int]) -> None:
        assert isinstance(tokenizer.decode(ids), str)

    check()


def test_every_token_is_shown_as_some_text(tokenizer: StackTokenizer) -> None:
    """Outlines let a model write code 0, which has no text, until it stopped at its last step."""
    assert all(tokenizer.convert_tokens_to_string([token]) for token in tokenizer.get_vocab())
    assert tokenizer.convert_tokens_to_string([]) == ""


def test_ids_are_those_of_the_stack_and_specials_come_after(stack: Path, tokenizer: StackTokenizer) -> None:
    opened = stackc.load(stack)
    assert tokenizer(TEXT).input_ids == opened.encode(TEXT.encode()).tolist()
    assert tokenizer.vocab_size == opened.token_alphabet()
    assert tokenizer.eos_token_id == tokenizer.vocab_size
    assert len(tokenizer.get_vocab()) == len(tokenizer) == tokenizer.vocab_size + 2
    own = StackTokenizer.from_stack(stack, bos_token="<s>")
    assert (own.eos_token_id, own.bos_token_id, own.pad_token_id) == tuple(range(own.vocab_size, len(own)))
    assert own.all_special_ids == [own.bos_token_id, own.eos_token_id, own.pad_token_id]


def test_a_saved_tokenizer_is_the_same_and_needs_no_more(tokenizer: StackTokenizer, tmp_path: Path) -> None:
    own = copy.deepcopy(tokenizer)
    own.add_tokens(["<new>"])
    own.save_pretrained(tmp_path / "saved")
    kept = {path.relative_to(tmp_path / "saved").parts[2] for path in (tmp_path / "saved/stack").rglob("*.safetensors")}
    assert kept <= {"dictionary", "coder", "frozen"}
    again = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved", trust_remote_code=True)
    assert type(again) is StackTokenizer
    assert again(MIXED + "<new>").input_ids == own(MIXED + "<new>").input_ids
    assert again(MIXED).input_ids == pickle.loads(pickle.dumps(again))(MIXED).input_ids
    again.save_pretrained(tmp_path / "twice")
    assert StackTokenizer.from_pretrained(tmp_path / "twice")(MIXED).input_ids == own(MIXED).input_ids
    manifest = tmp_path / "saved" / "stack" / "manifest.json"
    part = next((tmp_path / "saved" / "stack").rglob("*.safetensors"))
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    with pytest.raises(StackcError, match="SHA-256"):
        StackTokenizer(manifest)


def test_a_folder_saved_for_a_level_says_so(tmp_path: Path, stack: Path) -> None:
    StackTokenizer.from_stack(stack, level="M1").save_pretrained(tmp_path / "saved")
    for load in (transformers.AutoTokenizer.from_pretrained, StackTokenizer.from_pretrained):
        with pytest.raises(StackcError, match="levels up to M1; use level='M1', or save a tokenizer of M2"):
            load(tmp_path / "saved", level="M2", trust_remote_code=True)
    if len(stackc.load(stack).levels) == 1:
        return
    with pytest.raises(StackcError, match="levels up to M1"):
        StackTokenizer.from_stack(tmp_path / "saved" / "stack")
    StackTokenizer.from_stack(stack).save_pretrained(tmp_path / "both")
    lower = StackTokenizer.from_pretrained(tmp_path / "both", level="M1")
    assert lower(MIXED).input_ids == StackTokenizer.from_stack(stack, level="M1")(MIXED).input_ids


def test_a_relative_path_holds_in_another_folder(stack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stack.parent)
    own = StackTokenizer.from_stack(stack.name)
    monkeypatch.chdir(tmp_path)
    own.save_pretrained("saved")
    for again in (copy.deepcopy(own), pickle.loads(pickle.dumps(own)), StackTokenizer.from_pretrained("saved")):
        assert again(MIXED).input_ids == own(MIXED).input_ids


def test_a_chat_template_is_that_of_the_base_class(stack: Path) -> None:
    own = StackTokenizer.from_stack(stack)
    own.chat_template = "{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}"
    made = own.apply_chat_template([{"role": "user", "content": "It is"}], return_dict=False)
    assert made == [*own("It is").input_ids, own.eos_token_id]


def test_other_processes_use_it(tokenizer: StackTokenizer) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(tokenizer, MIXED).result().input_ids == tokenizer(MIXED).input_ids


def test_what_is_no_stack_is_refused(stack: Path, tmp_path: Path) -> None:
    with pytest.raises(StackcError, match="no level 'M9'"):
        StackTokenizer.from_stack(stack, level="M9")
    with pytest.raises(StackcError, match="not a stack"):
        StackTokenizer.from_stack(tmp_path)
    (tmp_path / "a.stk").write_bytes(b"x")
    with pytest.raises(StackcError, match="is a file; a stack is a folder"):
        StackTokenizer.from_stack(tmp_path / "a.stk")
    shutil.copytree(stack, tmp_path / "bad")
    text = (tmp_path / "bad/manifest.json").read_text()
    (tmp_path / "bad/manifest.json").write_text(
        text.replace('"portability": "portable"', '"portability": "same-machine"')
    )
    assert StackTokenizer.from_stack(tmp_path / "bad", level="M1").vocab_size == 1024  # compiled: needs no model
    if len(stackc.load(stack).levels) > 1:
        with pytest.raises(StackcError, match="predictions of the model of M2 are the same only on the same machine"):
            StackTokenizer.from_stack(tmp_path / "bad")


def test_without_transformers_the_extra_is_named() -> None:
    code = "import sys; sys.modules['transformers'] = None\nimport stackc.hf"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "stackc[hf]"' in done.stderr


def test_an_unknown_token_that_is_no_token_has_no_id(stack: Path) -> None:
    tokenizer = StackTokenizer.from_stack(stack)
    for name in ("unk_token", "mask_token"):
        setattr(tokenizer, name, "<nowhere>")
    assert tokenizer.unk_token_id is None
    assert tokenizer.mask_token_id is None
    assert tokenizer.convert_tokens_to_ids(["no such piece"]) == [None]
    tokenizer.add_special_tokens({"unk_token": "<nowhere>"})
    assert tokenizer.convert_tokens_to_ids("no such piece") == tokenizer.unk_token_id >= tokenizer.vocab_size


def test_ids_that_are_no_integers_are_refused(stack: Path) -> None:
    tokenizer = StackTokenizer.from_stack(stack)
    for ids in ([626.5], ["a"]):
        with pytest.raises(StackcError, match="integers"):
            tokenizer.decode(ids)


def test_a_tokenizer_pickles_before_and_after_its_use(stack: Path) -> None:
    tokenizer = StackTokenizer.from_stack(stack)
    for _ in range(2):
        again = pickle.loads(pickle.dumps(tokenizer))
        assert again.decode(tokenizer.encode("some text")) == "some text"


def test_a_folder_that_an_earlier_version_saved_opens(tmp_path: Path) -> None:
    """Kept from before the modules had folders: its code imports `stackc.hf`, and its ids stay what they were."""
    folder = shutil.copytree(Path(__file__).with_name("saved"), tmp_path / "saved")
    opened = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    text = "It is a truth universally acknowledged: 100 % naïve, \t\x00 東京!"
    assert opened.encode(text) == SAVED_IDS
    assert opened.decode(SAVED_IDS) == text
    assert isinstance(opened, StackTokenizer)


SAVED_IDS = [
    209, 512, 265, 768, 687, 808, 788, 52, 819, 481, 840, 722, 271, 252, 326, 527, 543, 351, 448, 351, 179, 52, 170,
    169, 169, 52, 122, 87, 252, 961, 941, 834, 133, 11, 2, 52, 996, 923, 943, 994, 952, 938, 113,
]  # fmt: skip
