#!/usr/bin/env python3
"""Measures the training step of two programs, or of one in two environments, in turns.

    tests/bench/step/compare.py --rows sft.jsonl --before OLD/hone --after build/hone
                                [--before-env K=V] [--after-env K=V] [--rounds 3] [--threads 2]
                                [--folder /tmp/hone-bench-step] [--out FILE] [override ...]

Rows are the shared benchmark's, four to a batch in file order, LoRA of rank 16 on all linear layers
(lora.yaml beside this script). A run's speed is its real tokens by the seconds of its steps, the
first left out; the figures are medians over rounds, and the ratio is the median of each round's, so
that what else the machine does falls on both. `same_losses` says whether every step's loss has the
same bits: an optimisation that only moves or makes again what was kept changes none.
"""
import argparse
import datetime
import json
import os
import pathlib
import statistics
import subprocess
import sys

CONFIG = pathlib.Path(__file__).with_name("lora.yaml")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", required=True)
    for side in ("before", "after"):
        parser.add_argument(f"--{side}", required=True)
        parser.add_argument(f"--{side}-env", action="append", default=[], metavar="K=V")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=pathlib.Path, default="/tmp/hone-bench-step")
    parser.add_argument("--out")
    parser.add_argument("override", nargs="*")
    return parser.parse_args()


def train(arguments, side):
    """One run: its speed, its peak of memory, its losses."""
    folder = arguments.folder / side
    settings = dict(setting.split("=", 1) for setting in getattr(arguments, f"{side}_env"))
    command = [getattr(arguments, side), "train", CONFIG, "--quiet", "--threads",
               arguments.threads, f"data.train={arguments.rows}", f"train.output_dir={folder}", "train.overwrite_output_dir=true",
               *arguments.override]
    finished = subprocess.run([str(part) for part in command], env={**os.environ, **settings},
                              capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{finished.stderr}")
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "loss" in row]
    timed = steps[1:] or steps
    run = json.loads((folder / "run.json").read_text())
    return {"tokens_per_s": sum(s["tokens"] for s in timed) / sum(s["time_s"] for s in timed),
            "peak_memory_bytes": run["peak_memory_bytes"],
            "activations_peak_bytes": max(s["activations_peak_bytes"] for s in steps),
            "losses": [step["loss"] for step in steps]}


def main():
    arguments = parse()
    rounds = []
    for i in range(arguments.rounds):
        order = ("before", "after") if i % 2 == 0 else ("after", "before")
        rounds.append({side: train(arguments, side) for side in order})

    def median(side, key):
        return statistics.median(one[side][key] for one in rounds)

    record = {"bench": "step", "date": datetime.datetime.now(datetime.timezone.utc).isoformat(),
              "overrides": arguments.override, "rounds": arguments.rounds,
              "load_average": os.getloadavg()[0]}
    for side in ("before", "after"):
        record[side] = {"env": getattr(arguments, f"{side}_env"),
                        **{key: median(side, key) for key in
                           ("tokens_per_s", "peak_memory_bytes", "activations_peak_bytes")}}
    record["ratio"] = statistics.median(
        one["after"]["tokens_per_s"] / one["before"]["tokens_per_s"] for one in rounds)
    record["same_losses"] = all(one["before"]["losses"] == one["after"]["losses"]
                                for one in rounds)
    line = json.dumps(record)
    print(line)
    if arguments.out:
        with open(arguments.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


if __name__ == "__main__":
    main()
