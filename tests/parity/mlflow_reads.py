#!/usr/bin/env python3
"""Trains a tiny model, resumes it from before its end, and holds what MLflow's own client finds in
the file store to metrics.jsonl and config.resolved.yaml.

    tests/parity/mlflow_reads.py HONE

Exits with 77, which ctest takes for skipped, where MLflow is not installed.
"""
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # MLflow 3 asks for it
try:
    from mlflow.tracking import MlflowClient
except ImportError:
    print("mlflow is not installed")
    sys.exit(77)

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "train"


def train(hone, run):
    """Six steps; then as if killed after the fifth, with the checkpoint of the fourth; then eight."""
    command = [hone, "train", "tiny.yaml", "checkpoint.save_steps=2", "checkpoint.keep_last=0"]
    (run.parent / "tiny.yaml").write_text(
        f"model: {{base: '{DATA / '_base'}'}}\nadapter: {{method: lora, r: 4}}\n"
        f"data: {{train: '{DATA / 'data' / 'sft.jsonl'}'}}\n"
        f"train: {{output_dir: '{run}', max_steps: 8, precision: fp32}}\n"
        "report: {report_to: mlflow}\n")
    subprocess.run(command + ["train.max_steps=6"], cwd=run.parent, check=True,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(run / "checkpoints" / "step-6")
    subprocess.run(command + ["--resume", "auto"], cwd=run.parent, check=True,
                   stderr=subprocess.DEVNULL)


def compare(run):
    client = MlflowClient(tracking_uri=f"file://{run.parent / 'mlruns'}")
    (found,) = client.search_runs([client.get_experiment_by_name("Default").experiment_id])
    if found.info.status != "FINISHED" or found.info.run_name != run.name:
        sys.exit(f"MLflow reads another run: {found.info}")
    if found.data.params["train.max_steps"] != "8":
        sys.exit(f"max_steps reads as {found.data.params['train.max_steps']}")
    written = {}
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        step = row.pop("step")
        for name, value in row.items():
            if name != "non_finite":
                written.setdefault(name, []).append((step, value))
    if set(written) != set(found.data.metrics):
        sys.exit(f"only in the one or the other: {set(written) ^ set(found.data.metrics)}")
    for name, points in written.items():
        read = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, name)]
        same = len(read) == len(points) and all(
            a[0] == b[0] and (math.isnan(a[1]) if b[1] is None else a[1] == b[1])
            for a, b in zip(read, points))
        if not same:
            sys.exit(f"{name}: metrics.jsonl says {points}, MLflow reads {read}")
    print(f"{sum(map(len, written.values()))} values of {len(written)} metrics, the same in both")


def main():
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        train(str(pathlib.Path(sys.argv[1]).resolve()), run)
        compare(run)


if __name__ == "__main__":
    main()
