#!/usr/bin/env python3
"""Measures DoRA beside LoRA: seconds a step of `hone train`, in turns.

    tests/bench/adapters/dora.py [--config configs/sft/smollm2_extract.yaml] [--rounds 3]
                                 [--steps 12] [--hone build/hone] [--folder /tmp/hone-bench-dora]
                                 [--out tests/bench/results/dora.jsonl] [override ...]

Both runs differ in adapter.method alone. In turns, so that what else the machine does falls on both.
Judged by the median of the steps' wall-clock seconds per token, and by the processor's seconds, which
others disturb less. The promise: DoRA costs at most 1.25 times LoRA. Prints one JSON object, and adds
it to the lines of OUT.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

PROMISE = 1.25


def train(arguments, method):
    """Seconds a token of each step but the first two, and the processor's seconds of the program."""
    folder = pathlib.Path(arguments.folder) / method
    shutil.rmtree(folder, ignore_errors=True)
    command = [arguments.hone, "train", arguments.config, "--quiet", f"adapter.method={method}",
               "data.eval=[]", f"train.max_steps={arguments.steps}", f"train.output_dir={folder}",
               *arguments.override]
    before = os.times()
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{finished.stderr}")
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [row["time_s"] / row["tokens"] for row in metrics[2:] if "loss" in row]
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    return {"s_per_token": statistics.median(steps), "processor_s": processor,
            "final_loss": metrics[-1]["loss"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/sft/smollm2_extract.yaml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", default="/tmp/hone-bench-dora")
    parser.add_argument("--out")
    parser.add_argument("override", nargs="*")
    arguments = parser.parse_args()

    runs = {"lora": [], "dora": []}
    for turn in range(arguments.rounds):
        for method in ("lora", "dora") if turn % 2 == 0 else ("dora", "lora"):
            runs[method].append(train(arguments, method))
            print(method, runs[method][-1], file=sys.stderr)
    ratios = [d["s_per_token"] / l["s_per_token"] for d, l in zip(runs["dora"], runs["lora"])]
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "config": arguments.config, "overrides": arguments.override, "steps": arguments.steps,
        "runs": runs, "time_ratio": statistics.median(ratios),
        "processor_ratio": statistics.median(
            d["processor_s"] / l["processor_s"] for d, l in zip(runs["dora"], runs["lora"])),
        "promise": PROMISE, "load_average": os.getloadavg()[0]}
    record["ok"] = record["time_ratio"] <= PROMISE
    line = json.dumps(record)
    print(line)
    if arguments.out:
        with open(arguments.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


if __name__ == "__main__":
    main()
