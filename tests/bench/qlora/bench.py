#!/usr/bin/env python3
"""Measures QLoRA beside bf16 LoRA: speed and peak memory of `hone train`, in turns.

    tests/bench/qlora/bench.py [--config configs/sft/smollm2_extract.yaml] [--rounds 3]
                               [--steps 30] [--hone build/hone] [--folder /tmp/hone-bench-qlora]
                               [--out tests/bench/results/qlora.jsonl] [override ...]

Both runs differ in model.quantization alone. In turns, so that what else the machine does falls on
both. Speed is judged by the steps' wall-clock seconds (the median of the rounds' ratios) and by the
processor's seconds, which others disturb less. Memory is judged against the promise: QLoRA's peak is
at most LoRA's less 55 % of what all weights take in bf16. Prints one JSON object, and adds it to the
lines of OUT.
"""
import argparse
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys

VARIANTS = {"lora": "none", "qlora": "nf4"}


def train(arguments, variant):
    """The run's run.json, and the processor's seconds of the whole program."""
    folder = pathlib.Path(arguments.folder) / variant
    shutil.rmtree(folder, ignore_errors=True)
    command = [arguments.hone, "train", arguments.config, "--quiet", "adapter.method=lora",
               f"model.quantization={VARIANTS[variant]}", "data.eval=[]", "train.precision=bf16",
               f"train.max_steps={arguments.steps}", f"train.output_dir={folder}",
               *arguments.override]
    before = os.times()
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    after = os.times()
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{finished.stderr}")
    run = json.loads((folder / "run.json").read_text())
    processor = after.children_user + after.children_system
    processor -= before.children_user + before.children_system
    return {"tokens_per_s": run["tokens_per_s"], "peak_memory_bytes": run["peak_memory_bytes"],
            "processor_s": processor, "final_loss": run["final_loss"], "host": run["host"]}


def weight_count(arguments):
    """All weights of the base, as `hone check` counts them."""
    command = [arguments.hone, "check", arguments.config, "--json", "data.eval=[]",
               *arguments.override]
    checked = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(checked.stdout)["parameters"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/sft/smollm2_extract.yaml")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", default="/tmp/hone-bench-qlora")
    parser.add_argument("--out")
    parser.add_argument("override", nargs="*")
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # as tools/quickstart, for the same reason

    weights = weight_count(arguments)
    runs = {variant: [] for variant in VARIANTS}
    for turn in range(arguments.rounds):
        order = list(VARIANTS) if turn % 2 == 0 else list(VARIANTS)[::-1]
        for variant in order:
            runs[variant].append(train(arguments, variant))
            print(variant, runs[variant][-1]["tokens_per_s"],
                  runs[variant][-1]["peak_memory_bytes"], file=sys.stderr)
    pairs = list(zip(runs["qlora"], runs["lora"]))
    median = {variant: {key: statistics.median(run[key] for run in of_variant)
                        for key in ("tokens_per_s", "peak_memory_bytes", "processor_s",
                                    "final_loss")}
              for variant, of_variant in runs.items()}
    saved = median["lora"]["peak_memory_bytes"] - median["qlora"]["peak_memory_bytes"]
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "config": arguments.config, "overrides": arguments.override, "rounds": arguments.rounds,
        "steps": arguments.steps, **median,
        "speed_ratio": statistics.median(q["tokens_per_s"] / b["tokens_per_s"] for q, b in pairs),
        "processor_ratio": statistics.median(b["processor_s"] / q["processor_s"]
                                             for q, b in pairs),
        "saved_bytes": saved, "saved_share_of_bf16_weights": saved / (2 * weights),
        "load_average": os.getloadavg()[0], "host": runs["lora"][0]["host"],
        "python": platform.python_version()}
    record["ok"] = record["speed_ratio"] >= 0.85 and record["saved_share_of_bf16_weights"] >= 0.55
    line = json.dumps(record)
    print(line)
    if arguments.out:
        with open(arguments.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


if __name__ == "__main__":
    main()
