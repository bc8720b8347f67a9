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
import sys
import tempfile

import peers
from peers import ROOT, hone_logprobs, largest_difference, load, peer_logprobs, run

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


def measure(hone, model, method, folder, rows, base_logprobs, modules):
    torch, _, peft = modules
    adapter = train(hone, model, folder, method)
    ours = hone_logprobs(hone, model, ["--adapter", adapter], rows)
    tuned = peft.PeftModel.from_pretrained(load(modules, model), adapter).eval()
    result = {
        "largest_difference_nats": largest_difference(ours, peer_logprobs(torch, tuned, rows)),
        "largest_effect_of_adapter_nats": largest_difference(ours, base_logprobs),
    }
    if method not in NOT_MERGED:
        merged = folder / f"{method}-merged"
        run([hone, "merge", "--model", model, "--adapter", adapter, "--output", merged, "--quiet"])
        result["largest_difference_merged_nats"] = largest_difference(
            ours, peer_logprobs(torch, load(modules, merged), rows)
        )
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "tests/data/train/_base")
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    modules = peers.libraries()
    report = {**peers.versions(modules), "tolerance_nats": TOLERANCE, "methods": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lines = (ROOT / "tests/data/train/data/sft.jsonl").read_text().splitlines()[:50]
        rows = peers.write_rows(folder / "rows.jsonl", [json.loads(x)["input_ids"] for x in lines])
        base = hone_logprobs(arguments.hone, arguments.model, [], rows)
        report["tokens"] = sum(len(row) for row in base)
        for method in arguments.methods:
            report["methods"][method] = measure(
                arguments.hone, arguments.model, method, folder, rows, base, modules
            )
            print(method, json.dumps(report["methods"][method]), flush=True)
    return peers.judge(report, report["methods"], TOLERANCE, arguments.record)


if __name__ == "__main__":
    sys.exit(main())
