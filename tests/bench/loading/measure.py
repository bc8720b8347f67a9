#!/usr/bin/env python3
"""Measures the memory and time that loading a model takes, beyond what the program has anyway.

    tests/bench/loading/measure.py [--load-peak build/tests/bench/loading/load_peak]
                                   [--gguf .deps/models/smollm2-135m-instruct.gguf] [--record FILE]

Three ways: safetensors in shards, bf16 to bf16 and to fp32 (a model of SmolLM2-135M's shapes, made
here), and that model's GGUF in Q4_1 to bf16. Each in a process of its own; the peak is VmHWM. The
bound is 1.1 times the model in its target format and its largest tensor together.
"""
import argparse
import datetime
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
BOUND = 1.1
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 49152,
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
    "num_attention_heads": 9, "num_key_value_heads": 3, "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
SHARDS = 4


def shapes():
    hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    kv = hidden // CONFIG["num_attention_heads"] * CONFIG["num_key_value_heads"]
    yield "model.embed_tokens.weight", [CONFIG["vocab_size"], hidden]
    for i in range(CONFIG["num_hidden_layers"]):
        prefix = f"model.layers.{i}."
        yield prefix + "input_layernorm.weight", [hidden]
        for name, out, size in (("q", hidden, hidden), ("k", kv, hidden), ("v", kv, hidden),
                                ("o", hidden, hidden)):
            yield f"{prefix}self_attn.{name}_proj.weight", [out, size]
        yield prefix + "post_attention_layernorm.weight", [hidden]
        for name, out, size in (("gate", inner, hidden), ("up", inner, hidden),
                                ("down", hidden, inner)):
            yield f"{prefix}mlp.{name}_proj.weight", [out, size]
    yield "model.norm.weight", [hidden]


def write_model(folder):
    """Every weight 1/64: memory does not depend on values."""
    (folder / "config.json").write_text(json.dumps(CONFIG))
    weights, weight_map = list(shapes()), {}
    for shard in range(SHARDS):
        name = f"model-{shard + 1:05}-of-{SHARDS:05}.safetensors"
        header, offset = {}, 0
        for tensor, shape in weights[shard::SHARDS]:
            size = 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
            header[tensor] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
            weight_map[tensor] = name
            offset += size
        text = json.dumps(header).encode()
        with open(folder / name, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            out.write(b"\x80\x3c" * (offset // 2))
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def measure(program, model, dtype):
    out = subprocess.run([program, model, dtype], check=True, stdout=subprocess.PIPE).stdout
    result = json.loads(out)
    taken = result["peak_bytes"] - result["baseline_bytes"]
    needed = result["model_bytes"] + result["largest_tensor_bytes"]
    result["taken_bytes"] = taken
    result["taken_over_model_and_largest_tensor"] = round(taken / needed, 4)
    result["taken_over_model"] = round(taken / result["model_bytes"], 4)
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--load-peak", default=ROOT / "build/tests/bench/loading/load_peak")
    parser.add_argument("--gguf", default=ROOT / ".deps/models/smollm2-135m-instruct.gguf")
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_model(folder)
        results = {
            "safetensors, 4 shards, bf16 to bf16": measure(arguments.load_peak, folder, "bf16"),
            "safetensors, 4 shards, bf16 to fp32": measure(arguments.load_peak, folder, "fp32"),
            "GGUF, Q4_1 to bf16": measure(arguments.load_peak, arguments.gguf, "bf16"),
        }
    record = {"date": str(datetime.date.today()), "model": "SmolLM2-135M's shapes", "bound": BOUND,
              "results": results}
    text = json.dumps(record, indent=1) + "\n"
    print(text, end="")
    if arguments.record:
        arguments.record.write_text(text)
    passed = all(x["taken_over_model_and_largest_tensor"] < BOUND for x in results.values())
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
