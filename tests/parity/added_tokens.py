"""Checks that adapters over a base with added tokens go both ways between hone and PEFT.

hone to PEFT: `hone train` adds two tokens to a small base (head tied or not) and trains an adapter;
transformers loads the base and resizes it to the tokenizer in the adapter's folder, PEFT loads the
adapter, and every next token's log-probability is compared with `hone logprobs` on the base as it
was. Tokenizers are compared on texts that hold the tokens; `hone merge` writes a model that
transformers loads by itself. PEFT to hone: PEFT saves adapters over a resized base with
`save_pretrained`, and hone loads them onto the base as it was.

Exits with 77 (which ctest counts as skipped) where torch, transformers and peft cannot be imported.
With --record FILE it writes what it measured.

    python3 tests/parity/added_tokens.py build/hone [--record FILE]
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
ADDED = ["<|call|>", "hitherto"]
TEXTS = ["row says<|call|> as hitherto", "<|call|><|call|>hitherto", "nothing new", "x hitherto<|call|>y"]

FROM_HONE = {
    "rows": "{method: lora, r: 4}",
    "dora": "{method: dora, r: 4, target_modules: [q_proj]}",
    "trainable_tokens": "{method: trainable_tokens}",
    "whole": "{method: lora, r: 4, modules_to_save: [embed_tokens, lm_head]}",
}


def write_base(libraries, folder, tied):
    torch, transformers, _ = libraries
    tokenizer = ROOT / "tests/data/tokenizers/gpt2_bytelevel/tokenizer.json"
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=str(tokenizer), eos_token="<|im_end|>")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.2, tie_word_embeddings=tied,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def train(hone, base, folder, adapter):
    folder.mkdir()
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    config = folder / "config.yaml"
    config.write_text(
        f"model: {{base: '{base}', add_special_tokens: ['{ADDED[0]}'], add_tokens: ['{ADDED[1]}']}}\n"
        f"adapter: {adapter}\n"
        f"data: {{train: '{rows}'}}\n"
        f"train: {{output_dir: '{folder / 'run'}', precision: fp32, max_steps: 10}}\n"
        "optim: {learning_rate: 3.0e-2}\n"
    )
    run([hone, "train", config, "--quiet"])
    return folder / "run/adapter"


def hone_ids(hone, tokenizer, folder):
    rows = folder / "texts.jsonl"
    rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    out = run([hone, "tokenize", "--tokenizer", tokenizer, "--input", rows])
    return [json.loads(line)["ids"] for line in out.splitlines()]


def from_hone(hone, libraries, base, folder, adapter_yaml):
    torch, transformers, peft = libraries
    adapter = train(hone, base, folder, adapter_yaml)
    tokenizer = transformers.AutoTokenizer.from_pretrained(adapter)
    ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    assert ids == hone_ids(hone, adapter, folder), "the tokenizers differ"
    assert tokenizer.decode(tokenizer.convert_tokens_to_ids(ADDED), skip_special_tokens=True) == ADDED[1]
    rows = peers.write_rows(folder / "rows_of_ids.jsonl", ids)
    ours = hone_logprobs(hone, base, ["--adapter", adapter], rows)
    resized = load(libraries, base)
    resized.resize_token_embeddings(len(tokenizer))
    untrained = peer_logprobs(torch, resized, rows)
    theirs = peer_logprobs(torch, peft.PeftModel.from_pretrained(resized, adapter).eval(), rows)
    merged = folder / "merged"
    run([hone, "merge", "--model", base, "--adapter", adapter, "--output", merged, "--quiet"])
    merged_ids = [transformers.AutoTokenizer.from_pretrained(merged)(text)["input_ids"] for text in TEXTS]
    assert merged_ids == ids, "the merged model's tokenizer differs"
    return {
        "largest_difference_nats": largest_difference(ours, theirs),
        "largest_difference_merged_nats": largest_difference(
            ours, peer_logprobs(torch, load(libraries, merged), rows)
        ),
        "largest_effect_of_adapter_nats": largest_difference(ours, untrained),
    }


def from_peft(hone, libraries, base, folder, make_config):
    torch, transformers, peft = libraries
    folder.mkdir()
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens([ADDED[1]])
    tokenizer.add_special_tokens({"additional_special_tokens": [ADDED[0]]})
    model = load(libraries, base)
    model.resize_token_embeddings(len(tokenizer))
    ids = tokenizer.convert_tokens_to_ids(ADDED)
    torch.manual_seed(2)
    tuned = peft.get_peft_model(model, make_config(peft, ids, model.config.tie_word_embeddings)).eval()
    with torch.no_grad():
        for parameter in tuned.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    tuned.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    of_texts = [tokenizer(text)["input_ids"] for text in TEXTS]
    assert of_texts == hone_ids(hone, folder, folder)
    rows = peers.write_rows(folder / "rows_of_ids.jsonl", of_texts)
    return {
        "largest_difference_nats": largest_difference(
            hone_logprobs(hone, base, ["--adapter", folder], rows), peer_logprobs(torch, tuned, rows)
        )
    }


# Each gets PEFT, the ids of the new tokens, and whether the head is the embedding.
FROM_PEFT = {
    "peft_embedding_saved": lambda peft, ids, tied: peft.LoraConfig(r=4, target_modules=["q_proj"]),
    "peft_rows": lambda peft, ids, tied: peft.LoraConfig(
        r=4,
        target_modules=["q_proj"],
        trainable_token_indices=ids if tied else {"embed_tokens": ids, "lm_head": ids},
    ),
    "peft_whole": lambda peft, ids, tied: peft.LoraConfig(
        r=4, target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]
    ),
    "peft_trainable_tokens": lambda peft, ids, tied: peft.TrainableTokensConfig(
        token_indices=ids, target_modules=["embed_tokens"] if tied else ["embed_tokens", "lm_head"]
    ),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    libraries = peers.libraries()
    warnings.filterwarnings("ignore")
    report = {**peers.versions(libraries), "tolerance_nats": TOLERANCE, "cases": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for head in ("tied", "untied"):
            base = write_base(libraries, folder / head, head == "tied")
            for case, adapter in FROM_HONE.items():
                report["cases"][f"{head} {case}"] = from_hone(
                    arguments.hone, libraries, base, folder / f"{head}-{case}", adapter
                )
            for case, make_config in FROM_PEFT.items():
                report["cases"][f"{head} {case}"] = from_peft(
                    arguments.hone, libraries, base, folder / f"{head}-{case}", make_config
                )
    for case, result in report["cases"].items():
        print(case, json.dumps(result))
    return peers.judge(report, report["cases"], TOLERANCE, arguments.record)


if __name__ == "__main__":
    sys.exit(main())
