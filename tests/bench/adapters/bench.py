#!/usr/bin/env python3
"""The quickstart's task by LoRA, DoRA, QLoRA and QDoRA: exact match, peak memory and speed of each.

    tests/bench/adapters/bench.py [--config configs/sft/smollm2_extract.yaml]
                                  [--methods lora,qlora,dora,qdora] [--hone build/hone]
                                  [--folder /tmp/hone-bench-adapters]
                                  [--out tests/bench/results/adapters.jsonl] [override ...]

Each is trained as the config says and answers every evaluation row on the base it was trained on.
Prints one JSON object a method, adds it to the lines of OUT, and prints a table for the README.
Speeds of runs one after another are comparable only on a machine that does nothing else;
tests/bench/qlora/bench.py measures them in turns.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys

METHODS = {
    "lora": ["adapter.method=lora"],
    "dora": ["adapter.method=dora"],
    "qlora": ["adapter.method=lora", "model.quantization=nf4"],
    "qdora": ["adapter.method=dora", "model.quantization=nf4"],
}
NAMES = {"lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA (NF4)", "qdora": "QDoRA (NF4)"}


def run(command):
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{finished.stderr}")
    return finished.stdout


def measure(arguments, method):
    folder = pathlib.Path(arguments.folder) / method
    shutil.rmtree(folder, ignore_errors=True)
    options = METHODS[method] + arguments.override
    run([arguments.hone, "train", arguments.config, "--quiet", f"train.output_dir={folder}",
         *options])
    trained = json.loads((folder / "run.json").read_text())
    evaluated = json.loads(run([arguments.hone, "eval", arguments.config, "--quiet", "--adapter",
                                str(folder / "adapter"), *options]).splitlines()[-1])
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "method": method, "options": options, "exact_match": evaluated["exact_match"],
            "rows": evaluated["exact_match_rows"], "eval_loss": evaluated["eval_loss"],
            "final_loss": trained["final_loss"], "steps": trained["steps"],
            "tokens_per_s": trained["tokens_per_s"], "wall_time_s": trained["wall_time_s"],
            "peak_memory_bytes": trained["peak_memory_bytes"],
            "load_average": os.getloadavg()[0], "host": trained["host"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", default="configs/sft/smollm2_extract.yaml")
    parser.add_argument("--methods", default="lora,qlora,dora,qdora")
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", default="/tmp/hone-bench-adapters")
    parser.add_argument("--out")
    parser.add_argument("override", nargs="*")
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "20000")  # as tools/quickstart, for the same reason

    records = []
    for method in arguments.methods.split(","):
        records.append(measure(arguments, method))
        line = json.dumps(records[-1])
        print(line)
        if arguments.out:
            with open(arguments.out, "a", encoding="utf-8") as out:
                out.write(line + "\n")
    print("\n| method | exact match | peak memory | tokens/s |\n|---|---|---|---|")
    for record in records:
        print(f"| {NAMES[record['method']]} | {100 * record['exact_match']:.1f} % | "
              f"{record['peak_memory_bytes'] / 2**20:.0f} MiB | {record['tokens_per_s']:.0f} |")


if __name__ == "__main__":
    main()
