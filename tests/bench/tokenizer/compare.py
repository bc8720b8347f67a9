#!/usr/bin/env python3
"""Times hone's tokenizer beside Hugging Face's, on the same text, in turns within one run.

    compare.py BENCH_TOKENIZER TOKENIZER_JSON... [--rounds 3] [--out results.json]

BENCH_TOKENIZER is the built benchmark. Run it with a Python that has `tokenizers`. The text is up
to 20 million characters of licences and C headers, in pieces of 4,000; with two threads, in batches
of 500 pieces. Each round loads the tokenizer anew and times encoding alone; `ratio` is that of the
median wall times, `cpu_ratio` that of the median processor times of all threads, which other work
on the machine moves less.
"""
import argparse
import datetime
import glob
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile

PIECE, CHARACTERS = 4000, 20_000_000


def read_text():
    paths = sorted(
        glob.glob("/usr/share/common-licenses/*")
        + glob.glob("/usr/include/**/*.h", recursive=True)
    )
    parts = [pathlib.Path(p).read_text(encoding="utf-8", errors="ignore") for p in paths[:4000]]
    return "".join(parts)[:CHARACTERS]


def hugging_face_round(path, pieces, threads):
    """In a process of its own, since the number of threads is read once."""
    code = (
        "import json, sys, time; from tokenizers import Tokenizer\n"
        "path, text, size, threads = sys.argv[1:]\n"
        "text = open(text, encoding='utf-8', newline='').read(); size = int(size)\n"
        "pieces = [text[i:i + size] for i in range(0, len(text), size)]\n"
        "tokenizer = Tokenizer.from_file(path)\n"
        "start, cpu_start = time.perf_counter(), time.process_time()\n"
        "encode = lambda piece: tokenizer.encode(piece, add_special_tokens=False)\n"
        "batch = lambda b: tokenizer.encode_batch(pieces[b:b + 500], add_special_tokens=False)\n"
        "single = (encode(piece) for piece in pieces)\n"
        "batched = (e for b in range(0, len(pieces), 500) for e in batch(b))\n"
        "tokens = sum(len(e.ids) for e in (single if threads == '1' else batched))\n"
        "seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start\n"
        "print(json.dumps({'seconds': seconds, 'cpu_seconds': cpu, 'tokens': tokens}))\n"
    )
    environment = dict(
        os.environ,
        TOKENIZERS_PARALLELISM=str(threads > 1).lower(),
        RAYON_NUM_THREADS=str(threads),
    )
    command = [sys.executable, "-c", code, path, pieces, str(PIECE), str(threads)]
    return json.loads(subprocess.check_output(command, env=environment))


def hone_round(bench, path, text, threads):
    result = json.loads(subprocess.check_output([bench, path, text, str(threads), "1"]))
    return {
        "seconds": result["seconds"][0],
        "cpu_seconds": result["cpu_seconds"][0],
        "tokens": result["tokens"],
    }


def compare(bench, path, text, megabytes, threads, rounds):
    """In turns, so that both see the same machine."""
    theirs, ours = [], []
    for _ in range(rounds):
        theirs.append(hugging_face_round(path, text, threads))
        ours.append(hone_round(bench, path, text, threads))
        if theirs[-1]["tokens"] != ours[-1]["tokens"]:
            sys.exit(f"{path}: {ours[-1]['tokens']} tokens, not {theirs[-1]['tokens']}")

    def median(all_rounds, key):
        return statistics.median(one[key] for one in all_rounds)

    return {
        "tokenizer": pathlib.Path(path).parent.name,
        "threads": threads,
        "tokens": ours[0]["tokens"],
        "hugging_face_mb_s": round(megabytes / median(theirs, "seconds"), 1),
        "hone_mb_s": round(megabytes / median(ours, "seconds"), 1),
        "ratio": round(median(theirs, "seconds") / median(ours, "seconds"), 1),
        "hugging_face_mb_per_cpu_s": round(megabytes / median(theirs, "cpu_seconds"), 1),
        "hone_mb_per_cpu_s": round(megabytes / median(ours, "cpu_seconds"), 1),
        "cpu_ratio": round(median(theirs, "cpu_seconds") / median(ours, "cpu_seconds"), 1),
        "rounds": {"hugging_face": theirs, "hone": ours},
    }


def machine():
    models = [
        line.split(":")[1].strip()
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{len(models)} x {models[0]}, {platform.system()} {platform.release()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench")
    parser.add_argument("tokenizers", nargs="+", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    import tokenizers

    report = {
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "load_before": os.getloadavg()[0],
        "tokenizers_version": tokenizers.__version__,
        "results": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder) / "text"
        text.write_text(read_text(), encoding="utf-8", newline="")
        report["megabytes"] = megabytes = text.stat().st_size / 1e6
        for path in arguments.tokenizers:
            for threads in (1, 2):
                row = compare(
                    arguments.bench, str(path), str(text), megabytes, threads, arguments.rounds
                )
                report["results"].append(row)
                print(
                    f"{row['tokenizer']:22} {threads} thread(s): Hugging Face {row['hugging_face_mb_s']:5} MB/s,"
                    f" hone {row['hone_mb_s']:6} MB/s, ratio {row['ratio']},"
                    f" by processor time {row['cpu_ratio']}",
                    flush=True,
                )
    report["load_after"] = os.getloadavg()[0]
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
