#!/usr/bin/env python3
"""The preference examples: reproducible, with nothing of the evaluation split in the training split, and not won by length."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "datasets" / "examples"
FILES = [f"{name}_{split}.jsonl" for name in ("replies", "thumbs") for split in ("train", "eval")]


def rows_of(name):
    return [json.loads(line) for line in (EXAMPLES / name).read_text(encoding="utf-8").splitlines()]


def text_of(messages):
    return messages[0]["content"]


class Preferences(unittest.TestCase):
    def test_the_generator_writes_these_bytes(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, EXAMPLES / "make_preferences.py", folder], check=True)
            for name in FILES:
                self.assertEqual((Path(folder) / name).read_bytes(), (EXAMPLES / name).read_bytes(), name)

    def test_no_prompt_of_the_evaluation_is_trained_on(self):
        for name in ("replies", "thumbs"):
            trained = {text_of(row["prompt"]) for row in rows_of(f"{name}_train.jsonl")}
            held_out = {text_of(row["prompt"]) for row in rows_of(f"{name}_eval.jsonl")}
            self.assertFalse(trained & held_out)

    def test_no_shape_of_an_answer_is_in_both_splits(self):
        sys.path.insert(0, str(EXAMPLES))
        from make_preferences import CASES, EMPTY, EVAL, TRAIN
        for answers in [EMPTY, *(plain for _, _, plain in CASES)]:
            self.assertTrue(answers[TRAIN] and answers[EVAL])
            self.assertFalse(set(answers[TRAIN]) & set(answers[EVAL]))

    def test_length_does_not_tell_the_better_answer(self):
        for split in ("train", "eval"):
            rows = rows_of(f"replies_{split}.jsonl")
            longer = sum(len(text_of(row["chosen"])) > len(text_of(row["rejected"])) for row in rows)
            self.assertTrue(0.3 < longer / len(rows) < 0.7, (split, longer / len(rows)))

    def test_thumbs_go_both_ways(self):
        labels = [row["label"] for row in rows_of("thumbs_train.jsonl")]
        self.assertTrue(0.4 < sum(labels) / len(labels) < 0.6)


if __name__ == "__main__":
    unittest.main()
