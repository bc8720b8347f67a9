#!/usr/bin/env python3
"""Trains a tiny model, resumes it from before its end, and holds every scalar that TensorBoard's own
reader finds in the event files to metrics.jsonl.

    tests/parity/tensorboard_reads.py HONE

Exits with 77, which ctest takes for skipped, where TensorBoard is not installed.
"""
import json
import math
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("tensorboard is not installed")
    sys.exit(77)


def as_float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "train"


def train(hone, run):
    """Six steps; then as if killed after the fifth, with the checkpoint of the fourth; then eight."""
    command = [hone, "train", "tiny.yaml", "checkpoint.save_steps=2", "checkpoint.keep_last=0"]
    (run.parent / "tiny.yaml").write_text(
        f"model: {{base: '{DATA / '_base'}'}}\nadapter: {{method: lora, r: 4}}\n"
        f"data: {{train: '{DATA / 'data' / 'sft.jsonl'}'}}\n"
        f"train: {{output_dir: '{run}', max_steps: 8, precision: fp32}}\n"
        "report: {report_to: tensorboard}\n")
    subprocess.run(command + ["train.max_steps=6"], cwd=run.parent, check=True,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(run / "checkpoints" / "step-6")
    subprocess.run(command + ["--resume", "auto"], cwd=run.parent, check=True,
                   stderr=subprocess.DEVNULL)


def compare(run):
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    read = {}
    for tag in events.Tags()["scalars"]:
        for scalar in events.Scalars(tag):
            key = (tag, scalar.step)
            if key in read:
                sys.exit(f"{tag} at step {scalar.step} is there twice")
            read[key] = scalar.value
    written = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        step = row.pop("step")
        for name, value in row.items():
            if name != "non_finite":
                written[name, step] = value
    if set(read) != set(written):
        sys.exit(f"only in the one or the other: {sorted(set(read) ^ set(written))[:10]}")
    for key, value in written.items():
        same = math.isnan(read[key]) if value is None else read[key] == as_float32(value)
        if not same:
            sys.exit(f"{key}: metrics.jsonl says {value}, TensorBoard reads {read[key]}")
    if len(list((run / "tensorboard").iterdir())) != 2:
        sys.exit("expected an event file of each of the two runs")
    print(f"{len(written)} scalars of {len(events.Tags()['scalars'])} metrics, the same in both")


def main():
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        train(str(pathlib.Path(sys.argv[1]).resolve()), run)
        compare(run)


if __name__ == "__main__":
    main()
