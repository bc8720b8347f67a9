#!/usr/bin/env python3
"""Trains a tiny model, resumes it from before its end, and holds every scalar that TensorBoard's own
reader finds in the event files to metrics.jsonl.

    tests/parity/tensorboard_reads.py HONE

Exits with 77, which ctest takes for skipped, where TensorBoard is not installed.
"""
import math
import struct
import sys

from recorded_run import SKIPPED, check, written

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("tensorboard is not installed")
    sys.exit(SKIPPED)


def as_float32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


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
    expected = {(name, step): value for name, step, value in written(run)}
    if set(read) != set(expected):
        sys.exit(f"only in the one or the other: {sorted(set(read) ^ set(expected))[:10]}")
    for key, value in expected.items():
        same = math.isnan(read[key]) if value is None else read[key] == as_float32(value)
        if not same:
            sys.exit(f"{key}: metrics.jsonl says {value}, TensorBoard reads {read[key]}")
    if len(list((run / "tensorboard").iterdir())) != 2:
        sys.exit("expected an event file of each of the two runs")
    print(f"{len(expected)} scalars of {len(events.Tags()['scalars'])} metrics, the same in both")


if __name__ == "__main__":
    check("tensorboard", compare)
