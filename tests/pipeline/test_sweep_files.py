"""What a sweep's file says: axes, arms and seeds, the names of runs, mistakes, and tables in other forms."""

from __future__ import annotations

import csv
import html
import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

import stackc
from stackc.api.errors import RecipeError
from stackc.pipeline.sweeps.expand import ENOUGH, load_sweep, short_names, written_values
from stackc.pipeline.sweeps.written import as_csv, as_latex, as_markdown, markdown, markdown_paragraph
from stackc.recipe import Recipe, shipped_recipes
from stackc.recipe.load import load_changed
from sweeps_of_tests import QUICK, TOY, write


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sweeps")
    write(folder, toy=TOY, quick=QUICK)
    return folder


HEADER = 'base = "base.toml"\n'


def runs_of(place: Path, text: str) -> list[tuple[str, int]]:
    (place / "case.toml").write_text(HEADER + text)
    return [(run.label, run.seed) for run in load_sweep(place / "case.toml").runs]


def test_axes_arms_and_seeds_are_multiplied(place: Path) -> None:
    text = """seeds = [5, 7]
zip = {level.1.windowing.bits = [9, 10], level.1.tokens.bits = [9, 10]}
grid."top.train.steps" = [1, 2]
[[arm]]
name = "wide"
set.top.model.width = 24
[[arm]]
name = "one"
seeds = 1
grid = {}
"""
    points = [f"wide, steps={steps}, windowing.bits={bits}, tokens.bits={bits}" for steps in (1, 2) for bits in (9, 10)]
    assert runs_of(place, text) == [*((point, seed) for point in points for seed in (5, 7)), ("one", 1)]


def test_a_budget_replaces_the_budget_of_the_base(place: Path) -> None:
    (place / "case.toml").write_text(HEADER + 'grid."top.train.operations" = [1e7, 1e8]\n')
    for run, operations in zip(load_sweep(place / "case.toml").runs, (1e7, 1e8), strict=True):
        assert (run.recipe.top.train.steps, run.recipe.top.train.operations) == (None, operations)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_arm_changes_no_table_of_another(place: Path, order: tuple[int, int]) -> None:
    """A whole table of the sweep was one object in all arms, and what one arm set in it stayed there."""
    arms = ('[[arm]]\nname = "a"\nset.top.train.steps = 700\n', '[[arm]]\nname = "b"\nset.top.model.width = 8\n')
    text = HEADER + 'set."top.train" = {steps = 50}\n' + "".join(arms[i] for i in order)
    (place / "case.toml").write_text(text)
    steps = {run.arm: run.recipe.top.train.steps for run in load_sweep(place / "case.toml").runs}
    assert steps == {"a": 700, "b": 50}


def test_the_name_of_a_run_depends_on_its_recipe_and_its_text_alone(place: Path, tmp_path: Path) -> None:
    def names(folder: Path) -> list[str]:
        return [run.id for run in load_sweep(folder / "quick.toml").runs]

    write(tmp_path, quick=QUICK)
    assert names(tmp_path) == names(place), "in another folder"
    (tmp_path / "quick.toml").write_text(QUICK.replace("[9, 10,", "[10, 9,") + 'set."run.lanes" = 4\n')
    assert sorted(names(tmp_path)) == sorted(names(place)), "in another order, at another speed"
    (tmp_path / "valid.txt").write_text("another text")
    assert not set(names(tmp_path)) & set(names(place))


