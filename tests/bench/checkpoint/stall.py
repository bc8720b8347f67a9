#!/usr/bin/env python3
"""Measures how long a run stands still for a checkpoint: SmolLM2-135M by LoRA, real steps.

    tests/bench/checkpoint/stall.py [--config configs/sft/smollm2_extract.yaml] [--steps 41]
                                    [--every 4] [--hone build/hone]
                                    [--folder /tmp/hone-bench-training]
                                    [--out tests/bench/results/checkpoint_stall.jsonl] [override ...]

Two runs, one that writes its checkpoints behind itself (checkpoint.async_save, the default) and one
that waits for them. A checkpoint's stall is time_checkpoint_s of the step after it: the look for NaN,
the copy, and, where the disk is slow, the wait for the checkpoint before. The writing goes on beside
the steps that follow, on a core of its own where there is one: what it takes from the step right
after a checkpoint stands beside the stall, as the ratio of that step's seconds a token to the others'.
Steps differ in tokens, so that shares are of the median step. Judged: the stall's median is less than
2 % of a step's time.
"""
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from training import conditions, keep, parser_of, train  # noqa: E402

ALLOWED_SHARE = 0.02


def measure(arguments, name, *overrides):
    folder, record, steps, _ = train(
        arguments, name, f"train.max_steps={arguments.steps}", "data.eval=[]",
        f"checkpoint.save_steps={arguments.every}", "checkpoint.keep_last=2", *overrides)
    # The first steps warm up, and the first checkpoint may wait for the hash of the base.
    steps = [step for step in steps if step["step"] > arguments.every + 1]
    after = [step for step in steps if (step["step"] - 1) % arguments.every == 0]
    others = [step for step in steps if (step["step"] - 1) % arguments.every != 0]
    assert all(step["time_checkpoint_s"] > 0 for step in after)
    assert all(step["time_checkpoint_s"] == 0 for step in others)

    def s_per_token(some):
        return statistics.median(step["time_s"] / step["tokens"] for step in some)

    step_s = statistics.median(step["time_s"] for step in others)
    stalls = sorted(step["time_checkpoint_s"] for step in after)
    newest = folder / "checkpoints" / f"step-{arguments.steps // arguments.every * arguments.every}"
    return {"checkpoints": len(after), "step_s": step_s,
            "stall_s": {"median": statistics.median(stalls), "most": stalls[-1]},
            "stall_share": statistics.median(stalls) / step_s,
            "step_after_to_others": s_per_token(after) / s_per_token(others),
            "checkpoint_bytes": sum(file.stat().st_size for file in newest.iterdir()),
            }, record["host"]


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--steps", type=int, default=41)
    parser.add_argument("--every", type=int, default=4)
    arguments = parser.parse_args()
    behind, host = measure(arguments, "behind")
    waiting, _ = measure(arguments, "waiting", "checkpoint.async_save=false")
    keep(arguments, {**conditions(arguments), "steps": arguments.steps, "behind": behind,
                     "waiting": waiting, "host": host,
                     "kept": {"stall_share": behind["stall_share"] < ALLOWED_SHARE}})


if __name__ == "__main__":
    main()
