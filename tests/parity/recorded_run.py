"""A tiny run that was resumed, for scripts that hold other programs' reading of it to metrics.jsonl."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77  # what ctest takes for skipped
DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "train"


def train(hone, run, report_to):
    """Six steps; then as if killed after the fifth, with the checkpoint of the fourth; then eight."""
    command = [hone, "train", "tiny.yaml", "checkpoint.save_steps=2", "checkpoint.keep_last=0"]
    (run.parent / "tiny.yaml").write_text(
        f"model: {{base: '{DATA / '_base'}'}}\nadapter: {{method: lora, r: 4}}\n"
        f"data: {{train: '{DATA / 'data' / 'sft.jsonl'}'}}\n"
        f"train: {{output_dir: '{run}', max_steps: 8, precision: fp32}}\n"
        f"report: {{report_to: {report_to}}}\n")
    subprocess.run(command + ["train.max_steps=6"], cwd=run.parent, check=True,
                   stderr=subprocess.DEVNULL)
    shutil.rmtree(run / "checkpoints" / "step-6")
    subprocess.run(command + ["--resume", "auto"], cwd=run.parent, check=True,
                   stderr=subprocess.DEVNULL)


def written(run):
    """The values of metrics.jsonl in its order: name, step, and the value, None where it is NaN."""
    for line in (run / "metrics.jsonl").read_text().splitlines():
        row = json.loads(line)
        step = row.pop("step")
        for name, value in row.items():
            if name != "non_finite":
                yield name, step, value


def check(report_to, compare):
    """Trains with the program that the command line names, and has the run's folder compared."""
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        train(str(pathlib.Path(sys.argv[1]).resolve()), run, report_to)
        compare(run)
