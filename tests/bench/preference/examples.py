#!/usr/bin/env python3
"""The preference examples of configs/, trained one after another, and what each of them changed.

    tests/bench/preference/examples.py [--hone build/hone] [--folder /tmp/hone-bench-preference]
                                       [--out tests/bench/results/preference.json] [override ...]

SFT then DPO, KTO from thumbs, ORPO in one stage, and a reward model, on SmolLM2-135M-Instruct. Held
out are the evaluation rows, whose goods, names, towns and ways of saying are none of those trained
on. For each: its own evaluation before and after, how often the reward model prefers its greedy
reply to the base's (win rate, a tie counts half), and the share of replies that state all that they
have to (the facts of the chosen reply). Then the best of eight sampled replies of the base by that
reward. Prints tables for the README and a sample of replies, and writes all of it to OUT.
"""
import argparse
import datetime
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

CONFIGS = {
    "reward": "configs/reward/smollm2_replies.yaml",
    "sft": "configs/sft/smollm2_replies.yaml",
    "dpo": "configs/dpo/smollm2_replies.yaml",
    "kto": "configs/kto/smollm2_thumbs.yaml",
    "orpo": "configs/orpo/smollm2_replies.yaml",
}
POLICIES = {"base": "before", "sft": "SFT", "dpo": "SFT, then DPO", "kto": "KTO", "orpo": "ORPO"}
EVAL_ROWS = "datasets/examples/replies_eval.jsonl"
MODEL = "smollm2-135m-instruct"


def run(command, rows=None):
    """Standard output of a command that is given rows as JSON lines."""
    text = None if rows is None else "".join(json.dumps(row) + "\n" for row in rows)
    finished = subprocess.run([str(part) for part in command], input=text, capture_output=True,
                              text=True, check=False)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{finished.stderr}")
    return finished.stdout


def json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


def train(arguments, method):
    """Its evaluation before the first step and after the last, and the run's record."""
    folder = arguments.folder / method
    shutil.rmtree(folder, ignore_errors=True)
    start = [f"adapter.init_from={arguments.folder}/sft/adapter"] if method == "dpo" else []
    run([arguments.hone, "train", CONFIGS[method], "--quiet", f"train.output_dir={folder}", *start,
         *arguments.override])
    evaluations = [row for row in json_lines((folder / "metrics.jsonl").read_text())
                   if any(key.startswith("eval_") for key in row)]
    record = json.loads((folder / "run.json").read_text())
    return {"before": evaluations[0], "after": evaluations[-1],
            "wall_time_s": record["wall_time_s"],
            "peak_memory_bytes": record["peak_memory_bytes"], "host": record["host"]}


def adapter_of(arguments, policy):
    return [] if policy == "base" else ["--adapter", arguments.folder / policy / "adapter"]


def replies(arguments, policy, rows, *sampling):
    """What the policy answers to the prompt of each row."""
    prompts = [{"messages": row["prompt"]} for row in rows]
    answers = run([arguments.hone, "generate", "--model", MODEL, "--input", "-", "--json",
                   "--max-new-tokens", "64", *sampling, *adapter_of(arguments, policy)], prompts)
    return [answer["text"].strip() for answer in json_lines(answers)]


def rewards(arguments, rows, answers):
    rated = [{"messages": row["prompt"] + [{"role": "assistant", "content": answer}]}
             for row, answer in zip(rows, answers)]
    scored = run([arguments.hone, "score", "--model", MODEL, "--input", "-",
                  *adapter_of(arguments, "reward")], rated)
    return [line["score"] for line in json_lines(scored)]


def facts_of(row):
    """Numbers, weekdays and towns of the chosen reply."""
    town_or_day = r"\b(?:\d+|[A-Z][a-z]*day|Basel|Cork|Gdansk|Malmo)\b"
    return set(re.findall(town_or_day, row["chosen"][0]["content"]))


def states_all(row, answer):
    return all(fact in answer for fact in facts_of(row))


def judge(of_policy, of_base):
    wins = sum((one > other) + 0.5 * (one == other) for one, other in zip(of_policy, of_base))
    return wins / len(of_base)


def best_of_eight(arguments, rows):
    """Mean reward of a sampled reply, and of the best of eight by `hone rank`."""
    count = 8
    prompts = [{"prompt": row["prompt"]} for row in rows]
    answers = replies(arguments, "base", rows, "--temperature", "1", "--num-return-sequences",
                      count)
    for i, prompt in enumerate(prompts):
        prompt["completions"] = answers[count * i:count * (i + 1)]
    ranked = json_lines(run([arguments.hone, "rank", "--model", MODEL, "--input", "-", "--as",
                             "scored", *adapter_of(arguments, "reward")], prompts))
    scores = [row["score"] for row in ranked]
    assert len(scores) == count * len(rows), "an answer was lost"
    groups = [scores[i:i + count] for i in range(0, len(scores), count)]
    return {"mean_reward": statistics.mean(scores),
            "mean_reward_of_best": statistics.mean(max(group) for group in groups)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", type=pathlib.Path, default="/tmp/hone-bench-preference")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("override", nargs="*")
    arguments = parser.parse_args()

    rows = json_lines(pathlib.Path(EVAL_ROWS).read_text())
    trained = {method: train(arguments, method) for method in CONFIGS}
    answers = {policy: replies(arguments, policy, rows) for policy in POLICIES}
    scores = {policy: rewards(arguments, rows, answers[policy]) for policy in POLICIES}
    policies = {
        policy: {"win_rate": judge(scores[policy], scores["base"]),
                 "mean_reward": statistics.mean(scores[policy]),
                 "states_all_facts": statistics.mean(map(states_all, rows, answers[policy])),
                 "mean_characters": statistics.mean(map(len, answers[policy]))}
        for policy in POLICIES}
    record = {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
              "overrides": arguments.override, "trained": trained, "policies": policies,
              "best_of_8": best_of_eight(arguments, rows),
              "samples": [{"prompt": rows[i]["prompt"][-1]["content"],
                           **{policy: answers[policy][i] for policy in POLICIES}}
                          for i in range(6)]}
    if arguments.out:
        arguments.out.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n",
                                 encoding="utf-8")

    for method, run_of in trained.items():
        print(f"\n{method}: {run_of['wall_time_s']:.0f} s, "
              f"{run_of['peak_memory_bytes'] / 2**20:.0f} MiB")
        for key, before in run_of["before"].items():
            if key in run_of["after"] and key != "step":
                print(f"  {key}: {before:.4g} -> {run_of['after'][key]:.4g}")
    print("\n| policy | wins against the base by the reward | states all facts | mean reward |")
    print("|---|---|---|---|")
    for policy, name in POLICIES.items():
        of = policies[policy]
        print(f"| {name} | {100 * of['win_rate']:.0f} % | {100 * of['states_all_facts']:.0f} % | "
              f"{of['mean_reward']:.2f} |")
    print(f"\nbest of 8: {record['best_of_8']}")
    for sample in record["samples"]:
        print()
        for who, text in sample.items():
            print(f"{who}: {text}")


if __name__ == "__main__":
    main()
