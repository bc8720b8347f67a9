"""Slots: what can stand in a gap of a sentence, and what it is worth in the answer.

A slot draws a pair (words, value): the words go into the sentence, the value into the JSON answer. Slots with `held_out`
draw from two worlds that share no value: the training split's and the evaluation split's. The others are small closed sets
(weekdays, times of day, units, ways to pay) that both splits share.
"""

from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Sequence, Tuple

TRAIN, EVAL = "train", "eval"


@dataclass(frozen=True)
class Slot:
    draw: Callable[[Any, str], Tuple[str, Any]]  # (rng, split) -> (words, value)
    schema: Dict[str, Any]  # JSON schema of the value
    held_out: bool


def pick(rng, choices: Sequence):
    """One of the choices. Built on random() alone, whose sequence Python promises to keep from version to version."""
    return choices[int(rng.random() * len(choices))]


def names(text_by_split: Dict[str, str]) -> Slot:
    """An open set of names or phrases, copied as they stand, given as comma-separated text for each split."""
    words = {split: [word.strip() for word in text.split(",")] for split, text in text_by_split.items()}

    def draw(rng, split):
        word = pick(rng, words[split])
        return word, word

    return Slot(draw, {"type": "string", "minLength": 1}, held_out=True)


def labels(phrases: Dict[str, Sequence[str]]) -> Slot:
    """A closed set: each label with the phrases that mean it."""
    pairs = [(phrase, label) for label, ways in phrases.items() for phrase in ways]
    return Slot(lambda rng, split: pick(rng, pairs), {"type": "string", "enum": list(phrases)}, held_out=False)


def draw_until(rng, split: str, draw: Callable, is_reserved: Callable) -> Any:
    """Draws again until the value lies in the split's world: reserved values are the evaluation's."""
    while True:
        value = draw(rng)
        if is_reserved(value) == (split == EVAL):
            return value


# ---------------------------------------------------------------------------------------------------------------- numbers

ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
        "eighteen nineteen").split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()


