"""What scripts share that hold hone's log-probabilities to those of transformers and PEFT."""
import importlib
import json
import pathlib
import subprocess
import sys

SKIPPED = 77  # what ctest takes for skipped
ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("torch", "transformers", "peft")


def libraries():
    """torch, transformers and peft; ends the script as skipped where one cannot be imported."""
    try:
        return tuple(map(importlib.import_module, NAMES))
    except ImportError as error:
        print(f"skipped: {error}")
        sys.exit(SKIPPED)


def versions(modules):
    return {name: module.__version__ for name, module in zip(NAMES, modules)}


def run(command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE).stdout


def load(modules, path):
    torch, transformers, _ = modules
    return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()


def write_rows(path, rows):
    path.write_text("".join(json.dumps({"input_ids": row}) + "\n" for row in rows))
    return path


def hone_logprobs(hone, model, adapter, rows):
    """@param adapter arguments: ["--adapter", folder], or none"""
    out = run([hone, "logprobs", "--model", model, "--dtype", "fp32", "--input", rows, *adapter])
    return [json.loads(line)["logprobs"] for line in out.splitlines()]


def peer_logprobs(torch, model, rows):
    results = []
    with torch.no_grad():
        for line in rows.read_text().splitlines():
            ids = torch.tensor([json.loads(line)["input_ids"]])
            # Virtual tokens have logits of their own, before those of the row.
            logits = model(input_ids=ids).logits[0, -ids.shape[1] :]
            logps = logits[:-1].double().log_softmax(-1)
            results.append(logps.gather(1, ids[0, 1:, None])[:, 0].tolist())
    return results


def largest_difference(a, b):
    assert [len(x) for x in a] == [len(y) for y in b]
    return max(abs(p - q) for x, y in zip(a, b) for p, q in zip(x, y))


def judge(report, results, tolerance, record):
    """Names the results in which a largest_difference exceeds the tolerance, or in which the adapter
    hardly does anything; writes the report where there is none. @return the exit code"""
    failed = [
        name
        for name, result in results.items()
        if max(value for key, value in result.items() if key.startswith("largest_difference")) >= tolerance
        or result.get("largest_effect_of_adapter_nats", 1) <= 100 * tolerance
    ]
    print("failed:", ", ".join(failed) or "none")
    if not failed and record:
        record.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if failed else 0
