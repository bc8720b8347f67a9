#!/usr/bin/env python3
"""Writes the preference examples: replies of a shop's help desk, of which plain ones are preferred. See README.md beside this file.

    make_preferences.py [folder]      replies_*.jsonl and thumbs_*.jsonl, into this folder by default

The same bytes come out on every machine and Python from 3.8 on: all choices come from random.Random.random() with fixed seeds.
"""

import json
import sys
from pathlib import Path
from random import Random

TRAIN, EVAL = "train", "eval"
PAIRS = {TRAIN: 320, EVAL: 80}
SEEDS = {TRAIN: 20261, EVAL: 20262}

# What the splits do not share: goods, towns and names.
GOODS = {
    TRAIN: ["lamp", "kettle", "bookcase", "garden chair", "rain jacket", "desk fan", "toaster", "rucksack", "wall clock", "hand blender", "tent", "wool blanket"],
    EVAL: ["piano stool", "bread knife", "floor mat", "bird feeder", "camping stove", "table lamp"],
}
TOWNS = {TRAIN: ["Leeds", "Ghent", "Turin", "Aarhus", "Lyon", "Graz", "Porto", "Bergen"], EVAL: ["Basel", "Cork", "Gdansk", "Malmo"]}
NAMES = {TRAIN: ["Anna", "Ben", "Carla", "David", "Elin", "Farid", "Greta", "Hugo"], EVAL: ["Ines", "Jonas", "Katya", "Liam"]}
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

# A case: what the desk knows, what is asked, and what is well said of it: the splits say it in other ways.
CASES = [
    (
        "order {number} ({goods}) left {town} on {day}, arrives {later}",
        "Where is my {goods}?",
        {
            TRAIN: ["Your {goods} left {town} on {day} and arrives on {later}.", "It is on its way from {town} and reaches you on {later}."],
            EVAL: ["Expect the {goods} on {later}: it was sent from {town} on {day}."],
        },
    ),
    (
        "the {goods} costs {price} euros, {count} in stock",
        "How much is the {goods}, and do you have it?",
        {
            TRAIN: ["The {goods} costs {price} euros, and we have {count}.", "It is {price} euros; {count} are in stock."],
            EVAL: ["You pay {price} euros for the {goods}. There are {count} left."],
        },
    ),
    (
        "returns of the {goods}: until {later}, at the shop in {town}",
        "Can I bring the {goods} back?",
        {
            TRAIN: ["Yes, until {later}, at our shop in {town}.", "You can return the {goods} in {town} until {later}."],
            EVAL: ["The shop in {town} takes the {goods} back; {later} is the last day."],
        },
    ),
    (
        "repair of the {goods} ready on {day}, cost {price} euros",
        "When is my {goods} repaired?",
        {
            TRAIN: ["It is ready on {day}; the repair costs {price} euros.", "You can fetch your {goods} on {day}. The repair is {price} euros."],
            EVAL: ["We finish the {goods} on {day}, and ask {price} euros for it."],
        },
    ),
    (
        "refund of {price} euros for the {goods} sent on {day}",
        "Did you send my money back?",
        {
            TRAIN: ["Yes, we sent you {price} euros for the {goods} on {day}.", "Your refund of {price} euros left on {day}."],
            EVAL: ["On {day} we paid {price} euros back for the {goods}."],
        },
    ),
]

# What is not wanted: warm words that answer nothing. Some are short, so that length tells nothing.
EMPTY = {
    TRAIN: [
        "Thank you so much for reaching out to us, {name}! We truly value every single customer.",
        "What a wonderful question, {name}! We are delighted to be of service at any time.",
        "We totally understand how you feel about this, and we are here for you!",
        "Great news: your satisfaction is our passion, and our team is working on it!",
        "Oh, how exciting! We love hearing from you, {name}.",
        "Rest assured that we care deeply about this!",
        "How lovely to hear from you, {name}!",
        "Your happiness matters so much to us!",
        "What a joy to be able to help!",
        "We love our customers, {name}!",
        "Thanks a million for your patience! Someone will surely get back to you very soon.",
    ],
    EVAL: [
        "It means the world to us that you got in touch, {name}! You make our day a brighter one.",
        "Nobody is more important than you, {name}, and we do hope you feel that.",
        "You are in the very best of hands with us, and we are so proud of it!",
        "A warm hello from all of us! We adore it when people write.",
        "Please know that we are on your side, always!",
        "Service is what we live for, {name}!",
        "Wow, thanks for asking!",
    ],
}


def choose(random, items):
    return items[int(random.random() * len(items))]


def number_between(random, low, high):
    return low + int(random.random() * (high - low + 1))


def values_of(random, split):
    day = int(random.random() * (len(DAYS) - 1))
    later = number_between(random, day + 1, len(DAYS) - 1)
    return {
        "number": number_between(random, 1000, 9999),
        "goods": choose(random, GOODS[split]),
        "town": choose(random, TOWNS[split]),
        "name": choose(random, NAMES[split]),
        "price": number_between(random, 5, 240),
        "count": number_between(random, 2, 60),
        "day": DAYS[day],
        "later": DAYS[later],
    }


def pairs_of(split):
    random = Random(SEEDS[split])
    for _ in range(PAIRS[split]):
        values = values_of(random, split)
        known, asked, plain = choose(random, CASES)
        prompt = f"Known: {known}.\n{{name}} asks: {asked}".format(**values)
        yield prompt, choose(random, plain[split]).format(**values), choose(random, EMPTY[split]).format(**values)


def message(role, content):
    return {"role": role, "content": content}


def preference_rows(split):
    """A pair a row."""
    for prompt, chosen, rejected in pairs_of(split):
        yield {"prompt": [message("user", prompt)], "chosen": [message("assistant", chosen)], "rejected": [message("assistant", rejected)]}


def thumb_rows(split):
    """One answer of each pair, with a thumb up or down."""
    random = Random(SEEDS[split] + 10)
    for prompt, chosen, rejected in pairs_of(split):
        label = random.random() < 0.5
        yield {"prompt": [message("user", prompt)], "completion": [message("assistant", chosen if label else rejected)], "label": label}


def write(path, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    for split in (TRAIN, EVAL):
        write(folder / f"replies_{split}.jsonl", preference_rows(split))
        write(folder / f"thumbs_{split}.jsonl", thumb_rows(split))


if __name__ == "__main__":
    main()
