"""``python -m stackc``."""

from stackc.cli import run

run()
