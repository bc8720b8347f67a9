#!/usr/bin/env python3
"""Trains a tiny model, resumes it from before its end, and holds what MLflow's own client finds in
the file store to metrics.jsonl and config.resolved.yaml.

    tests/parity/mlflow_reads.py HONE

Exits with 77, which ctest takes for skipped, where MLflow is not installed.
"""
import math
import os
import sys

from recorded_run import SKIPPED, check, written

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"  # MLflow 3 asks for it
try:
    from mlflow.tracking import MlflowClient
except ImportError:
    print("mlflow is not installed")
    sys.exit(SKIPPED)


def compare(run):
    client = MlflowClient(tracking_uri=f"file://{run.parent / 'mlruns'}")
    (found,) = client.search_runs([client.get_experiment_by_name("Default").experiment_id])
    if found.info.status != "FINISHED" or found.info.run_name != run.name:
        sys.exit(f"MLflow reads another run: {found.info}")
    if found.data.params["train.max_steps"] != "8":
        sys.exit(f"max_steps reads as {found.data.params['train.max_steps']}")
    histories = {}
    for name, step, value in written(run):
        histories.setdefault(name, []).append((step, value))
    if set(histories) != set(found.data.metrics):
        sys.exit(f"only in the one or the other: {set(histories) ^ set(found.data.metrics)}")
    for name, points in histories.items():
        read = [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, name)]
        same = len(read) == len(points) and all(
            a[0] == b[0] and (math.isnan(a[1]) if b[1] is None else a[1] == b[1])
            for a, b in zip(read, points))
        if not same:
            sys.exit(f"{name}: metrics.jsonl says {points}, MLflow reads {read}")
    print(f"{sum(map(len, histories.values()))} values of {len(histories)} metrics, the same in both")


if __name__ == "__main__":
    check("mlflow", compare)
