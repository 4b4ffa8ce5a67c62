"""Benchmarks are run by name; the tests do not collect them:

pip install -e ".[test,bench]"
pytest tests/benchmarks/test_dictionary_speed.py -s --corpus FOLDER
"""

from __future__ import annotations

from pathlib import Path

import pytest

SMALL = Path(__file__).parents[2] / "recipes" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--corpus",
        type=Path,
        default=SMALL,
        help="a folder with one *train.txt.xz and one *test.txt.xz; the default is small: its vocabulary is, too",
    )
