#!/usr/bin/env python3
"""The quickstart's data: reproducible, valid against its schemas, and with nothing of the evaluation split in the training split."""

import json
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "datasets" / "examples"
sys.path.insert(0, str(EXAMPLES))
from extract_kinds import KINDS  # noqa: E402
from extract_slots import clock_words, in_words, ordinal  # noqa: E402
from make_extract import shapes_of, slots_of  # noqa: E402

FILES = ("extract_train.jsonl", "extract_eval.jsonl", "extract_schemas.json")
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}


def read_rows(split):
    lines = (EXAMPLES / f"extract_{split}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def sentence_of(row):
    return row["messages"][1]["content"]


def answer_of(row):
    return json.loads(row["messages"][2]["content"])


def problems(value, schema, path="$"):
    """What is wrong with a value by the part of JSON Schema that the schemas use; an unknown keyword is an error."""
    unknown = set(schema) - {"type", "const", "enum", "pattern", "minLength", "minimum", "maximum", "minItems", "items",
                             "properties", "required", "additionalProperties"}
    if unknown:
        raise ValueError(f"{path}: keywords {unknown} are not checked here")
    if isinstance(value, bool) or not isinstance(value, TYPES[schema["type"]]):
        return [f"{path}: {value!r} is no {schema['type']}"]
    found = []
    if "const" in schema and value != schema["const"]:
        found.append(f"{path}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{path}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{path}: {value!r} does not match {schema['pattern']}")
    if not schema.get("minimum", float("-inf")) <= (value if schema["type"] in ("integer", "number") else 0) <= schema.get("maximum", float("inf")):
        found.append(f"{path}: {value!r} is out of range")
    if isinstance(value, (str, list)) and len(value) < schema.get("minLength", schema.get("minItems", 0)):
        found.append(f"{path}: {value!r} is too short")
    if isinstance(value, list):
        found += [p for i, item in enumerate(value) for p in problems(item, schema["items"], f"{path}[{i}]")]
    if isinstance(value, dict):
        found += [f"{path}: {key} is missing" for key in schema["required"] if key not in value]
        found += [f"{path}: {key} is not in the schema" for key in value if key not in schema["properties"]]
        for key, part in schema["properties"].items():
            found += problems(value[key], part, f"{path}.{key}") if key in value else []
        if not found and list(value) != [key for key in schema["properties"] if key in value]:
            found.append(f"{path}: keys in the order {list(value)}")
    return found


def leaves(answer, names):
    """(field, value) for each of the named fields, wherever it is nested; a compound value counts as a whole."""
    for key, value in answer.items():
        if key in names:
            for one in value if isinstance(value, list) else [value]:
                yield key, json.dumps(one["item"] if isinstance(value, list) else one, sort_keys=True)
        elif isinstance(value, dict):
            yield from leaves(value, names)


class Extract(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.train, cls.eval = read_rows("train"), read_rows("eval")
        cls.schemas = json.loads((EXAMPLES / "extract_schemas.json").read_text(encoding="utf-8"))

    def test_the_generator_writes_the_same_bytes_again(self):
        with tempfile.TemporaryDirectory() as folder:
            # Another hash seed each time: an order that came from a set would show.
            for hash_seed in ("1", "2"):
                subprocess.run([sys.executable, str(EXAMPLES / "make_extract.py"), folder], check=True,
                               env={"PYTHONHASHSEED": hash_seed, "PYTHONDONTWRITEBYTECODE": "1"})
                for name in FILES:
                    self.assertEqual((Path(folder) / name).read_bytes(), (EXAMPLES / name).read_bytes(), name)

    def test_counts(self):
        self.assertEqual((len(self.train), len(self.eval)), (1400, 200))
        self.assertGreaterEqual(len(KINDS), 8)
        self.assertEqual(Counter(row["kind"] for row in self.train), {kind.name: 175 for kind in KINDS})
        self.assertEqual(Counter(row["kind"] for row in self.eval), {kind.name: 25 for kind in KINDS})
        self.assertGreaterEqual(len({row["shape"] for row in self.train}), 400)
        self.assertGreaterEqual(len({row["shape"] for row in self.eval}), 100)
        for kind in KINDS:
            self.assertGreaterEqual(len({row["shape"] for row in self.train if row["kind"] == kind.name}), 30, kind.name)

    def test_every_answer_is_compact_json_that_its_schema_accepts(self):
        for row in self.train + self.eval:
            text = row["messages"][2]["content"]
            answer = json.loads(text)
            self.assertEqual(text, json.dumps(answer, ensure_ascii=False, separators=(",", ":")))
            self.assertEqual(problems(answer, self.schemas[row["kind"]]), [], text)

    def test_the_schemas_refuse_wrong_answers(self):
        answer = answer_of(next(row for row in self.train if row["kind"] == "reservation"))
        schema = self.schemas["reservation"]
        for wrong in ({**answer, "people": "4"}, {**answer, "people": 400}, {**answer, "extra": 1}, {**answer, "kind": "order"},
                      {**answer, "when": {"day": "mon"}}, {**answer, "when": {**answer["when"], "time": "3 pm"}},
                      {**answer, "when": {**answer["when"], "day": "Monday"}}, dict(reversed(list(answer.items())))):
            self.assertNotEqual(problems(wrong, schema), [], wrong)

    def test_each_row_is_a_system_a_user_and_an_assistant_message(self):
        for row in self.train + self.eval:
            self.assertEqual([message["role"] for message in row["messages"]], ["system", "user", "assistant"])
            self.assertEqual(row["messages"][0]["content"], "Extract JSON.")
            self.assertEqual(answer_of(row)["kind"], row["kind"])

    def test_no_sentence_comes_twice(self):
        again = [s for s, n in Counter(sentence_of(row) for row in self.train + self.eval).items() if n > 1]
        self.assertEqual(again, [])

    def test_no_shape_is_in_both_splits(self):
        self.assertEqual({row["shape"] for row in self.train} & {row["shape"] for row in self.eval}, set())
        for kind in KINDS:
            train, held_out = ({shape for pattern in patterns for shape in shapes_of(pattern)} for patterns in (kind.train, kind.held_out))
            self.assertEqual(train & held_out, set(), kind.name)

    def test_held_out_values_are_never_trained_on(self):
        for kind in KINDS:
            names = {name for name, slot in slots_of(kind.fields).items() if slot.held_out}
            seen = {leaf for row in self.train if row["kind"] == kind.name for leaf in leaves(answer_of(row), names)}
            asked = {leaf for row in self.eval if row["kind"] == kind.name for leaf in leaves(answer_of(row), names)}
            self.assertTrue(names and asked, kind.name)
            self.assertEqual(seen & asked, set(), kind.name)

    def test_one_sentence_has_one_answer(self):
        """Nothing in the answer depends on what the sentence does not say: a gap that is not in the shape is not in the answer."""
        for row in self.train + self.eval:
            kind = next(kind for kind in KINDS if kind.name == row["kind"])
            gaps = set(re.findall(r"\{(\w+)\}", row["shape"]))
            said = {name for name, _ in leaves(answer_of(row), set(slots_of(kind.fields)))}
            self.assertEqual(said, gaps, row["shape"])


class Words(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual([in_words(n) for n in (0, 9, 13, 20, 25, 99)], ["zero", "nine", "thirteen", "twenty", "twenty-five", "ninety-nine"])
        self.assertEqual([ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 28)],
                         ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "28th"])

    def test_times(self):
        self.assertEqual(clock_words(9, 30), ["09:30", "9.30", "9h30", "0930 hours"])


if __name__ == "__main__":
    unittest.main()