def in_words(n: int) -> str:
    """0 ... 99 in English words."""
    if n < 20:
        return ONES[n]
    tens = TENS[n // 10 - 2]
    return tens if n % 10 == 0 else f"{tens}-{ONES[n % 10]}"


def count(low: int, high: int) -> Slot:
    def draw(rng, split):
        n = low + int(rng.random() * (high - low + 1))
        return (in_words(n) if rng.random() < 0.5 else str(n)), n

    return Slot(draw, {"type": "integer", "minimum": low, "maximum": high}, held_out=False)


def reference_number() -> Slot:
    """A number of four digits; those whose digits sum to a multiple of four are held out."""

    def draw(rng, split):
        n = draw_until(rng, split, lambda r: 1000 + int(r.random() * 9000), lambda v: sum(map(int, str(v))) % 4 == 0)
        return str(n), n

    return Slot(draw, {"type": "integer", "minimum": 1000, "maximum": 9999}, held_out=True)


CURRENCIES = {"USD": ("$", "dollars"), "EUR": ("€", "euros"), "GBP": ("£", "pounds")}


def money() -> Slot:
    """An amount with its currency. Whole amounts carry no decimals in the answer, others no trailing zero."""

    def amount(rng):
        return 3 + int(rng.random() * 93), pick(rng, [0, 0, 20, 50, 50, 75, 80])

    def draw(rng, split):
        whole, cents = draw_until(rng, split, amount, lambda v: (v[0] + v[1] // 5) % 4 == 0)
        currency = pick(rng, sorted(CURRENCIES))
        sign, word = CURRENCIES[currency]
        if cents:
            form = pick(rng, ["{sign}{whole}.{cents}", "{sign}{whole}.{cents}", "{whole} {word} {cents}", "{whole}.{cents} {word}"])
        else:
            form = pick(rng, ["{sign}{whole}", "{sign}{whole}", "{spelled} {word}", "{whole} {word}"])
        words = form.format(sign=sign, word=word, whole=whole, cents=cents, spelled=in_words(whole))
        value = whole + cents / 100 if cents else whole
        return words, {"amount": value, "currency": currency}

    properties = {"amount": {"type": "number", "minimum": 0}, "currency": {"type": "string", "enum": sorted(CURRENCIES)}}
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return Slot(draw, schema, held_out=True)


# --------------------------------------------------------------------------------------------------------- dates and times

MONTHS = ("January February March April May June July August September October November December").split()
DATE_FORMS = ["{month} {nth} {year}", "{month} {day}, {year}", "{day} {month} {year}", "{year}/{m:02}/{day:02}"]


def ordinal(n: int) -> str:
    suffix = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def date() -> Slot:
    """A day in 2025 to 2027; about every fifth day of the calendar is held out, in all years."""

    def day_of_year(rng):
        return 1 + int(rng.random() * 12), 1 + int(rng.random() * 28)

    def draw(rng, split):
        m, day = draw_until(rng, split, day_of_year, lambda v: (v[0] * 31 + v[1]) % 5 == 0)
        year, month = pick(rng, [2025, 2026, 2026, 2027]), MONTHS[m - 1]
        form = pick(rng, DATE_FORMS)
        words = form.format(month=month, m=m, day=day, nth=ordinal(day), year=year)
        return words, f"{year}-{m:02}-{day:02}"

    return Slot(draw, {"type": "string", "pattern": "^202[5-7]-[01][0-9]-[0-3][0-9]$"}, held_out=True)


def clock_words(hour: int, minute: int) -> List[str]:
    """The ways to say a time."""
    return [f"{hour:02}:{minute:02}", f"{hour}.{minute:02}", f"{hour}h{minute:02}", f"{hour:02}{minute:02} hours"]


def time(first_hour: int, last_hour: int) -> Slot:
    """A time of day to the quarter of an hour."""

    def draw(rng, split):
        hour, minute = first_hour + int(rng.random() * (last_hour - first_hour + 1)), pick(rng, [0, 15, 30, 30, 45])
        return pick(rng, clock_words(hour, minute)), f"{hour:02}:{minute:02}"

    return Slot(draw, {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"}, held_out=False)


def weekday() -> Slot:
    days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
    return labels({day[:3].lower(): [day, day, day[:3]] for day in days})


# ------------------------------------------------------------------------------------------------------------ lists of goods

GOODS = {
    TRAIN: "mug, bowl, spoon, lamp, pillow, blanket, towel, candle, basket, ladder, hammer, pencil, notebook, desk, "
           "mirror, curtain, apron, jacket, sweater, backpack, umbrella, kite, puzzle, bike, helmet, tent, rope, banana, "
           "lemon, onion, carrot, cake, pizza, bagel, kettle, fork, sofa, vase, glove, shoe, drum, doll, pear, bottle, "
           "broom, screw, cable, toy, poster, tray, stool, suit, skirt, needle, ticket, magnet, burger, plate, chair, "
           "table, bucket, pen, folder, clock, hat, coat, sock, boot, belt, ball, apple, egg, jar, stamp, rug, melon, "
           "bell, card, ring, chain, door, frame, tree, seed, nail, pipe, light, radio, game, boat, flag, pot, lid, "
           "hook, bed, net, button, pin, pie, roll",
    EVAL: "cup, bag, shirt, orange, cookie, marker, calendar, wallet, book, map, key, wheel, window, picture, plant, "
           "flower, bolt, tube, phone, camera, pan, cap, bean, crayon, scooter",
}
LOOKS = {
    TRAIN: "blue, red, green, black, white, yellow, small, large, wooden, cheap, round, old, pink, silver, cotton, "
           "leather, golden, big, long, new, heavy, dark, soft, thick, tall, gold, glass, purple, plain, strong",
    EVAL: "grey, brown, tiny, plastic, square, short, simple, flat, wide, metal, paper, warm",
}


def goods() -> Slot:
    """One or two things with how many of each; the answer names them in the singular."""
    nouns, looks = ({s: [w.strip() for w in text[s].split(",")] for s in text} for text in (GOODS, LOOKS))

    def one(rng, split):
        noun = pick(rng, nouns[split])
        name = f"{pick(rng, looks[split])} {noun}" if rng.random() < 0.4 else noun
        n = pick(rng, [1, 1, 2, 2, 3, 4, 5, 6, 8, 10, 12, 20])
        if n == 1:
            amount = pick(rng, ["an" if name[0] in "aeiou" else "a", "one"])
        else:
            amount = pick(rng, [in_words(n), str(n)])
        return f"{amount} {name}" + ("s" if n > 1 else ""), {"item": name, "qty": n}

    def draw(rng, split):
        drawn = {}
        for _ in range(pick(rng, [1, 1, 1, 2, 2])):
            words, value = one(rng, split)
            drawn.setdefault(value["item"], (words, value))
        phrases = [words for words, _ in drawn.values()]
        return " and ".join(phrases), [value for _, value in drawn.values()]

    properties = {"item": {"type": "string", "minLength": 1}, "qty": {"type": "integer", "minimum": 1}}
    item = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return Slot(draw, {"type": "array", "items": item, "minItems": 1}, held_out=True)
