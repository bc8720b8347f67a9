#!/usr/bin/env python3
"""The quickstart's task by LoRA, DoRA, QLoRA and QDoRA: exact match, peak memory and speed of each.

    tests/bench/adapters/quality.py [--config configs/sft/smollm2_extract.yaml]
                                    [--methods lora,dora,qlora,qdora] [--hone build/hone]
                                    [--folder /tmp/hone-bench-training]
                                    [--out tests/bench/results/adapters.jsonl] [override ...]

Each is trained as the config says and answers every evaluation row on the base it was trained on.
Prints one JSON object a method, adds it to the lines of OUT, and prints a table for the README.
Speeds of runs one after another are comparable only on a machine that does nothing else; speed.py
measures them in turns.
"""
import json

from methods import METHODS, parser_of, train
from training import conditions, keep, run

NAMES = {"lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA (NF4)", "qdora": "QDoRA (NF4)"}


def measure(arguments, method):
    folder, trained, _, _ = train(arguments, method)
    answered, _ = run([arguments.hone, "eval", arguments.config, "--quiet", "--adapter",
                       folder / "adapter", *METHODS[method], *arguments.override])
    evaluated = json.loads(answered.splitlines()[-1])
    return {"method": method, "exact_match": evaluated["exact_match"],
            "rows": evaluated["exact_match_rows"], "eval_loss": evaluated["eval_loss"],
            "final_loss": trained["final_loss"], "steps": trained["steps"],
            "tokens_per_s": trained["tokens_per_s"], "wall_time_s": trained["wall_time_s"],
            "peak_memory_bytes": trained["peak_memory_bytes"], **conditions(arguments),
            "host": trained["host"]}


def main():
    arguments = parser_of(__doc__).parse_args()
    records = []
    for method in arguments.methods.split(","):
        records.append(measure(arguments, method))
        keep(arguments, records[-1])
    print("\n| method | exact match | peak memory | tokens/s |\n|---|---|---|---|")
    for record in records:
        print(f"| {NAMES[record['method']]} | {100 * record['exact_match']:.1f} % | "
              f"{record['peak_memory_bytes'] / 2**20:.0f} MiB | {record['tokens_per_s']:.0f} |")


if __name__ == "__main__":
    main()
