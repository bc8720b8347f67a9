#!/usr/bin/env python3
"""Writes the quickstart's task: everyday sentences in, strict JSON out. See README.md beside this file.

    make_extract.py [folder]      extract_train.jsonl, extract_eval.jsonl and extract_schemas.json, into this folder by default

The same bytes come out on every machine and Python from 3.8 on: all choices come from random.Random.random() with fixed seeds.
"""

import json
import re
import sys
from pathlib import Path
from random import Random

from extract_kinds import KINDS
from extract_slots import EVAL, TRAIN, Slot

SYSTEM = "Extract JSON."
ROWS_PER_KIND = {TRAIN: 175, EVAL: 25}


def shapes_of(pattern):
    """All shapes that a pattern stands for: every way to choose among its [a|b] alternatives."""
    choice = re.search(r"\[([^\[\]]*)\]", pattern)
    if not choice:
        return [pattern]
    before, after = pattern[: choice.start()], pattern[choice.end() :]
    return [shape for option in choice.group(1).split("|") for shape in shapes_of(before + option + after)]


def patterns_of(kind, split):
    return kind.train if split == TRAIN else kind.held_out


def slots_of(fields):
    """Every field name of a kind, nested ones too, with its slot."""
    slots = {}
    for name, slot in fields.items():
        slots.update(slots_of(slot) if isinstance(slot, dict) else {name.rstrip("?"): slot})
    return slots


def answer_of(fields, values):
    """The fields that the sentence names, in the order of the schema; an object with none of its fields is left out."""
    answer = {}
    for name, slot in fields.items():
        key = name.rstrip("?")
        value = answer_of(slot, values) if isinstance(slot, dict) else values.get(key)
        if value not in (None, {}):
            answer[key] = value
    return answer


def schema_of(fields, first=None):
    """The JSON schema of an object with these fields."""
    properties = dict(first or {})
    required = list(properties)
    for name, slot in fields.items():
        properties[name.rstrip("?")] = slot.schema if isinstance(slot, Slot) else schema_of(slot)
        required += [] if name.endswith("?") else [name]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def fill(rng, kind, shape, split):
    """A sentence of this shape, and the answer to it."""
    slots = slots_of(kind.fields)
    gaps = re.findall(r"\{(\w+)\}", shape)
    while True:
        drawn = {gap: slots[gap].draw(rng, split) for gap in gaps}
        values = {gap: value for gap, (_, value) in drawn.items()}
        if kind.agrees(values):
            break
    sentence = shape.format(**{gap: words for gap, (words, _) in drawn.items()})
    return sentence[0].upper() + sentence[1:], {"kind": kind.name, **answer_of(kind.fields, values)}


def shuffle(rng, items):
    """The items in random order."""
    return [items[place] for _, place in sorted((rng.random(), place) for place in range(len(items)))]


def as_row(kind, shape, sentence, answer):
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": sentence}, {"role": "assistant", "content": text}]
    return {"messages": messages, "kind": kind.name, "shape": shape}


def rows_of(kind, split):
    """The rows of one kind: its patterns take turns, each goes through its shapes in random order; no sentence comes twice."""
    rng = Random(f"hone extract, {kind.name}, {split}")
    queues = [shuffle(rng, shapes_of(pattern)) for pattern in patterns_of(kind, split)]
    rows, seen = [], set()
    while len(rows) < ROWS_PER_KIND[split]:
        turn = len(rows)
        queue = queues[turn % len(queues)]
        shape = queue[turn // len(queues) % len(queue)]
        sentence, answer = fill(rng, kind, shape, split)
        if sentence not in seen:
            seen.add(sentence)
            rows.append(as_row(kind, shape, sentence, answer))
    return rows


def as_jsonl(rows):
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    for split in (TRAIN, EVAL):
        rows = [row for kind in KINDS for row in rows_of(kind, split)]
        text = as_jsonl(shuffle(Random(f"hone extract {split} order"), rows))
        (folder / f"extract_{split}.jsonl").write_bytes(text.encode("utf-8"))
    schemas = {kind.name: schema_of(kind.fields, {"kind": {"type": "string", "const": kind.name}}) for kind in KINDS}
    (folder / "extract_schemas.json").write_bytes((json.dumps(schemas, indent=1) + "\n").encode("utf-8"))


if __name__ == "__main__":
    main()
