"""What litgpt's Tokenizer makes of a folder: python tests/clients/litgpt_tokenizer.py FOLDER < texts.json

Reads a list of texts, and prints for each its ids, with and without the end of text, and what they decode to.
"""

from __future__ import annotations

import json
import sys

from litgpt.tokenizer import Tokenizer


def main(folder: str) -> None:
    tokenizer = Tokenizer(folder)
    rows = []
    for text in json.load(sys.stdin):
        ids = tokenizer.encode(text)
        rows.append([ids.tolist(), tokenizer.encode(text, eos=True).tolist(), tokenizer.decode(ids)])
    print(json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
