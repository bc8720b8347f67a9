"""Checks that an adapter which `hone train` wrote loads in PEFT and gives hone's log-probabilities.

Trains for some steps on the tiny model of tests/data, loads base and adapter with transformers and
PEFT, and compares the log-probability of every next token with `hone logprobs`. Exits with 77 (which
ctest counts as skipped) where torch, transformers and peft cannot be imported. With --record FILE it
writes what it measured.

    python3 tests/parity/peft_loads.py build/hone [--model FOLDER] [--record FILE]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4  # nats, fp32 on both sides; the tiny model's log-probabilities are about -6


def run(command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE).stdout


def train(hone, model, folder):
    rows = ROOT / "tests/data/train/data/sft.jsonl"
    config = folder / "config.yaml"
    config.write_text(
        f"model: {{base: '{model}'}}\n"
        "adapter: {method: lora, r: 8, lora_alpha: 16, use_rslora: true}\n"
        f"data: {{train: '{rows}'}}\n"
        f"train: {{output_dir: '{folder / 'run'}', precision: fp32, max_steps: 20}}\n"
        "optim: {learning_rate: 1.0e-2}\n"
    )
    run([hone, "train", config, "--quiet"])
    return folder / "run" / "adapter"


def hone_logprobs(hone, model, adapter, rows):
    out = run([hone, "logprobs", "--model", model, "--dtype", "fp32", "--input", rows, *adapter])
    return [json.loads(line)["logprobs"] for line in out.splitlines()]


def peft_logprobs(torch, model, rows):
    results = []
    with torch.no_grad():
        for line in rows.read_text().splitlines():
            ids = torch.tensor([json.loads(line)["input_ids"]])
            logps = model(input_ids=ids).logits[0, :-1].double().log_softmax(-1)
            results.append(logps.gather(1, ids[0, 1:, None])[:, 0].tolist())
    return results


def largest_difference(a, b):
    assert [len(x) for x in a] == [len(y) for y in b]
    return max(abs(p - q) for x, y in zip(a, b) for p, q in zip(x, y))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "tests/data/train/_base")
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIPPED

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = folder / "rows.jsonl"
        lines = (ROOT / "tests/data/train/data/sft.jsonl").read_text().splitlines()[:50]
        rows.write_text("".join(json.dumps({"input_ids": json.loads(x)["input_ids"]}) + "\n" for x in lines))
        adapter = train(arguments.hone, arguments.model, folder)
        base = transformers.AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
        base_difference = largest_difference(
            hone_logprobs(arguments.hone, arguments.model, [], rows), peft_logprobs(torch, base, rows))
        tuned = peft.PeftModel.from_pretrained(base, adapter).eval()
        ours = hone_logprobs(arguments.hone, arguments.model, ["--adapter", adapter], rows)
        theirs = peft_logprobs(torch, tuned, rows)
        untuned = hone_logprobs(arguments.hone, arguments.model, [], rows)
        result = {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "peft": peft.__version__,
            "tokens": sum(len(row) for row in ours),
            "largest_difference_base_nats": base_difference,
            "largest_difference_adapter_nats": largest_difference(ours, theirs),
            "largest_effect_of_adapter_nats": largest_difference(ours, untuned),
            "tolerance_nats": TOLERANCE,
        }
    print(json.dumps(result, indent=1))
    passed = (
        result["largest_difference_base_nats"] < TOLERANCE
        and result["largest_difference_adapter_nats"] < TOLERANCE
        and result["largest_effect_of_adapter_nats"] > 100 * TOLERANCE
    )
    if passed and arguments.record:
        arguments.record.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
