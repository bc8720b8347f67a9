#!/usr/bin/env python3
"""The preference example: the generator writes the files that are there, and the two splits share no sentence."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "datasets" / "examples"
FILES = ["support_train.jsonl", "support_eval.jsonl"]


def rows(name):
    return [json.loads(line) for line in (EXAMPLES / name).read_text(encoding="utf-8").splitlines()]


def sentences(name):
    """Every sentence of every answer."""
    answers = [row[key][0]["content"] for row in rows(name) for key in ("chosen", "rejected")]
    return {sentence for answer in answers for sentence in answer.rstrip(".?").split(". ")}


class Support(unittest.TestCase):
    def test_generator_writes_these_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, EXAMPLES / "make_support.py", folder], check=True)
            for name in FILES:
                self.assertEqual((Path(folder) / name).read_bytes(), (EXAMPLES / name).read_bytes(), name)

    def test_splits_share_no_sentence(self):
        self.assertFalse(sentences(FILES[0]) & sentences(FILES[1]))
        self.assertFalse({row["prompt"][1]["content"] for row in rows(FILES[0])}
                         & {row["prompt"][1]["content"] for row in rows(FILES[1])})

    def test_length_tells_nothing(self):
        for name in FILES:
            longer = [len(row["chosen"][0]["content"]) > len(row["rejected"][0]["content"]) for row in rows(name)]
            self.assertLess(abs(sum(longer) / len(longer) - 0.5), 0.15, name)


if __name__ == "__main__":
    unittest.main()
