#!/usr/bin/env python3
"""Holds what `hone plan --scale` says of two ranks to two ranks.

    tests/bench/scale.py [--config configs/sft/smollm2_extract.yaml] [--steps 6] [--threads 1]
                         [--hone build/hone] [--folder /tmp/hone-bench-training]
                         [--out tests/bench/results/scale.jsonl] [override ...]

A single process is measured, then two on the same machine with as many threads each; the plan gets
the single one's times. The link is the machine's memory: its bandwidth is stated high, so that what is
compared is the step's time beside the exchange. Both ranks want the machine's memory bandwidth and
clock, which the prediction leaves out: two processes of one thread that train each their own run,
without ranks, show how much that is, and the prediction is judged with that factor taken out.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys

from training import conditions, keep, parser_of


def command(arguments, folder, *overrides):
    return ["train", arguments.config, "--quiet", "--threads", str(arguments.threads),
            f"train.output_dir={folder}", "data.eval=[]", "checkpoint.save_steps=0",
            f"train.max_steps={arguments.steps}", *overrides, *arguments.override]


def finish(processes):
    for process in processes:
        _, err = process.communicate()
        if process.returncode != 0:
            sys.exit(err)


def start(words):
    return subprocess.Popen([str(word) for word in words], stderr=subprocess.PIPE, text=True,
                            stdout=subprocess.DEVNULL)


def step_s(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(row["time_s"] / row["tokens"] for row in rows[1:] if "loss" in row)


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    root = pathlib.Path(arguments.folder)
    folders = {name: root / name for name in ("alone", "beside", "together", "ranks")}
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)
    finish([start([arguments.hone, *command(arguments, folders["alone"])])])
    finish([start([arguments.hone, *command(arguments, folders[name])])
            for name in ("beside", "together")])
    finish([start([arguments.hone, "launch", "--nproc", "2", "--",
                   *command(arguments, folders["ranks"])])])
    told = subprocess.run([arguments.hone, "plan", "--measured", folders["alone"], "--scale",
                           "--gpus", "2", "--intra-node", "5", "--intra-latency", "50", "--json",
                           "--quiet", "--device-tflops", "1"],
                          capture_output=True, text=True, check=True).stdout
    prediction = next(one for one in json.loads(told)["predictions"] if one["strategy"] == "ddp")
    alone, beside, ranks = (step_s(folders[name]) for name in ("alone", "beside", "ranks"))
    # Seconds a token of the whole step: two ranks take half of one's.
    expected = 1 / prediction["efficiency"] * beside / 2
    keep(arguments, {**conditions(arguments), "threads": arguments.threads,
                     "alone_us_per_token": 1e6 * alone, "beside_us_per_token": 1e6 * beside,
                     "ranks_us_per_token": 1e6 * ranks, "slower_beside_another": beside / alone,
                     "efficiency_planned": prediction["efficiency"],
                     "exchange_planned_s": prediction["exchange_s"],
                     "measured_to_planned": ranks / expected})


if __name__ == "__main__":
    main()
