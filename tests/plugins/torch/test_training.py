"""Training: gradients, sampling, resuming, and what freezing costs."""

from __future__ import annotations

import itertools
import math
import shutil

import attrs
import numpy as np
import pytest
import torch

from float_model import FloatModel, load_float
from stackc.api import CorpusError, Device, Text, cost_bits, read_tensors, write_tensors
from stackc_torch.training.architecture import hidden
from stackc_torch.training.config import TransformerTraining
from stackc_torch.training.loss import head_loss
from stackc_torch.training.sampler import Sampler, Windows
from stackc_torch.training.schedule import cuts_due, learning_rate, rounds
from stackc_torch.training.steps import AutogradStep
from stackc_torch.transformer.architecture import TransformerNetwork
from stackc_torch.transformer.calibrate import calibrate
from stackc_torch.transformer.config import Transformer
from stackc_torch.transformer.freeze import freeze
from stackc_torch.transformer.fused import FusedStep
from stackc_torch.transformer.network import initial
from torch_toys import transformer_backend


def every_fourth(predictor, symbols):
    """A cut that looks at the model as little as may be, but does look."""
    state = predictor.start(1)
    row = predictor.step(state, np.array([-1]))[0]
    return np.flatnonzero(row[symbols] > np.median(row))


def sampler(text: Text, config: Transformer, windows: bool = True, seed: int = 1, **settings) -> Sampler:
    chosen = TransformerTraining(steps=1, **settings)
    return Sampler(text, 256, seed, chosen.row_symbols(config.context), chosen, windows)


@pytest.mark.parametrize("rounding", [False, True])
@pytest.mark.parametrize("row", [24, 100])
def test_the_fused_step_has_the_gradients_of_autograd(tools, small, rounding, row):
    """Rows longer than the context and than a block of queries, documents that end inside rows, window rows."""
    rows = sampler(tools.english(5000), small, batch=8, row=row, window_row=16)
    windows = rows.guess()
    (blocks,) = rows.step(0, windows)
    assert len(blocks) == 2
    weights = initial(small, 256, seed=3)
    weights["head"] *= 10
    scales = calibrate(small, weights, rows.calibration(500, windows)) if rounding else None
    outcomes = []
    for fused in (True, False):
        grads = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        if fused:
            stepper = FusedStep(small, weights, grads, 1e-3)
        else:
            stepper = AutogradStep(TransformerNetwork(small), weights, grads, 1e-3, False)
        loss = stepper(blocks, 700, scales)
        outcomes.append((float(loss), grads))
    (fused, mine), (plain, theirs) = outcomes
    assert fused == pytest.approx(plain, rel=1e-5)
    for name in weights:
        scale = float(theirs[name].abs().max())
        assert torch.allclose(mine[name], theirs[name], rtol=1e-3, atol=(2e-2 if rounding else 1e-5) * scale), name


def test_bfloat16_products_point_the_same_way(tools, small, monkeypatch):
    from stackc_torch.transformer import fused

    rows = sampler(tools.english(5000), small, batch=8, row=24)
    (blocks,) = rows.step(0, rows.guess())
    weights = initial(small, 256, seed=3)
    outcomes = []
    for supported in (False, True):
        monkeypatch.setattr(fused, "has_bfloat16", lambda supported=supported: supported)
        grads = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
        loss = FusedStep(small, weights, grads, 1e-4, True)(blocks, 192)
        outcomes.append((float(loss), grads))
    (exact, theirs), (rounded, mine) = outcomes
    assert rounded == pytest.approx(exact, rel=1e-3)
    assert rounded != exact
    for name in weights:
        along = torch.nn.functional.cosine_similarity(mine[name].flatten(), theirs[name].flatten(), dim=0)
        assert along > 0.999, name


