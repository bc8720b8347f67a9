#!/usr/bin/env python3
"""Measures the token cache: how fast it is made, how much memory that takes, and how soon a second
start is ready for its first step.

    tests/bench/cache/bench.py [--rows 100000] [--hone build/hone] [--folder /tmp/hone-bench]
                               [--tokenizer smollm2-135m-instruct] [--threads N]
                               [--out tests/bench/results/cache.jsonl]

Makes the rows first (conversations of some 300 tokens, always the same), where they are not there
from an earlier run. Prints one JSON object, and adds it to the lines of OUT. Not a test: run it on
a machine that does nothing else; the load that it found is in the record.
"""
import argparse
import datetime
import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import time

COMMON = """the of and to a in is it you that he was for on are with as his they be at one have this
from or had by hot but some what there we can out other were all your when up use word how said an
each she which do their time if will way about many then them would write like so these her long
make thing see him two has look more day could go come did my sound no most number who over know
water than call first people may down side been now find any new work part take get place made live
where after back little only round man year came show every good me give our under name very through
just form much great think say help low line before turn cause same mean differ move right boy old
too does tell sentence set three want air well also play small end put home read hand port large
spell add even land here must big high such follow act why ask men change went light kind off need
house picture try us again animal point mother world near build self earth father head stand own
page should country found answer school grow study still learn plant cover food sun four thought""".split()
SYLLABLES = "ka ri to men sa lu ver no pi tan es do mi ra che ul bo ne ta gor in fa".split()


def make_rows(path, count):
    """`count` conversations with words of natural frequencies: few are very common, some rare."""
    chance = random.Random(20261121)
    weights = [1 / (i + 1) for i in range(len(COMMON))]
    words = chance.choices(COMMON, weights, k=200_000)
    for place in range(0, len(words), 9):
        words[place] = "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))
    temporary = path + ".part"
    with open(temporary, "w", encoding="utf-8") as out:
        for number in range(count):
            texts = []
            for length in (chance.randint(60, 160), chance.randint(60, 160)):
                begin = chance.randrange(len(words) - length)
                texts.append(" ".join(words[begin:begin + length]).capitalize() + ".")
            messages = [{"role": "user", "content": f"{number}. {texts[0]}"},
                        {"role": "assistant", "content": texts[1]}]
            out.write(json.dumps({"messages": messages}) + "\n")
    os.replace(temporary, path)


def measure(command):
    """Wall-clock seconds, peak resident bytes and the JSON on stdout of a program."""
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate()
    seconds = time.monotonic() - begin
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{err.decode()}")
    # The largest of all children so far: they are measured in order of size.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return seconds, peak, json.loads(out.decode().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", default="/tmp/hone-bench")
    parser.add_argument("--tokenizer", default="smollm2-135m-instruct")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--out")
    arguments = parser.parse_args()

    os.makedirs(arguments.folder, exist_ok=True)
    rows = os.path.join(arguments.folder, f"rows-{arguments.rows}.jsonl")
    if not os.path.exists(rows):
        make_rows(rows, arguments.rows)
        time.sleep(4)  # a file that was written just now is not remembered by its hash
    cache = os.path.join(arguments.folder, "cache")
    shutil.rmtree(cache, ignore_errors=True)
    config = os.path.join(arguments.folder, "config.yaml")
    with open(config, "w", encoding="utf-8") as out:
        out.write(f"model: {{base: '{arguments.tokenizer}'}}\n"
                  f"data: {{train: '{rows}', cache: '{cache}'}}\n"
                  "train: {output_dir: unused, tokens_per_device_batch: 8192}\n")
    more = ["--json", "--threads", str(arguments.threads)]

    second_commands = [arguments.hone, "check", config] + more
    load = os.getloadavg()[0]
    build_s, build_peak, built = measure([arguments.hone, "data", "build", config] + more)
    starts = [measure(second_commands)[0] for _ in range(3)]
    size = os.path.getsize(rows)
    line = json.dumps({
        "date": str(datetime.date.today()),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "load_before": round(load, 2),
        "rows": built["rows"], "tokens": built["tokens"],
        "tokens_per_row": round(built["tokens"] / built["rows"], 1),
        "rows_mb": round(size / 1e6, 1), "cache_mb": round(built["bytes"] / 1e6, 1),
        "build_s": round(build_s, 2), "rows_per_s": round(built["rows"] / build_s),
        "tokens_per_s": round(built["tokens"] / build_s), "mb_per_s": round(size / 1e6 / build_s, 1),
        "build_peak_mib": round(build_peak / 2**20, 1),
        "second_start_s": [round(s, 2) for s in starts],
    })
    print(line)
    if arguments.out:
        with open(arguments.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")


if __name__ == "__main__":
    main()
