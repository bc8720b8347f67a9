#!/usr/bin/env python3
"""Time and memory of `hone data audit` and `hone data clean` over seeded rows.

    tests/bench/audit/audit_bench.py build/hone [--rows 100000] [--tokenizer T] [--record FILE]

The rows are conversations of some 200 words over a vocabulary of 20,000; 5 % repeat an earlier row
exactly and 5 % with a few words changed, so that both passes over near duplicates have work to do.
"""

import argparse
import json
import os
import pathlib
import platform
import random
import subprocess
import sys
import tempfile
import time


def words_of(count, generator, vocabulary):
    text = generator.choices(vocabulary, k=count)
    for i in range(11, count, 12):
        text[i] += "."
    return text


def write_rows(path, count):
    """Writes the rows; gives how many repeat another one exactly, and how many nearly."""
    generator = random.Random(7)
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = ["".join(generator.choices(letters, k=generator.randint(2, 9)))
                  for _ in range(20000)]
    rows, exact, near = [], 0, 0
    with open(path, "w") as out:
        for i in range(count):
            kind = generator.random()
            if i > 100 and kind < 0.05:
                words, exact = rows[generator.randrange(len(rows))], exact + 1
            elif i > 100 and kind < 0.10:
                words, near = list(rows[generator.randrange(len(rows))]), near + 1
                for _ in range(2):
                    words[generator.randrange(len(words))] = generator.choice(vocabulary)
            else:
                words = words_of(generator.randint(120, 280), generator, vocabulary)
                if len(rows) < 5000:
                    rows.append(words)
            cut = len(words) // 3
            row = {"messages": [{"role": "user", "content": " ".join(words[:cut])},
                                {"role": "assistant", "content": " ".join(words[cut:]) + "."}]}
            out.write(json.dumps(row) + "\n")
    return exact, near


def measured(command):
    """Runs a command; gives its output, seconds, processor seconds and peak memory in MiB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(command)} ended with {status}")
    seconds = time.monotonic() - start
    return output, {"wall_s": round(seconds, 2),
                    "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
                    "peak_mib": round(usage.ru_maxrss / 1024, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--tokenizer", help="counts tokens as well")
    parser.add_argument("--record", type=pathlib.Path, help="also write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = os.path.join(folder, "rows.jsonl")
        exact, near = write_rows(rows, arguments.rows)
        record = {"rows": arguments.rows, "megabytes": round(os.path.getsize(rows) / 1e6, 1),
                  "made_exact": exact, "made_near": near,
                  "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
        audit = [str(arguments.hone), "data", "audit", "--input", rows, "--json"]
        runs = {"audit": audit, "audit_one_thread": audit + ["--threads", "1"],
                "clean": [str(arguments.hone), "data", "clean", "--input", rows, "--output",
                          os.path.join(folder, "clean.jsonl"), "--steps",
                          "exact_duplicates,near_duplicates", "--json"]}
        if arguments.tokenizer:
            runs["audit_tokens"] = audit + ["--tokenizer", arguments.tokenizer]
        for name, command in runs.items():
            output, record[name] = measured(command)
            if name == "audit":
                counts = {f["check"]: f["count"] for f in json.loads(output)["findings"]}
                record["found_exact"] = counts.get("exact_duplicates", 0)
                record["found_near"] = counts.get("near_duplicates", 0)
        print(json.dumps(record, indent=2))
        if arguments.record:
            arguments.record.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
