"""A sample that is spread over a file: python tests/benchmarks/every_nth.py FILE OUT --take 64 --of 320 [--from 0]

Writes `take` KiB of each `of`, the first ones or those that begin `from` KiB later.
"""

import argparse
from pathlib import Path

KIB = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--take", type=int, required=True, help="KiB that are kept")
    parser.add_argument("--of", type=int, required=True, help="KiB from one piece to the next")
    parser.add_argument("--from", type=int, default=0, dest="begin", help="KiB before the first piece")
    asked = parser.parse_args()
    with asked.file.open("rb") as file, asked.out.open("wb") as out:
        while piece := file.read(asked.of * KIB):
            out.write(piece[asked.begin * KIB : (asked.begin + asked.take) * KIB])


if __name__ == "__main__":
    main()
