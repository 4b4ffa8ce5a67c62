"""The plots of docs/results/levels.md, drawn from the tables of its sweeps.

    python tests/benchmarks/plots_of_levels.py --budgets SWEEP --ladder SWEEP [SWEEP] --out docs/images

Writes `levels_budgets.png`, bits per byte by operations of training, and `levels_ladder.png`, bits per byte by bytes
per token at equal operations of inference; means over the seeds that are there. Needs the extra ``report``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from stackc.report.plots import Plot, Series
from stackc.report.png import draw

ARMS = {"bpe": "BPE", "words": "words (ours)", "sentencepiece": "SentencePiece"}


def runs(sweeps: list[Path]) -> list[dict[str, Any]]:
    """All finished runs of some sweeps, each arm and seed once."""
    lines = [json.loads(line) for sweep in sweeps for line in (sweep / "table.jsonl").read_text().splitlines()]
    done = {(line["label"], line["seed"]): line for line in lines if line["status"] == "done"}
    return list(done.values())


def means(found: list[dict[str, Any]], x: str) -> tuple[float, float]:
    """(mean of x; of the bits per byte)."""
    return tuple(fmean(run["figures"][name] for run in found) for name in (x, "bits_per_byte"))  # type: ignore[return-value]


def by_budget(sweep: Path) -> Plot:
    """A line for each arm."""
    grouped = defaultdict(list)
    for run in runs([sweep]):
        grouped[run["arm"], run["axes"]["top.train.operations"]].append(run)
    series = []
    for colour, (arm, label) in enumerate(ARMS.items()):
        points = sorted(means(found, "top_train_operations") for (one, _), found in grouped.items() if one == arm)
        xs, ys = [list(column) for column in zip(*points, strict=True)]
        series.append(Series(label=label, colour=colour, kind="marks", xs=xs, ys=ys))
    return Plot(
        key="levels_budgets", title="Bits per byte by operations of training", log_x=True, series=series,
        x_label="operations of training (logarithmic)", y_label="bits per source byte",
    )  # fmt: skip


def by_length(sweeps: list[Path]) -> Plot:
    """A line for tokens of one level, and one for tokens of two. Bytes, far above, are left out."""
    grouped = defaultdict(list)
    for run in runs(sweeps):
        grouped[run["arm"]].append(run)
    series = []
    for colour, (kind, label) in enumerate({"M2": "tokens of one level", "M3": "tokens of two levels"}.items()):
        arms = [arm for arm in grouped if arm.startswith(kind)]
        points = sorted((*means(grouped[arm], "bytes_per_token"), arm.removeprefix(f"{kind} ")) for arm in arms)
        xs, ys, names = [list(column) for column in zip(*points, strict=True)]
        # At most twelve characters are drawn.
        short = [str(name).replace("lexicon ", "").replace("1024, ", "+ ") for name in names]
        short = [name.split()[0] if name[0].isalpha() else name for name in short]
        series.append(Series(label=label, colour=colour, kind="marks", xs=xs, ys=ys, names=short))
    return Plot(
        key="levels_ladder", title="Bits per byte by bytes per token, at equal operations per byte", series=series,
        x_label="source bytes per token", y_label="bits per source byte",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budgets", type=Path)
    parser.add_argument("--ladder", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    chosen = parser.parse_args()
    plots = [by_budget(chosen.budgets)] if chosen.budgets else []
    plots += [by_length(chosen.ladder)] if chosen.ladder else []
    for plot in plots:
        (chosen.out / f"{plot.key}.png").write_bytes(draw(plot))


if __name__ == "__main__":
    main()