def test_the_loss_is_chunked_without_a_trace(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    y, head = torch.randn(300, 8, generator=generator), torch.randn(50, 8, generator=generator)
    targets = torch.randint(0, 50, (300,), generator=generator)
    whole = torch.zeros_like(head)
    loss, d_y = head_loss(y, head, targets, 0.01, whole, 1.0)
    monkeypatch.setattr("stackc_torch.training.loss.LOSS_ELEMENTS", 1)
    parts = torch.zeros_like(head)
    again, d_again = head_loss(y, head, targets, 0.01, parts, 1.0)
    assert float(loss) == pytest.approx(float(again))
    assert torch.allclose(whole, parts, atol=1e-4)
    assert torch.allclose(d_y, d_again, atol=1e-6)
    reference = torch.nn.functional.cross_entropy(y @ head.T, targets, reduction="sum")
    assert float(loss) == pytest.approx(float(reference), rel=1e-5)


def test_rows_are_a_function_of_seed_and_step(tools, small):
    text = tools.english(5000)
    first, again = (sampler(text, small, batch=6, accumulate=2) for _ in range(2))
    other = sampler(text, small, batch=6, accumulate=2, seed=2)
    windows = first.guess()
    for step in (0, 7):
        a, b, c = (s.step(step, windows) for s in (first, again, other))
        assert len(a) == 2
        for mine, same in zip(itertools.chain(*a), itertools.chain(*b), strict=True):
            assert torch.equal(mine.targets, same.targets)
            assert torch.equal(mine.inputs, same.inputs)
        assert not torch.equal(a[0][0].targets, c[0][0].targets)
    assert not torch.equal(a[0][0].targets, first.step(0, windows)[0][0].targets)


@pytest.mark.parametrize("ranks", [1, 2, 3, 7])
def test_ranks_share_the_rows_of_one(tools, small, ranks):
    """All rows, each once; where blocks must be alike, an idle row stands for those that a rank has not."""
    whole = sampler(tools.english(5000), small, batch=6, accumulate=2)
    windows = whole.guess()
    for step in range(3):
        expected = whole.step(step, windows)
        for alike in (False, True):
            shares = [whole.step(step, windows, rank, ranks, alike) for rank in range(ranks)]
            if alike:
                assert len({tuple(map(len, share)) for share in shares}) == 1, "as many blocks on every rank"
            for part, blocks in enumerate(expected):
                found = [rows.targets for share in shares for rows in share[part] if not rows.idle]
                wanted = [line.tolist() for rows in blocks for line in rows.targets]
                assert sorted(line.tolist() for targets in found for line in targets) == sorted(wanted)


def test_contexts_restart_where_documents_and_windows_do(tools, small):
    symbols = np.arange(100, dtype=np.uint8)
    text = Text(symbols=symbols, offsets=np.array([0, 10, 10, 37, 100], np.int64), source_bytes=100)
    starts = np.zeros(100, bool)
    starts[::5] = True
    windows = Windows(symbols=symbols, starts=starts, cuts=1)
    long, short = sampler(text, small, batch=40, row=30, window_row=15).step(0, windows)[0]
    for rows, restarts in ((long, {0, 10, 37}), (short, set(range(0, 100, 5)))):
        targets, inputs = rows.targets.numpy(), rows.inputs.numpy()
        for line, (target, given) in enumerate(zip(targets, inputs, strict=True)):
            since = 0
            for t, symbol in enumerate(target):
                # Symbols count up, around the circle.
                assert t == 0 or symbol == (target[t - 1] + 1) % 100
                if t == 0 or symbol in restarts:
                    since = t
                    assert given[t] == 256
                else:
                    assert given[t] == target[t - 1]
                assert int(rows.first[line, t]) == since
    assert (short.targets[:, 0] % 5 == 0).all()


def test_rows_drawn_together_are_those_drawn_one_by_one(small):
    """Empty documents, one at the very end, and stretches that go around a short text more than once."""
    symbols = np.arange(40, dtype=np.uint8)
    offsets = np.array([0, 0, 9, 9, 10, 33, 40, 40], np.int64)
    drawn = sampler(Text(symbols=symbols, offsets=offsets, source_bytes=40), small)
    places = np.arange(40)
    for size in (1, 7, 40, 95):
        together = drawn._stretches(places, size)
        alone = [[(place + i) % 40 for i in range(size)] for place in places]
        assert np.array_equal(together[0], alone)
        assert np.array_equal(together[1], [[i == 0 or at in offsets for i, at in enumerate(row)] for row in alone])


def test_shares_of_rows_hold_over_many_steps(tools, small):
    rows = sampler(tools.english(2000), small, batch=3, window_share=0.25)
    windows = rows.guess()
    long = sum(rows.step(step, windows)[0][0].targets.shape[0] for step in range(8))
    assert long == 24 - 6
    without = sampler(tools.english(2000), small, windows=False, batch=3)
    assert all(len(without.step(step, windows)[0]) == 1 for step in range(4))


def test_a_text_shorter_than_a_row_is_read_in_circles(small):
    text = Text(symbols=np.array([7], np.uint8), offsets=np.array([0, 1], np.int64), source_bytes=1)
    (rows,) = sampler(text, small, windows=False, batch=2).step(0, sampler(text, small).guess())[0]
    assert (rows.targets == 7).all()
    assert (rows.inputs == 256).all()


def test_no_text_is_an_error_in_one_line(small, tools, tmp_path):
    empty = Text(symbols=np.empty(0, np.uint8), offsets=np.zeros(1, np.int64), source_bytes=0)
    with pytest.raises(CorpusError, match="no symbols"):
        transformer_backend(small).train(tools.task(tmp_path, text=empty, steps=1))


def test_the_schedules():
    settings = TransformerTraining(steps=100, warmup=10, learning_rate=1.0, final_rate=0.1, recuts=3, rounding=0.2)
    for decay, last in (("cosine", 0.1), ("linear", 0.1), ("rsqrt", 10**0.5 / 10), ("constant", 1.0)):
        rates = [learning_rate(attrs.evolve(settings, decay=decay), step, 100) for step in range(100)]
        assert rates[0] == pytest.approx(0.1)
        assert max(rates) == pytest.approx(1.0)
        assert rates[-1] == pytest.approx(last, abs=0.02)
    assert [step for step in range(1, 100) if cuts_due(settings, step, 100) > cuts_due(settings, step - 1, 100)] == [
        25,
        50,
        75,
    ]
    assert [rounds(settings, step, 100) for step in (0, 79, 80, 99)] == [False, False, True, True]
    assert not rounds(attrs.evolve(settings, rounding=0.0), 99, 100)


SETTINGS = {"steps": 12, "batch": 4, "row": 24, "recuts": 2, "recut_symbols": 400, "rounding": 0.4}


@pytest.mark.parametrize("cut", [None, every_fourth])
@pytest.mark.parametrize("killed", [[1], [5, 8], [7], [11]])
def test_a_killed_training_ends_in_the_same_bytes(tools, small, tmp_path, monkeypatch, cut, killed):
    """Killed before and after windows were cut and rounding began, with checkpoints of every age."""
    from stackc_torch.training import report

    monkeypatch.setattr(report, "REPORT_SECONDS", 0.0)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    backend = transformer_backend(small)
    backend.train(tools.task(whole, cut=cut, **SETTINGS))
    for stop in killed:
        with pytest.raises(KeyboardInterrupt):
            backend.train(tools.task(parts, cut=cut, progress=tools.Quiet(stop), checkpoint_seconds=0.0, **SETTINGS))
        assert stop == 1 or (parts / "state.safetensors").exists()
        assert not (parts / "float.safetensors").exists()
    backend.train(tools.task(parts, cut=cut, **SETTINGS))
    assert (parts / "float.safetensors").read_bytes() == (whole / "float.safetensors").read_bytes()
    assert [path.name for path in parts.iterdir()] == ["float.safetensors"]
    backend.train(tools.task(parts, cut=None, progress=tools.Quiet(0), **SETTINGS))  # finished: nothing is done


def test_what_is_logged_depends_on_steps_alone(tools, small, tmp_path, monkeypatch):
    """Not on the clock by which figures are shown, nor on where a training was killed; old states may go on."""
    from stackc_torch.training import report

    monkeypatch.setattr(report, "LOGGED_TIMES", 4)
    settings = {**SETTINGS, "rounding": 0.0, "recuts": 0}
    curves = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(report, "REPORT_SECONDS", seconds)
        curves.append(tools.Quiet())
        transformer_backend(small).train(tools.task(tmp_path / str(seconds), progress=curves[-1], **settings))
    parts = tools.Quiet(5)
    monkeypatch.setattr(report, "REPORT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):  # in the middle of a point: steps 3 and 4 are in the checkpoint
        transformer_backend(small).train(
            tools.task(tmp_path / "parts", progress=parts, checkpoint_seconds=0.0, **settings)
        )
    state = read_tensors(tmp_path / "parts" / "state.safetensors")
    shutil.copytree(tmp_path / "parts", tmp_path / "old")
    parts.stop_at = None
    transformer_backend(small).train(tools.task(tmp_path / "parts", progress=parts, **settings))
    losses = [{step: line["loss"] for step, line in one.logged.items()} for one in (*curves, parts)]
    assert losses[0] == losses[1] == losses[2]
    assert list(losses[0]) == [2, 3, 4, 6, 8, 9, 10, 12], "every third step, and those with a held-out loss"
    assert [step for step, line in curves[1].logged.items() if "valid_loss" in line] == [2, 4, 6, 8, 10, 12]
    write_tensors(tmp_path / "old" / "state.safetensors", {k: a for k, a in state.items() if k != "logged"})
    transformer_backend(small).train(tools.task(tmp_path / "old", **settings))
    made = [(tmp_path / name / "float.safetensors").read_bytes() for name in ("parts", "old")]
    assert made[0] == made[1]


@pytest.mark.parametrize(("total", "first", "points"), [(1, 1, 1), (12, 1, 12), (600, 3, 200), (100_000, 500, 200)])
def test_a_curve_has_two_hundred_points_and_begins_early(tools, small, tmp_path, total, first, points):
    from stackc_torch.training.report import Mean, Report, StepTaken

    said = tools.Quiet()
    report = Report(tools.task(tmp_path, progress=said, steps=1), total, Mean(), 0)
    for step in range(1, total + 1):
        nats = torch.tensor(8 * math.log(2) * step, dtype=torch.float64)
        report.add(step, StepTaken(nats, 8, 1e-3, None), lambda: math.nan)
    steps = list(said.logged)
    assert (steps[0], steps[-1], len(steps)) == (first, total, points)
    for before, step in zip([0, *steps], steps, strict=False):
        assert said.logged[step]["loss"] == pytest.approx((before + 1 + step) / 2)


def test_accumulation_changes_only_the_order_of_sums(tools, small, tmp_path):
    weights = []
    for parts in (1, 4):
        folder = tmp_path / str(parts)
        transformer_backend(small).train(tools.task(folder, steps=3, batch=8, accumulate=parts, rounding=0.0))
        weights.append(read_tensors(folder / "float.safetensors"))
    for name, array in weights[0].items():
        if not name.startswith("scale"):
            assert np.allclose(array, weights[1][name], atol=2e-3), name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of frequent words, trained with and without the rounding in the loop."""
    from torch_toys import SMALL, english, task

    folders = {}
    for rounding in (0.0, 0.3):
        folders[rounding] = tmp_path_factory.mktemp("trained")
        torch.set_num_threads(1)
        transformer_backend(SMALL).train(
            task(folders[rounding], cut=every_fourth, text=english(60_000), steps=250, batch=16, rounding=rounding,
                 recut_symbols=4000, learning_rate=1e-2)
        )  # fmt: skip
    return folders


def bits(predictor, segment, restarts=None) -> float:
    rows = np.concatenate(list(predictor.score(segment, restarts)))
    return float(cost_bits(rows, segment).mean())


@pytest.mark.parametrize("rounding", [0.0, 0.3])
def test_freezing_costs_next_to_nothing(tools, small, trained, tmp_path, rounding):
    backend = transformer_backend(small)
    backend.freeze(trained[rounding], tmp_path, 256)
    predictor = backend.load(tmp_path, 256, Device())
    assert predictor.portability == "portable"
    segment = tools.english(6000, seed=5).symbols
    restarts = np.random.default_rng(1).random(6000) < 0.25
    model = load_float(trained[rounding], 256, small)
    for given in (None, restarts):
        assert bits(predictor, segment, given) - model.bits(segment, given).mean() < 0.005


def test_training_learns_more_than_the_unigram(tools, small, trained):
    segment = tools.english(6000, seed=5).symbols
    shares = np.bincount(segment, minlength=256) / len(segment)
    unigram = -(shares[shares > 0] * np.log2(shares[shares > 0])).sum()
    assert load_float(trained[0.0], 256, small).bits(segment).mean() < 0.75 * unigram


def test_freezing_twice_gives_the_same_bytes(trained, small, tmp_path):
    backend = transformer_backend(small)
    for name in "ab":
        backend.freeze(trained[0.3], tmp_path / name, 256)
    assert (tmp_path / "a/frozen.safetensors").read_bytes() == (tmp_path / "b/frozen.safetensors").read_bytes()


def test_the_float_model_scores_as_the_training_network(tools, small):
    """Passes, carried keys and restarts against one row of the plain network."""
    weights = initial(small, 256, seed=4)
    weights["head"] *= 10
    symbols = tools.english(1200).symbols.astype(np.int64)
    restarts = np.random.default_rng(2).random(1200) < 0.02
    restarts[0] = True
    rows = sampler(tools.english(1200), small, windows=False)._rows(symbols[None], restarts[None])
    y = hidden(TransformerNetwork(small), weights, rows)[0]
    log_p = torch.log_softmax(y @ weights["head"].T, -1).gather(1, rows.targets[0][:, None])[:, 0]
    expected = -log_p.double().numpy() / np.log(2)
    assert np.allclose(FloatModel(small, weights, 256).bits(symbols, restarts), expected, atol=1e-4)


def test_weights_of_any_size_freeze(small):
    """Zero matrices, and matrices far too large: saturation, no crash, valid integers."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 256, (2, 24), generator=generator)
    from stackc_torch.training.rows import Rows

    blocks = [Rows(inputs=tokens, targets=tokens, first=None)]
    for factor in (0.0, 1e-6, 1e3):
        weights = {name: tensor * factor for name, tensor in initial(small, 256, seed=5).items()}
        freeze(small, weights, calibrate(small, weights, blocks)).check("frozen")


@pytest.mark.long
def test_real_text_loses_less_than_five_thousandths(tools, tmp_path):
    """The small corpus at the size of the default recipe's first model, minutes of training."""
    import lzma
    from pathlib import Path

    corpus = Path(__file__).parents[3] / "recipes" / "data"
    if not (corpus / "train.txt.xz").exists():
        pytest.skip("the small corpus is not in recipes/data")
    symbols = np.frombuffer(lzma.decompress((corpus / "train.txt.xz").read_bytes()), np.uint8)
    held_out = np.frombuffer(lzma.decompress((corpus / "test.txt.xz").read_bytes()), np.uint8)[:200_000]
    text = Text(symbols=symbols, offsets=np.array([0, len(symbols)], np.int64), source_bytes=len(symbols))
    config = Transformer(layers=2, width=96, heads=3, context=128)
    backend = transformer_backend(config)
    for rounding in (0.0, 0.15):
        folder = tmp_path / str(rounding)
        backend.train(tools.task(folder, text=text, symbols=1_000_000, batch=16, rounding=rounding))
        backend.freeze(folder, folder, 256)
        predictor = backend.load(folder, 256, Device())
        assert bits(predictor, held_out) - load_float(folder, 256, config).bits(held_out).mean() < 0.005


def test_a_precision_that_the_device_has_not_is_said(tools, small, tmp_path, monkeypatch):
    from stackc_torch.training import networks

    said: list[str] = []
    monkeypatch.setattr(networks, "has_bfloat16", lambda: False)
    monkeypatch.setattr(tools.Quiet, "say", lambda self, text: said.append(text))
    transformer_backend(small).train(tools.task(tmp_path, steps=1, precision="bf16"))
    assert len(said) == 1
    assert "training in float32" in said[0]
