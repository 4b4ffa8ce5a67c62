"""A stack as a tokenizer of transformers: lossless, saved, padded, and trained on."""

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
from hypothesis import given
from hypothesis import strategies as st

import stackc
from recipes_of_tests import TEXT, corpus, counting, counting_twice
from stackc.errors import StackcError

transformers = pytest.importorskip("transformers", reason="needs the extra hf")

from stackc.hf import StackTokenizer  # noqa: E402

MIXED = "It is a truth\0 \U0001f600 é"


@pytest.fixture(scope="module", params=["counting", "twice"])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf")
    corpus(folder)
    recipe = counting() if request.param == "counting" else counting_twice()
    (folder / "recipe.toml").write_text(recipe)
    stackc.build(folder / "recipe.toml", folder / "stack")
    return folder / "stack"


@pytest.fixture(scope="module")
def tokenizer(stack: Path) -> StackTokenizer:
    return StackTokenizer.from_stack(stack)


def test_any_text_comes_back(tokenizer: StackTokenizer) -> None:
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def check(text: str) -> None:
        assert tokenizer.decode(tokenizer(text).input_ids) == text
        assert tokenizer.convert_tokens_to_string(tokenizer.tokenize(text)) == text or "\ufffd" in text

    check()
    with pytest.raises(StackcError, match="lone surrogate"):
        tokenizer("a\ud800")


def test_any_ids_decode(tokenizer: StackTokenizer) -> None:
    @given(st.lists(st.integers(0, len(tokenizer) + 5)))
    def check(ids: list[int]) -> None:
        assert isinstance(tokenizer.decode(ids), str)

    check()


def test_ids_are_those_of_the_stack_and_specials_come_after(stack: Path, tokenizer: StackTokenizer) -> None:
    opened = stackc.load(stack)
    assert tokenizer(TEXT).input_ids == opened.encode(TEXT.encode()).tolist()
    assert tokenizer.vocab_size == opened.token_alphabet()
    assert tokenizer.eos_token_id == tokenizer.vocab_size
    assert len(tokenizer.get_vocab()) == len(tokenizer) == tokenizer.vocab_size + 1


def test_an_added_token_takes_no_text_away(stack: Path) -> None:
    own = StackTokenizer.from_stack(stack)
    assert own.add_tokens(["e"]) == 1
    assert own.convert_tokens_to_ids("e") == own.vocab_size + 1
    assert own("tell").input_ids.count(own.vocab_size + 1) == 1
    assert own.decode(own("tell").input_ids) == "tell"
    assert len(own.get_vocab()) == len(own)


@pytest.mark.parametrize("side", ["left", "right"])
def test_batches_are_padded_cut_and_placed(tokenizer: StackTokenizer, side: str) -> None:
    texts = [MIXED, "", "a<|endoftext|>b"]
    made = tokenizer(texts, padding=True, padding_side=side, return_offsets_mapping=True)
    assert tokenizer.batch_decode(made.input_ids, skip_special_tokens=True) == [MIXED, "", "ab"]
    for row, mask, where in zip(made.input_ids, made.attention_mask, made.offset_mapping, strict=True):
        assert len(row) == len(mask) == len(where) == len(made.input_ids[0])
    assert sum(made.attention_mask[0]) == len(tokenizer(MIXED).input_ids)
    cut = tokenizer(MIXED, truncation=True, max_length=4, return_offsets_mapping=True)
    assert cut.input_ids == tokenizer(MIXED).input_ids[:4]
    assert len(cut.offset_mapping) == 4


def test_offsets_are_bytes_and_cover_the_text(tokenizer: StackTokenizer) -> None:
    spans = sorted(set(tokenizer([TEXT, MIXED], return_offsets_mapping=True).offset_mapping[1]))
    assert [low for low, _ in spans] == [0, *(high for _, high in spans[:-1])]
    assert spans[-1][1] == len(MIXED.encode())


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


def test_pairs_and_marks_around_texts(stack: Path) -> None:
    own = StackTokenizer.from_stack(stack, bos_token="<s>", special_tokens_pattern="bos_eos")
    bare = own("ab", add_special_tokens=False).input_ids
    made = own("ab", return_offsets_mapping=True, return_special_tokens_mask=True)
    assert made.input_ids == [own.bos_token_id, *bare, own.eos_token_id]
    assert made.offset_mapping[0] == made.offset_mapping[-1] == (0, 0)
    assert made.special_tokens_mask == [1, *[0] * len(bare), 1]
    both = own(["ab"], ["tell"], add_special_tokens=False, return_offsets_mapping=True)
    assert both.input_ids == [bare + own("tell", add_special_tokens=False).input_ids]
    assert both.offset_mapping[0][-1][1] == 4
    cut = own(["ab" * 20], truncation=True, max_length=5, return_offsets_mapping=True)
    assert len(cut.input_ids[0]) == len(cut.offset_mapping[0]) == 5


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
    with pytest.raises(StackcError, match="a file; a stack is a folder"):
        StackTokenizer.from_stack(tmp_path / "a.stk")
    shutil.copytree(stack, tmp_path / "bad")
    text = (tmp_path / "bad/manifest.json").read_text()
    (tmp_path / "bad/manifest.json").write_text(
        text.replace('"portability": "portable"', '"portability": "same-machine"')
    )
    assert StackTokenizer.from_stack(tmp_path / "bad", level="M1").vocab_size == 1024  # compiled: needs no model
    if len(stackc.load(stack).levels) > 1:
        with pytest.raises(StackcError, match="M2 answers alike only on the same machine"):
            StackTokenizer.from_stack(tmp_path / "bad")


def test_without_transformers_the_extra_is_named() -> None:
    code = "import sys; sys.modules['transformers'] = None\nimport stackc.hf"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert 'pip install "stackc[hf]"' in done.stderr


def test_a_model_learns_on_it_and_writes(tokenizer: StackTokenizer, tmp_path: Path) -> None:
    transformers.set_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = transformers.LlamaForCausalLM(config)
    rows = [{"input_ids": ids} for ids in tokenizer([TEXT] * 16, truncation=True, max_length=24).input_ids]
    trainer = transformers.Trainer(
        model=model,
        args=transformers.TrainingArguments(
            str(tmp_path), max_steps=12, learning_rate=1e-2, logging_steps=1, use_cpu=True, report_to="none",
            disable_tqdm=True, save_strategy="no",
        ),
        train_dataset=rows,
        processing_class=tokenizer,
        data_collator=transformers.DataCollatorForLanguageModeling(tokenizer, mlm=False),
    )  # fmt: skip
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < 0.7 * losses[0]
    write = transformers.pipeline("text-generation", model=model, tokenizer=tokenizer, device="cpu")
    assert write("It is", max_new_tokens=8)[0]["generated_text"].startswith("It is")
    prompt = tokenizer("It is", return_tensors="pt")
    model.generate(**prompt, max_new_tokens=8, do_sample=True, streamer=transformers.TextStreamer(tokenizer))