def test_file_names_are_relative_to_the_sweep(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (place / "case.toml").write_text(HEADER + 'set."corpus.train" = "train-a.txt"\n')
    assert load_sweep(place / "case.toml").runs[0].recipe.corpus.reader.config.train == (str(place / "train-a.txt"),)


MISTAKES: dict[str, tuple[str, list[str]]] = {
    "everything at once": (
        'seedz = 3\ngrid."level.1.tokens.bits" = 4\nzip = {a.b = [1], c.d = [1, 2]}\n[[arm]]\nname = "x"\n'
        '[[arm]]\nname = "x"\nbase = "thre_level"\n[[arm]]\nname = "y"\nset.top.train.stepz = 4\n',
        [
            "seedz: unknown key; did you mean 'seeds'?",
            'grid."level.1.tokens.bits": expected a list of values, found 4',
            "zip: axes of different lengths: a.b has 1, c.d has 2",
            'arm.2.name: "x" is already the name of arm.1',
            'arm.2.base: no such recipe: "thre_level"; did you mean three_level?',
            "arm.3.set.\"top.train.stepz\": unknown key; did you mean 'steps'? (in y)",
        ],
    ),
    "an axis of speed": (
        "grid.run.lanes = [4, 8]\n",
        ['grid."run.lanes": changes speed or names alone, so all its values give the same stack; remove the axis'],
    ),
    "an axis without effect, of a zip": (
        "zip = {level.1.windowing.bits = [9, 18], top.train.batch = [4, 4]}\n",
        ['zip."top.train.batch": has no effect: all its values are 4; put it into set'],
    ),
    "an axis of speed, of a zip": (
        "zip = {level.1.windowing.bits = [9, 18], run.lanes = [4, 8]}\n",
        ['zip."run.lanes": changes speed or names alone, so all its values give the same stack; remove the axis'],
    ),
    "equal arms": (
        '[[arm]]\nname = "one"\n[[arm]]\nname = "other"\nset.top.train.steps = 5\n',
        ['arm.2: "other" gives the same stack as arm "one"; remove one'],
    ),
    "a value twice": ("grid.top.train.steps = [5, 5]\n", ['grid."top.train.steps": a value is given twice in [5, 5]']),
    "values that mean the same": (
        'grid."top.model.mlp" = [0, 64]\n[[arm]]\nname = "a"\nset.top.model.width = 16\n', [],
    ),
    "no values": ("grid.top.train.steps = []\n", ['grid."top.train.steps": no values']),
    "seeds twice": (
        'seeds = 2\nset."stack.seed" = 4\n',
        ["seeds: stack.seed is set too; remove one"],
    ),
    "an axis that is set": (
        "set.top.train.steps = 4\ngrid.top.train.steps = [4, 5]\n",
        ['set."top.train.steps": is also an axis, which replaces it; remove one'],
    ),
    "two budgets": (
        "set.top.train = {steps = 4, symbols = 900}\n",
        ['set."top.train.symbols": top.train.steps says how long to train too; remove one'],
    ),
    "a budget that is set, of an axis of another": (
        'grid.top.train.operations = [3e7, 9e7]\n[[arm]]\nname = "a"\nset.top.train.symbols = 900\n',
        ['arm.1.set."top.train.symbols": the axis top.train.operations says how long to train too; remove one'],
    ),
    "a budget and a whole table of training": (
        'set."top.train" = {steps = 5}\nset.top.train.symbols = 900\n',
        ['set."top.train.symbols": top.train says how long to train too; remove one'],
    ),
    "a budget that is set, of an axis of whole tables": (
        'set.top.train.symbols = 900\ngrid."top.train" = [{steps = 5}, {steps = 6}]\n',
        ['set."top.train.symbols": the axis top.train says how long to train too; remove one'],
    ),
    "two axes of budgets": (
        "grid.top.train = {steps = [4, 5], symbols = [900, 950]}\n",
        ['grid."top.train.symbols": top.train.steps says how long to train too; remove one'],
    ),
    "an arm's budget in the place of the sweep's": (
        'set.top.train.steps = 4\n[[arm]]\nname = "a"\nset.top.train.symbols = 900\n[[arm]]\nname = "b"\n', [],
    ),
    "one value of an axis": (
        "grid.top.model.layers = [1, 0]\n",
        ['grid."top.model.layers": 0 is below 1 (in layers=0)'],
    ),
    "a table of another name": (
        "set.top.trian.steps = 3\n",
        ["set.\"top.trian.steps\": top.trian: unknown key; did you mean 'train'?"],
    ),
    "no text": ('set."corpus.test" = "nowhere*.txt"\n', ['set."corpus.test": no file matches']),
    "no text, an axis of speed and a wrong key": (
        'set."corpus.test" = "nowhere*.txt"\ngrid.run.lanes = [4, 8]\n[[arm]]\nname = "a"\n[[arm]]\nname = "b"\n'
        'set.corpus.test = "test.txt"\nset.top.train.stepz = 4\n',
        [
            'set."corpus.test": no file matches',
            "arm.2.set.\"top.train.stepz\": unknown key",
            'grid."run.lanes": changes speed or names alone',
        ],
    ),
    "seeds out of range": (
        f"seeds = [-1, 2, {2**63}]\n",
        ["seeds: -1 is not in 0 .. 2^63 - 1", f"seeds: {2**63} is not in 0 .. 2^63 - 1"],
    ),
    "an address twice": (
        'set."top.train.batch" = 4\nset.top.train.batch = 5\n',
        ['set."top.train.batch": is given twice; remove one'],
    ),
    "an empty key": (
        'grid."" = [1, 2]\nset."level..bits" = 3\n',
        ['set."level..bits": a part of the key is empty', 'grid."": a part of the key is empty'],
    ),
    "arms with other test bytes": (
        '[[arm]]\nname = "a"\n[[arm]]\nname = "b"\nset."corpus.test" = "train-a.txt"\n',
        ["corpus.test: b: another text than in a; bits per byte of different texts do not compare: make two sweeps"],
    ),
    "a grid too large": (
        f"grid.top.model.width = {list(range(16, 10016))}\ngrid.top.train.stepz = [5, 6]\n",
        [
            "grid: 20,000 combinations of values, more than 10,000; leave out values, or make several sweeps",
            "grid.\"top.train.stepz\": unknown key; did you mean 'steps'?",
        ],
    ),
    "a zip too long, of an arm": (
        f'[[arm]]\nname = "a"\nzip.top.train.batch = {list(range(1, 10002))}\n',
        ["arm.1.zip: 10,001 combinations of values, more than 10,000"],
    ),
    "budgets of one step": (
        "grid.top.train.operations = [1e3, 2e3]\n",
        ['grid."top.train.operations": two values are the same training, of '],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_all_mistakes_are_reported_before_anything_runs(place: Path, what: str) -> None:
    text, expected = MISTAKES[what]
    (place / "case.toml").write_text(HEADER + text)
    if not expected:
        assert load_sweep(place / "case.toml").runs
        return
    with pytest.raises(RecipeError) as caught:
        stackc.sweep(place / "case.toml", place / "mistaken")
    assert len(caught.value.problems) == len(expected), caught.value.problems
    for line, start in zip(caught.value.problems, expected, strict=True):
        assert line.startswith(start), caught.value.problems
    assert not (place / "mistaken").exists()


def test_an_arm_that_is_wrong_everywhere_is_not_resolved_to_its_last_point(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = []

    def counted(*arguments: Any) -> Recipe:
        resolved.append(arguments)
        return load_changed(*arguments)

    monkeypatch.setattr("stackc.pipeline.sweeps.expand.load_changed", counted)
    batches, widths = list(range(4, 64)), list(range(16, 176, 16))
    axes = f"grid.top.train.batch = {batches}\ngrid.top.model.width = {widths}\nset.top.train.stepz = 4\n"
    (place / "case.toml").write_text(HEADER + axes)
    with pytest.raises(RecipeError) as caught:
        load_sweep(place / "case.toml")
    assert caught.value.problems == ["set.\"top.train.stepz\": unknown key; did you mean 'steps'?"]
    assert len(resolved) <= ENOUGH + len(batches) + len(widths), "and each axis at its values"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such sweep file"), ("base = [", "not valid TOML"), ("name = 'x'", "base: missing; the recipe")],
)
def test_a_file_that_is_no_sweep_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "s.toml").write_text(content)
    with pytest.raises(RecipeError, match=message):
        load_sweep(tmp_path / "s.toml")


@pytest.mark.parametrize(
    ("base", "hint"),
    [
        ("tiny", "did you mean tiny.toml?"),
        ("tinny", "did you mean tiny.toml?"),
        ("sub/depe.toml", "did you mean sub/deep.toml?"),
        ("thre_level", "did you mean three_level?"),
        ("itself", "name a file or a shipped recipe"),
    ],
)
def test_the_nearest_base_is_named_as_it_can_be_given(tmp_path: Path, base: str, hint: str) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("tiny.toml", "sub/deep.toml", "itself.toml"):
        (tmp_path / name).write_text(f'base = "{base}"')
    with pytest.raises(RecipeError) as caught:
        load_sweep(tmp_path / "itself.toml")
    assert caught.value.problems == [f'base: no such recipe: "{base}"; {hint}']


# -- writing


def test_names_of_axes_are_short_and_differ() -> None:
    found = short_names(["level.1.windowing.bits", "level.2.windowing.bits", "top.train.steps", "level.1"])
    assert list(found.values()) == ["level.1.windowing.bits", "level.2.windowing.bits", "steps", "level.1"]


def test_values_in_few_words_differ_where_the_values_do() -> None:
    assert written_values([3e12, 1e13]) == ["3e12", "1e13"]
    assert written_values([{"kind": "a", "bits": 9}, {"kind": "a", "bits": 10}]) == ["bits=9", "bits=10"]
    long: list[Any] = [["x" * 100, 1], ["x" * 100, 2]]
    assert len(set(written_values(long))) == 2


def test_cells_are_escaped() -> None:
    rows = [["a|b", "1\n2"], ['"q", r', "50 % & $_{x}"]]
    assert as_markdown(["h", "k"], rows).splitlines()[2] == "| a\\|b | 1 2 |"
    assert list(csv.reader(as_csv([["h", "k"], *rows]).splitlines()))[2] == rows[1]
    assert r"50 \% \& \$\_\{x\} \\" in as_latex(["h", "k"], rows)
    assert r"a\textbar{}b & 1 2 \\" in as_latex(["h", "k"], rows)


HOSTILE = (
    "<script>alert(1)</script> \\textbf{x} $#~^ `c` *b* é東😀", "a_b & 50% | x, \"q\"", "=1+1",
    "[a](http://b) ![c](d)", "_a_ __b__ c__d _e f_ (_g_)", "&lt;b&gt; &amp;",
    "~~gone~~ ~x~", "\\*a\\* \\| \\\\", "<!-- a", "# a", "1. a", "12) a",
    "- a", "+ a", "---", "``a`` `", "words_4k", "level.1.windowing.bits=9", "**a_**", "<http://a>", "1|2|3",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_texts_as_they_are(text: str) -> None:
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    table = reader.render(as_markdown([text, "k"], [[text, "-0.5"], ["-", text]]))
    shown = html.escape(text)
    assert re.findall(r"<t[hd].*?>(.*)</t[hd]>", table) == [shown, "k", shown, "-0.5", "-", shown]
    assert reader.render(markdown_paragraph(text)) == f"<p>{shown}</p>\n"
    assert reader.render(f"**{markdown(text)}**") == f"<p><strong>{shown}</strong></p>\n"


@pytest.mark.parametrize("text", ["words_4k", "bits=9", "3.5e-07", "+0.0100..-0.0200", "a-b.c, d", "unigram bits/byte"])
def test_usual_names_and_numbers_have_no_backslashes_in_markdown(text: str) -> None:
    assert markdown(text) == text


def test_negative_numbers_have_a_minus_in_latex_and_names_keep_their_hyphens() -> None:
    line = ["-0.01..-0.005", "x=-3 [-1, -.5] 1e-5", "words-1 2026-01-02 -"]
    assert r"$-$0.01..$-$0.005 & x=$-$3 [$-$1, $-$.5] 1e$-$5 & words-1 2026-01-02 - \\" in as_latex(["h"] * 3, [line])


@pytest.mark.parametrize("path", sorted((shipped_recipes()["smoke"].parent / "sweeps").glob("*.toml")))
def test_sweeps_that_ship_with_stackc_can_be_read(path: Path) -> None:
    assert len(load_sweep(path).runs) > 1


def test_the_base_may_be_a_recipe_that_ships_with_stackc(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('base = "smoke"\ngrid.top.train.symbols = [1000, 2000]\n')
    runs = load_sweep(tmp_path / "s.toml").runs
    assert [run.recipe.source for run in runs] == [shipped_recipes()["smoke"]] * 2
