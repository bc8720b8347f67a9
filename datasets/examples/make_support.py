#!/usr/bin/env python3
"""Writes a small preference task: answers to customers, of which the one that helps is preferred.

    make_support.py [folder]      support_train.jsonl and support_eval.jsonl, into this folder by default

The same bytes come out on every machine and Python from 3.8 on: all choices come from random.Random.random() with fixed seeds.
"""

import json
import sys
from pathlib import Path
from random import Random

TRAIN, EVAL = 0, 1
ROWS = {TRAIN: 400, EVAL: 80}

# What the two splits say with: nothing of one is in the other.
THINGS = (
    ["kettle", "desk lamp", "rucksack", "garden hose", "electric drill", "winter coat", "office chair", "coffee mill"],
    ["camping stove", "bicycle pump", "wall clock", "raincoat", "sewing machine"],
)
TROUBLES = (
    ["arrived with a crack", "stopped working after two days", "has a part missing", "is the wrong colour", "never arrived"],
    ["came in a torn box", "makes a loud noise", "is smaller than shown", "was delivered to a neighbour"],
)
OPENINGS = (
    ["Hello, the {thing} I ordered {trouble}.", "My {thing} {trouble}. What now?", "I bought a {thing} and it {trouble}."],
    ["Good morning. The {thing} that you sent me {trouble}.", "A question about my {thing}: it {trouble}, can you help?"],
)

# An answer is a regard for the customer and a next step; the worse one lacks both. Each has a short and a long form, so
# that length does not tell which is which.
SORRY = (
    ["I am sorry about the {thing}.", "Sorry to hear that about your {thing}.", "That should not have happened with the {thing}."],
    ["I apologise for the trouble with your {thing}.", "I am sorry that your {thing} caused this."],
)
STEPS = (
    ["I am sending a new one today.", "Your money will be back within three days.", "Please send me a photo and I will replace it.",
     "A courier will collect it tomorrow, free of charge."],
    ["I have booked a replacement for you, it leaves this afternoon.", "You will get a full refund by Friday.",
     "Tell me which day suits you and we will pick it up."],
)
MORE = (
    ["You need not do anything else.", "You will get a message when it is on its way.", "Write to me at once if anything is unclear."],
    ["I will check on it myself tomorrow.", "There is nothing for you to pay."],
)
SHRUGS = (
    ["That is not our problem.", "Things break.", "Read the manual.", "You should have checked before you bought it."],
    ["Nobody else has complained.", "It was fine when it left us."],
)
EXCUSES = (
    ["We sell thousands of these and cannot look after every single one of them.",
     "It says in the conditions that we do not discuss such matters, and you agreed to them.",
     "Perhaps you did something to the {thing} that you are not telling us about.",
     "Our staff have more important things to do than to answer such questions."],
    ["There are forms for this somewhere on the site, look for them yourself.",
     "I doubt very much that a {thing} does that unless someone treats it badly."],
)


def draw(rng, choices):
    return choices[int(rng.random() * len(choices))]


def row(rng, split):
    thing = draw(rng, THINGS[split])
    said = draw(rng, OPENINGS[split]).format(thing=thing, trouble=draw(rng, TROUBLES[split]))
    good = [draw(rng, SORRY[split]), draw(rng, STEPS[split])]
    bad = [draw(rng, SHRUGS[split])]
    # Half of the time the better answer is the longer one, half of the time the worse.
    if rng.random() < 0.5:
        good.append(draw(rng, MORE[split]))
    else:
        bad += [draw(rng, EXCUSES[split]), draw(rng, EXCUSES[split])]

    def answer(sentences):
        return [{"role": "assistant", "content": " ".join(sentences).format(thing=thing)}]

    prompt = [{"role": "system", "content": "Answer the customer."}, {"role": "user", "content": said}]
    return {"prompt": prompt, "chosen": answer(good), "rejected": answer(bad)}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for split, name in ((TRAIN, "train"), (EVAL, "eval")):
        rng = Random(20261121 + split)
        lines = [json.dumps(row(rng, split), ensure_ascii=False) for _ in range(ROWS[split])]
        (folder / f"support_{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
