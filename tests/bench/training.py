"""What benchmarks of training share: their arguments, one run of `hone train`, the record."""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys


def parser_of(script):
    """The arguments that each benchmark has. @param script its docstring"""
    parser = argparse.ArgumentParser(description=script.splitlines()[0])
    parser.add_argument("--config", default="configs/sft/smollm2_extract.yaml")
    parser.add_argument("--hone", default="build/hone")
    parser.add_argument("--folder", default="/tmp/hone-bench-training")
    parser.add_argument("--out")
    parser.add_argument("override", nargs="*")
    return parser


def run(command):
    """The program's standard output, and the processor's seconds that it took."""
    before = os.times()
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              check=False)
    after = os.times()
    if finished.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{finished.stderr}")
    return finished.stdout, (after.children_user + after.children_system
                             - before.children_user - before.children_system)


def train(arguments, name, *overrides):
    """Trains in a folder of that name: the folder, run.json, the steps' metrics, the processor's
    seconds."""
    folder = pathlib.Path(arguments.folder) / name
    shutil.rmtree(folder, ignore_errors=True)
    _, processor_s = run([arguments.hone, "train", arguments.config, "--quiet",
                          f"train.output_dir={folder}", *overrides, *arguments.override])
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in metrics if "loss" in row]
    return folder, json.loads((folder / "run.json").read_text()), steps, processor_s


def conditions(arguments):
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            "config": arguments.config, "overrides": arguments.override,
            "load_average": os.getloadavg()[0]}


def keep(arguments, record):
    """Prints the record, and adds it to the lines of OUT."""
    line = json.dumps(record)
    print(line)
    if arguments.out:
        with open(arguments.out, "a", encoding="utf-8") as out:
            out.write(line + "\n")
