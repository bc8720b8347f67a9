"""Checks that what `hone export` writes loads in PEFT and transformers, and computes the same there.

A small model with a tokenizer and a chat template is trained by `hone train` with adapters of several
kinds. PEFT loads `--target peft`, and `--target vllm` and `tgi` where these take the adapter;
transformers loads `--target hf` in fp32, whole and in shards. Every next token's log-probability is
compared with `hone logprobs` on the base with the run's own adapter. transformers renders and
tokenises a conversation with the exported tokenizer as hone does with the base's.

Exits with 77 (which ctest counts as skipped) where torch, transformers and peft cannot be imported.

    python3 tests/parity/export_loads.py build/hone [--record FILE]
"""
import argparse
import json
import pathlib
import sys
import tempfile
import warnings

import peers
from peers import ROOT, hone_logprobs, largest_difference, load, peer_logprobs, run

TOLERANCE = 1e-4  # nats, fp32 on both sides
ADAPTERS = {
    "lora": "{method: lora, r: 4}",
    "rslora": "{method: lora, r: 4, use_rslora: true}",
    "patterns": "{method: lora, r: 4, rank_pattern: {v_proj: 2}, alpha_pattern: {q_proj: 3}}",
    "dora": "{method: dora, r: 4}",
    "saved": "{method: lora, r: 4, modules_to_save: [lm_head]}",
    "tokens": "{method: lora, r: 4, trainable_token_indices: [5, 9]}",
    "some_layers": "{method: lora, r: 4, layers_to_transform: [0]}",
}
SERVED_AS_ADAPTER = ("lora", "rslora", "patterns", "some_layers")
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONVERSATION = [{"role": "user", "content": "Was it 37.5 % <b>more</b>?"}, {"role": "assistant", "content": "naïve – yes"}]


def write_base(libraries, folder):
    torch, transformers, _ = libraries
    tokenizer = ROOT / "tests/data/tokenizers/gpt2_bytelevel/tokenizer.json"
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer), eos_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.2, tie_word_embeddings=False,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def train(hone, base, folder, adapter):
    folder.mkdir()
    rows = folder / "rows.jsonl"
    rows.write_text(json.dumps({"messages": CONVERSATION}) + "\n")
    config = folder / "config.yaml"
    config.write_text(
        f"model: {{base: '{base}'}}\nadapter: {adapter}\ndata: {{train: '{rows}'}}\n"
        f"train: {{output_dir: '{folder / 'run'}', precision: fp32, max_steps: 5}}\n"
        "optim: {learning_rate: 5e-2}\nschedule: {warmup_steps: 0}\n"
    )
    run([hone, "train", config, "--quiet"])
    return folder / "run"


def export(hone, run_folder, target, *more):
    output = run_folder / "exports" / "-".join([target, *more]).replace("/", "")
    run([hone, "export", run_folder, "--target", target, "--output", output, "--quiet", *more])
    return output


def measure(libraries, hone, base, folder, name, adapter):
    torch, _, peft = libraries
    run_folder = train(hone, base, folder, adapter)
    ids = [[5, 17, 900, 44, 3, 61, 28, 9, 1200]]
    rows = peers.write_rows(folder / "ids.jsonl", ids)
    trained = hone_logprobs(hone, base, ["--adapter", run_folder / "adapter"], rows)
    untrained = hone_logprobs(hone, base, [], rows)
    result = {"largest_effect_of_adapter_nats": largest_difference(trained, untrained)}
    targets = ["peft"] + (["vllm", "tgi"] if name in SERVED_AS_ADAPTER else [])
    for target in targets:
        output = export(hone, run_folder, target)
        model = peft.PeftModel.from_pretrained(load(libraries, base), output).eval()
        result[f"largest_difference_{target}"] = largest_difference(peer_logprobs(torch, model, rows), trained)
    for more in ([], ["--max-shard-size", "40KB"]):
        output = export(hone, run_folder, "hf", "--type", "f32", *more)
        result["largest_difference_hf" + ("_sharded" if more else "")] = largest_difference(
            peer_logprobs(torch, load(libraries, output), rows), trained
        )
    result["largest_difference_of_text"] = float(not same_text(libraries, hone, base, folder, output))
    return result


def same_text(libraries, hone, base, folder, exported):
    transformers = libraries[1]
    conversation = folder / "conversation.jsonl"
    conversation.write_text(json.dumps({"messages": CONVERSATION}) + "\n")
    ours = json.loads(run([hone, "data", "render", "--tokenizer", base, "--input", conversation, "--tokens"]))
    tokenizer = transformers.AutoTokenizer.from_pretrained(exported)
    text = tokenizer.apply_chat_template(CONVERSATION, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return text == ours["text"] and ids == ours["ids"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", type=pathlib.Path)
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    libraries = peers.libraries()
    warnings.filterwarnings("ignore")
    libraries[1].logging.set_verbosity_error()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        base = write_base(libraries, folder / "base")
        for name, adapter in ADAPTERS.items():
            results[name] = measure(libraries, arguments.hone, base, folder / name, name, adapter)
            print(name, json.dumps(results[name]))
    report = {"versions": peers.versions(libraries), "tolerance_nats": TOLERANCE, "results": results}
    return peers.judge(report, results, TOLERANCE, arguments.record)


if __name__ == "__main__":
    sys.exit(main())
