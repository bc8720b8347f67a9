#!/usr/bin/env python3
"""Writes text_metrics.json: pairs of texts with what sacrebleu and rouge_score make of them."""

import json
import pathlib
import random

import rouge_score
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

HAND = [
    ("The cat sat on the mat.", "The cat sat on the mat."),
    ("the the the the the the the", "The cat is on the mat"),
    ("It costs $3.50, i.e. 3,500 cents-ish (2-3 items)!", "It costs $3.50; that is 350 cents."),
    ("A well-known 1980-1990 state-of-the-art thing", "a well-known thing of 1980 - 1990"),
    ("line one\nline two-\nhyphen \u2028 tab\there", "line one line two hyphen tab here"),
    ("&quot;Tom &amp; Jerry&quot; &lt;b&gt; &amp;lt;", "\"Tom & Jerry\" <b> <"),
    ("don't stop... never,ever. 5.,6 .7 8.", "Don't stop never ever 5. 6 .7 8"),
    ("\u00bfQu\u00e9 tal\u00a0se\u00f1or, \u4f60\u597d\u3002 na\u00efve caf\u00e9.", "Que tal se\u00f1or \u4f60\u597d na\u00efve cafe"),
    ("", "not empty"),
    ("not empty", ""),
    ("one", "one"),
    ("one two", "one two three four five six"),
    ("{a: [1, 2]} | x_y ^z ~ `q` \\w/", "{a: [1,2]} x_y z q w"),
    ("\u212aelvin \u0130stanbul x\u001cy", "kelvin istanbul x y"),
    ("trailing dash-\n", "trailing dash-"),
    ("<skipped> words here", "words here"),
]
WORDS = "the a cat dog, runs. fast-er 3.5 10,000 it's (maybe) over under house; tree! \u00fcber".split()


def main():
    rng = random.Random(7)
    rows = list(HAND)
    for _ in range(60):
        reference = [rng.choice(WORDS) for _ in range(rng.randint(1, 14))]
        answer = [w if rng.random() < 0.7 else rng.choice(WORDS) for w in reference]
        del answer[rng.randint(0, len(answer)) :: rng.randint(3, 9)]
        rows.append((" ".join(answer), " ".join(reference)))
    tokenize, rouge = Tokenizer13a(), RougeScorer(["rougeL"], use_stemmer=False)
    cases = [
        {
            "answer": answer,
            "reference": reference,
            "tokens_13a": tokenize(answer.rstrip()).split(),
            "rouge_l": rouge.score(reference, answer)["rougeL"].fmeasure,
        }
        for answer, reference in rows
    ]
    corpora = []
    for begin, end in [(0, 1), (1, 2), (0, 16), (16, 76), (0, 76), (8, 11), (20, 24), (9, 10), (11, 12)]:
        answers, references = zip(*rows[begin:end])
        score = BLEU().corpus_score(list(answers), [list(references)])
        corpora.append({"begin": begin, "end": end, "bleu": score.score})
    out = {
        "made_with": {"sacrebleu": sacrebleu.__version__, "rouge_score": "0.1.2"},
        "cases": cases,
        "corpora": corpora,
    }
    path = pathlib.Path(__file__).with_name("text_metrics.json")
    path.write_text(json.dumps(out, indent=1) + "\n")


main()
