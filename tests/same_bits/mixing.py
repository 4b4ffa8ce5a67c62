"""The model `mixing` by one route, in this process: prints a number that every route must give."""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from mixing_toys import CONFIGS, decoded, encoded, predictor_of, texts, twin_of

ALPHABET = 256


def number(threads: int, backwards: bool, twin: bool = False, length: int = 400, contexts: str = "many") -> str:
    """Runs coded from one primed state, by threads that take one after the other: the digest of all payloads."""
    runs = list(texts(ALPHABET, length).values())
    predictor = predictor_of(runs[-1][: length // 2], ALPHABET, CONFIGS[contexts])
    copies = [predictor.begin() for _ in range(threads)]
    payloads: dict[int, bytes] = {}

    def code(thread: int) -> None:
        for place in sorted(range(thread, len(runs), threads), reverse=backwards):
            if twin:
                payloads[place] = twin_of(predictor.begin(), ALPHABET).encode(runs[place].tolist())
                continue
            payloads[place] = encoded(predictor, runs[place], state=copies[thread])
            assert decoded(predictor, payloads[place], length, copies[thread]).tolist() == runs[place].tolist()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(code, range(threads)))
    return hashlib.sha256(b"".join(payloads[place] for place in range(len(runs)))).hexdigest()[:16]


if __name__ == "__main__":
    print(number(threads=int(sys.argv[1]), backwards=sys.argv[2] == "backwards", contexts=sys.argv[3]))
