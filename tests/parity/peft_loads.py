"""Checks that adapters which `hone train` wrote load in PEFT and give hone's log-probabilities.

For each method: trains for some steps on the tiny model of tests/data, loads base and adapter with
transformers and PEFT, and compares the log-probability of every next token with `hone logprobs`.
Where the method can be merged, `hone merge` writes a model, which transformers loads by itself. Exits
with 77 (which ctest counts as skipped) where torch, transformers and peft cannot be imported. With
--record FILE it writes what it measured.

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

# Section `adapter` of each run.
METHODS = {
    "lora": "{method: lora, r: 8, lora_alpha: 16, use_rslora: true}",
    "lora_patterns": "{method: lora, r: 4, target_modules: '.*layers\\.\\d+\\.(self_attn\\.q_proj|mlp\\.up_proj)', "
    "rank_pattern: {q_proj: 2}, alpha_pattern: {up_proj: 3}}",
    "lora_bias": "{method: lora, r: 4, lora_bias: true, target_modules: [q_proj, down_proj]}",
    "lora_tokens": "{method: lora, r: 4, target_modules: [q_proj], trainable_token_indices: [3, 5, 8]}",
    "dora": "{method: dora, r: 8}",
    "pissa": "{method: lora, r: 4, init_lora_weights: pissa}",
    "olora": "{method: lora, r: 4, init_lora_weights: olora, use_rslora: true}",
    "eva": "{method: lora, r: 4, init_lora_weights: eva}",
    "adalora": "{method: adalora, r: 6}",
    "adalora_ranks": "{method: adalora, r: 6, target_r: 2, tinit: 4, tfinal: 4}",
    "ia3": "{method: ia3, target_modules: [k_proj, v_proj, down_proj]}",
    "vera": "{method: vera, r: 16, target_modules: [q_proj, down_proj]}",
    "vblora": "{method: vblora, r: 4, num_vectors: 24, vector_length: 8}",
    "loha": "{method: loha, r: 4}",
    "lokr": "{method: lokr, r: 4, decompose_both: true, decompose_factor: 4}",
    "oft": "{method: oft, oft_block_size: 8}",
    "oft_coft": "{method: oft, oft_block_size: 8, coft: true, eps: 0.5, block_share: true}",
    "boft": "{method: boft}",
    "ln_tuning": "{method: ln_tuning}",
    "trainable_tokens": "{method: trainable_tokens, trainable_token_indices: [3, 4, 5, 6, 7, 8]}",
    "prompt_tuning": "{method: prompt_tuning, num_virtual_tokens: 4}",
    "p_tuning": "{method: p_tuning, num_virtual_tokens: 4, encoder_hidden_size: 32}",
    "p_tuning_lstm": "{method: p_tuning, num_virtual_tokens: 4, encoder_hidden_size: 16, "
    "encoder_reparameterization_type: LSTM, encoder_dropout: 0.1}",
    "prefix_tuning": "{method: prefix_tuning, num_virtual_tokens: 4}",
    "prefix_projection": "{method: prefix_tuning, num_virtual_tokens: 4, prefix_projection: true, "
    "encoder_hidden_size: 32}",
}
# No weight of the base can hold these.
NOT_MERGED = {
    "lora_bias", "prompt_tuning", "p_tuning", "p_tuning_lstm", "prefix_tuning", "prefix_projection"
}


def run(command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE).stdout


def train(hone, model, folder, method):
    rows = ROOT / "tests/data/train/data/sft.jsonl"
    config = folder / f"{method}.yaml"
    config.write_text(
        f"model: {{base: '{model}'}}\n"
        f"adapter: {METHODS[method]}\n"
        f"data: {{train: '{rows}'}}\n"
        f"train: {{output_dir: '{folder / method}', precision: fp32, max_steps: 20}}\n"
        "optim: {learning_rate: 1.0e-2}\n"
    )
    run([hone, "train", config, "--quiet"])
    return folder / method / "adapter"


def hone_logprobs(hone, model, adapter, rows):
    out = run([hone, "logprobs", "--model", model, "--dtype", "fp32", "--input", rows, *adapter])
    return [json.loads(line)["logprobs"] for line in out.splitlines()]


def peft_logprobs(torch, model, rows):
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


def measure(hone, model, method, folder, rows, base_logprobs, libraries):
    torch, transformers, peft = libraries

    def load(path):
        return transformers.AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()

    adapter = train(hone, model, folder, method)
    ours = hone_logprobs(hone, model, ["--adapter", adapter], rows)
    theirs = peft_logprobs(torch, peft.PeftModel.from_pretrained(load(model), adapter).eval(), rows)
    result = {
        "largest_difference_nats": largest_difference(ours, theirs),
        "largest_effect_of_adapter_nats": largest_difference(ours, base_logprobs),
    }
    if method not in NOT_MERGED:
        merged = folder / f"{method}-merged"
        run([hone, "merge", "--model", model, "--adapter", adapter, "--output", merged, "--quiet"])
        result["largest_difference_merged_nats"] = largest_difference(
            ours, peft_logprobs(torch, load(merged), rows)
        )
    return result


def passed(result):
    differences = [value for key, value in result.items() if key.startswith("largest_difference")]
    return max(differences) < TOLERANCE and result["largest_effect_of_adapter_nats"] > 100 * TOLERANCE


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "tests/data/train/_base")
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    try:
        import peft
        import torch
        import transformers
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIPPED

    report = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "tolerance_nats": TOLERANCE,
        "methods": {},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = folder / "rows.jsonl"
        lines = (ROOT / "tests/data/train/data/sft.jsonl").read_text().splitlines()[:50]
        rows.write_text("".join(json.dumps({"input_ids": json.loads(x)["input_ids"]}) + "\n" for x in lines))
        base = hone_logprobs(arguments.hone, arguments.model, [], rows)
        report["tokens"] = sum(len(row) for row in base)
        for method in arguments.methods:
            report["methods"][method] = measure(
                arguments.hone, arguments.model, method, folder, rows, base, (torch, transformers, peft)
            )
            print(method, json.dumps(report["methods"][method]), flush=True)
    failed = [method for method, result in report["methods"].items() if not passed(result)]
    print("failed:", ", ".join(failed) or "none")
    if not failed and arguments.record:
        arguments.record.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
