"""datatrove over a stack's tokenizer: python tests/clients/datatrove_tokens.py TOKENIZER.JSON FILE LENGTH < texts.json

Its pipeline tokenizes a list of texts, one document each, and its dataset reads rows of LENGTH + 1 ids from FILE, which
`stackc export --to bin` wrote. Prints the ids of the first, and the rows of the second, as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.utils.dataset import DatatroveFileDataset


def main(tokenizer: str, file: str, length: str) -> None:
    texts = json.load(sys.stdin)
    Path("texts").mkdir()
    rows = [json.dumps({"text": text, "id": str(number)}) + "\n" for number, text in enumerate(texts)]
    Path("texts/all.jsonl").write_text("".join(rows))
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader("texts"),
            DocumentTokenizer(
                "tokens", tokenizer_name_or_path=tokenizer, eos_token="<|endoftext|>", shuffle_documents=False
            ),
        ],
        logging_dir="logs",
        workers=1,
        tasks=1,
    ).run()
    (made,) = Path("tokens").glob("*.ds")
    data = DatatroveFileDataset(file, int(length), token_size=2)
    read = [data[number]["input_ids"].tolist() for number in range(len(data))]
    print(json.dumps([np.fromfile(made, np.uint16).tolist(), read]))


if __name__ == "__main__":
    main(*sys.argv[1:])
