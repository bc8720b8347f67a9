#!/usr/bin/env python3
"""Measures DoRA, QLoRA and QDoRA beside bf16 LoRA: speed and peak memory of `hone train`, in turns.

    tests/bench/adapters/speed.py [--config configs/sft/smollm2_extract.yaml] [--rounds 3]
                                  [--steps 20] [--methods lora,dora,qlora,qdora]
                                  [--hone build/hone] [--folder /tmp/hone-bench-training]
                                  [--out tests/bench/results/adapters_speed.jsonl] [override ...]

The runs differ in method and quantisation alone, and take turns, so that what else the machine does
falls on each of them. A run's speed is the median of its steps' seconds a token, the first two left
out; the processor's seconds of the whole program, which others disturb less, stand beside it. Each
figure is the median over rounds of the ratio to LoRA in the same round. Judged: DoRA costs at most
1.25 times LoRA; QLoRA has at least 0.85 of LoRA's speed, and its peak memory is at most LoRA's less
55 % of what all weights take in bf16.
"""
import json
import statistics

from methods import parser_of, train
from training import conditions, keep, run


def weight_count(arguments):
    """All weights of the base, as `hone check` counts them."""
    checked, _ = run([arguments.hone, "check", arguments.config, "--json", "data.eval=[]",
                      *arguments.override])
    return json.loads(checked)["parameters"]


def measure(arguments, method):
    _, trained, steps, processor_s = train(arguments, method, "data.eval=[]",
                                           "train.precision=bf16",
                                           f"train.max_steps={arguments.steps}")
    return {"s_per_token": statistics.median(step["time_s"] / step["tokens"] for step in steps[2:]),
            "processor_s": processor_s, "peak_memory_bytes": trained["peak_memory_bytes"],
            "final_loss": trained["final_loss"]}, trained["host"]


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")
    assert methods[0] == "lora", "what the others are compared with comes first"

    bf16_weights = 2 * weight_count(arguments)
    rounds = []
    for turn in range(arguments.rounds):
        of_round = {}
        for method in methods if turn % 2 == 0 else methods[::-1]:
            of_round[method], host = measure(arguments, method)
        rounds.append(of_round)
    found = {}
    for method in methods[1:]:
        def ratio(key):
            return statistics.median(one[method][key] / one["lora"][key] for one in rounds)
        saved = statistics.median(one["lora"]["peak_memory_bytes"] - one[method]["peak_memory_bytes"]
                                  for one in rounds)
        found[method] = {"speed": 1 / ratio("s_per_token"), "time": ratio("s_per_token"),
                         "processor": ratio("processor_s"),
                         "saved_share_of_bf16_weights": saved / bf16_weights}
    record = {**conditions(arguments), "steps": arguments.steps, "to_lora": found, "rounds": rounds,
              "host": host}
    kept = {}
    if "dora" in found:
        kept["dora_time"] = found["dora"]["time"] <= 1.25
    if "qlora" in found:
        kept["qlora_speed"] = found["qlora"]["speed"] >= 0.85
        kept["qlora_memory"] = found["qlora"]["saved_share_of_bf16_weights"] >= 0.55
    keep(arguments, {**record, "kept": kept})


if __name__ == "__main__":
    main()
