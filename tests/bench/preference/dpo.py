#!/usr/bin/env python3
"""Measures DPO with a reference cache and shared prompts beside hone's own plain DPO, and SFT.

    tests/bench/preference/dpo.py [--model smollm2-135m-instruct] [--sizes 128+128,256+256]
                                  [--pairs 4] [--steps 12] [--rounds 3] [--hone build/hone]
                                  [--folder /tmp/hone-bench-dpo] [--out FILE] [override ...]

Rows are random tokens from a seeded generator, prompts as long as answers: size P+A is a prompt of P
tokens with two answers of A. Three runs take turns, so that what else the machine does falls on each
of them: `plain` computes the reference beside each step and both documents of a pair whole;
`shared` reads the reference from a cache, which a run before them fills, and computes each prompt
once; `sft` trains on the same documents, as many in a step. bf16, LoRA of rank 16 on every layer.

A run's speed is the median of its steps' seconds, the first two left out; each figure is the median
over rounds of the ratio within a round. Judged: plain takes at least 1.8 times shared's seconds, and
shared's peak memory is below 1.25 times SFT's.

What to expect, in multiplications. A token costs L in a layer stack's forward pass and L again in
the backward one, whose weights are frozen; an adapter 3 a of its own. Plain: 2 (P + A) tokens with
three passes (reference forward, policy forward and backward) and 2 A predictions of which each meets
the head three times (once for the reference, twice for the policy). Shared: P + 2 A tokens with two
passes, 2 A predictions with two. For P = A and a long stack that is 12 to 6; head, adapters and
attention, of which less is saved, bring it to 1.87 (128+128) and 1.84 (256+256) for SmolLM2-135M
(`expected`, printed with the record). Norms, activations and the optimizer are not counted.
"""
import argparse
import datetime
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys

VOCABULARY = 49152
# Of SmolLM2-135M: the weights of a layer, of the head, of an adapter of rank 16, and attention.
LAYERS, LAYER, HEAD, ADAPTER, WIDTH = 30, 3_538_944, 28_311_552, 162_816, 576
RUNS = {
    "plain": ["train.method=dpo", "dpo.prefix_sharing=never", "dpo.reference_cache=off"],
    "shared": ["train.method=dpo", "dpo.prefix_sharing=always"],
    "sft": ["train.method=sft"],
}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--sizes", default="128+128,256+256")
    parser.add_argument("--pairs", type=int, default=4, help="in a step")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", type=pathlib.Path, default="/tmp/hone-bench-dpo")
    parser.add_argument("--out")
    parser.add_argument("override", nargs="*")
    return parser.parse_args()


def write_rows(folder, prompt, answer, count):
    """The pairs, and their documents as rows of SFT."""
    draw = random.Random(1000 * prompt + answer)
    pairs, documents = [], []

    def tokens(length):
        return [draw.randrange(100, VOCABULARY) for _ in range(length)]

    for _ in range(count):
        start, answers = tokens(prompt), [tokens(answer), tokens(answer)]
        pairs.append({"prompt_ids": start, "chosen_ids": answers[0], "rejected_ids": answers[1]})
        documents += [{"input_ids": start + one, "completion_mask": [0] * prompt + [1] * answer}
                      for one in answers]
    for name, rows in (("pairs", pairs), ("documents", documents)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def expected(prompt, answer):
    """Plain's multiplications over shared's."""
    def cost(tokens, attended, forwards, heads):
        layers = tokens * (LAYER * (forwards + 1) + 3 * ADAPTER)
        # Attention multiplies twice forward and five times backward.
        attention = attended * WIDTH * (2 * forwards + 5)
        return LAYERS * (layers + attention) + 2 * answer * HEAD * heads

    whole, own = prompt + answer, answer * prompt + answer * answer / 2
    plain = cost(2 * whole, whole * whole, 2, 3)
    shared = cost(prompt + 2 * answer, prompt * prompt / 2 + 2 * own, 1, 2)
    return plain / shared


def train(arguments, folder, name, steps):
    """Seconds of a step, peak memory, tokens of a step, and the log."""
    is_sft = name == "sft"
    out = folder / name
    shutil.rmtree(out, ignore_errors=True)
    command = [arguments.hone, "train", folder / "config.yaml", *RUNS[name],
               f"data.train={folder / ('documents' if is_sft else 'pairs')}.jsonl",
               f"train.per_device_train_batch_size={arguments.pairs * (2 if is_sft else 1)}",
               f"train.max_steps={steps}", f"train.output_dir={out}",
               *([f"dpo.reference_cache={folder / 'cache'}"] if name == "shared" else []),
               *arguments.override]
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              check=False)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{finished.stderr}")
    rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    taken = [row for row in rows if "loss" in row]
    record = json.loads((out / "run.json").read_text())
    return {"step_s": statistics.median(row["time_s"] for row in taken[2:] or taken),
            "tokens": taken[0]["tokens"], "first_loss": taken[0]["loss"],
            "last_loss": taken[-1]["loss"], "peak_memory_bytes": record["peak_memory_bytes"],
            "activations_peak_bytes": max(row["activations_peak_bytes"] for row in taken)}, \
        record["host"], finished.stderr


