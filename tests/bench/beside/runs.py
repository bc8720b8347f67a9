"""One measured run of hone, or of a peer: both as the same numbers."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys


def finish(command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-4000:]}")
    return done.stdout


def summary(steps, warm, more):
    """@param steps of each: seconds, tokens, trained tokens, loss"""
    measured = steps[warm:]
    seconds = sum(step["seconds"] for step in measured)
    return {"tokens_per_s": sum(step["tokens"] for step in measured) / seconds,
            "trained_tokens_per_s": sum(step["trained"] for step in measured) / seconds,
            "step_s": statistics.median(step["seconds"] for step in measured),
            "tokens": sum(step["tokens"] for step in measured),
            "losses": [step["loss"] for step in steps], **more}


def hone(binary, folder, config, threads, warm):
    """Trains by a config (a dictionary). The folder is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = {**config, "train": {**config["train"], "output_dir": str(folder / "run")}}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    finish([binary, "train", path, "--quiet", "--threads", threads])
    lines = (folder / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    taken = [row for row in map(json.loads, lines) if "loss" in row]
    record = json.loads((folder / "run" / "run.json").read_text(encoding="utf-8"))
    steps = [{"seconds": row["time_s"], "tokens": row["tokens"], "trained": row["trained_tokens"],
              "loss": row["loss"]} for row in taken]
    return summary(steps, warm, {
        "peak_memory_bytes": record["peak_memory_bytes"], "mfu": record.get("mfu"),
        "first_step_done_s": record["time_to_first_step_s"],
        "activations_peak_bytes": record["memory"]["activations_peak_bytes"],
        "matrix_peak_flops": record["matrix_peak_flops"]})


def peer(bench, script, arguments, threads, steps, warm):
    """Runs a peer's script of the folder `bench` in the peers' environment."""
    peers = os.environ.get("PEERS", str(pathlib.Path.home() / ".cache/hone-peers"))
    command = (f'. "{bench}/env.sh" && exec python "{bench}/{script}" {" ".join(arguments)} '
               f"--steps {steps} --warm {warm}")
    told = finish(["bash", "-c", command],
                  env={**os.environ, "PEERS": peers, "THREADS": str(threads),
                       "RESULTS": os.devnull})
    line = next(line for line in told.splitlines() if line.startswith("JSON "))
    found = json.loads(line[5:])
    return {"tokens_per_s": found["real_tok_s"],
            "step_s": found["step_s_median"], "tokens": found["real_tokens"],
            "padded_tokens_per_s": found["processed_tok_s"], "losses": found["losses"],
            "peak_memory_bytes": found["peak_rss_mib"] * 2**20,
            "first_step_begins_s": found["startup_to_first_step_s"],
            "first_step_done_s": found.get("first_step_done_s"), "versions": found["versions"]}