def measure(arguments, size):
    prompt, answer = map(int, size.split("+"))
    folder = arguments.folder / size
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_rows(folder, prompt, answer, arguments.pairs * arguments.steps)
    (folder / "config.yaml").write_text(json.dumps({
        "model": {"base": arguments.model}, "adapter": {"method": "lora", "r": 16},
        "data": {"shuffle": False, "cache": "off"},
        "train": {"precision": "bf16", "gradient_accumulation_steps": 1},
        "optim": {"learning_rate": 1e-5}}))
    _, _, log = train(arguments, folder, "shared", 1)
    if "are computed into" not in log:
        sys.exit("the reference cache was not filled")
    rounds = []
    for turn in range(arguments.rounds):
        of_round = {}
        for name in list(RUNS) if turn % 2 == 0 else list(RUNS)[::-1]:
            of_round[name], host, log = train(arguments, folder, name, arguments.steps)
            if name == "shared" and "are computed into" in log:
                sys.exit("the reference cache was not found again")
        rounds.append(of_round)

    def ratio(key, above, below):
        return statistics.median(one[above][key] / one[below][key] for one in rounds)

    first = rounds[0]
    if first["plain"]["tokens"] != first["sft"]["tokens"]:
        sys.exit(f"not the same tokens: {first}")
    return {"size": size, "speed": ratio("step_s", "plain", "shared"),
            "expected": expected(prompt, answer),
            "pairs_per_s": {name: arguments.pairs / statistics.median(one[name]["step_s"]
                                                                      for one in rounds)
                            for name in ("plain", "shared")},
            "step_to_sft": {name: ratio("step_s", name, "sft") for name in ("plain", "shared")},
            "memory_to_sft": {name: ratio("peak_memory_bytes", name, "sft")
                              for name in ("plain", "shared")},
            "activations_to_sft": {name: ratio("activations_peak_bytes", name, "sft")
                                   for name in ("plain", "shared")},
            "rounds": rounds}, host


def main():
    arguments = parse()
    found = []
    for size in arguments.sizes.split(","):
        of_size, host = measure(arguments, size)
        found.append(of_size)
    kept = {"speed": all(one["speed"] >= 1.8 for one in found),
            "memory": all(one["memory_to_sft"]["shared"] < 1.25 for one in found)}
    record = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
              "model": arguments.model, "pairs": arguments.pairs, "steps": arguments.steps,
              "overrides": arguments.override, "load_average": os.getloadavg()[0], "sizes": found,
              "kept": kept, "host": host}
    line = json.dumps(record)
    print(line)
    if arguments.out:
        with open(arguments.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")
    return 0 if all(kept.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
