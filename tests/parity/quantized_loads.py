"""Checks that models which `hone quantize` wrote load in transformers and give hone's log-probabilities.

nf4, fp4 and int8 through bitsandbytes; int4 and int8_group through compressed-tensors, where that can be
imported (HONE_COMPRESSED_TENSORS names a folder that holds it). Exits with 77 (which ctest counts as skipped)
where torch, transformers and bitsandbytes cannot be imported. With --record FILE it writes what it measured.

    python3 tests/parity/quantized_loads.py build/hone [--model FOLDER] [--record FILE]
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77
ROOT = pathlib.Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4  # nats, fp32 on both sides; the tiny model's log-probabilities are about -6

# Not --asymmetric: transformers 5 makes room for zero points as they are, compressed-tensors writes (and
# vLLM reads) them packed; tests/data/quant/compressed_tensors holds what compressed-tensors itself writes.
FORMATS = {
    "nf4": ["--format", "nf4"],
    "nf4_single": ["--format", "nf4", "--single", "--block-size", "128"],
    "fp4_skip": ["--format", "fp4", "--skip", "o_proj"],
    "int8": ["--format", "int8"],
    "int4": ["--format", "int4", "--group-size", "32"],
    "int4_skip": ["--format", "int4", "--group-size", "32", "--skip", "o_proj"],
    "int8_group": ["--format", "int8_group", "--group-size", "32"],
}


def make_model(torch, transformers, folder):
    """A random model whose rows are whole numbers of blocks: bitsandbytes' CPU kernels want that."""
    torch.manual_seed(5)
    config = transformers.LlamaConfig(
        vocab_size=256, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=True, initializer_range=0.1)
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def run(command):
    return subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE).stdout


def hone_logprobs(hone, model, rows):
    out = run([hone, "logprobs", "--model", model, "--dtype", "fp32", "--input", rows])
    return [json.loads(line)["logprobs"] for line in out.splitlines()]


def unpack(torch, bitsandbytes, model):
    """Puts the numbers that bitsandbytes reads in the place of its layers, whose products round to bf16 (4 bits)
    or round the inputs to 8 bits (int8) on the CPU."""
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, bitsandbytes.nn.Linear4bit):
                weight = bitsandbytes.functional.dequantize_4bit(layer.weight.data, layer.weight.quant_state)
            elif isinstance(layer, bitsandbytes.nn.Linear8bitLt):
                weight = layer.weight.data.float() * layer.weight.SCB.float().unsqueeze(1) / 127
            else:
                continue
            plain = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
            plain.weight.data = weight.float()
            setattr(parent, name, plain)


def peer_logprobs(torch, model, rows):
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


def measure(hone, model, name, folder, rows, exact, torch, transformers, bitsandbytes):
    packed = folder / name
    run([hone, "quantize", "--model", model, "--output", packed, "--quiet", *FORMATS[name]])
    ours = hone_logprobs(hone, packed, rows)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(packed, dtype=torch.float32, device_map="cpu")
    unpack(torch, bitsandbytes, loaded)
    return {
        "largest_difference_nats": largest_difference(ours, peer_logprobs(torch, loaded.eval(), rows)),
        "largest_effect_of_packing_nats": largest_difference(ours, exact),
    }


def passed(result):
    return result["largest_difference_nats"] < TOLERANCE and result["largest_effect_of_packing_nats"] > 1e-3


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone")
    parser.add_argument("--model", type=pathlib.Path, help="default: one of random weights")
    parser.add_argument("--formats", nargs="*", default=list(FORMATS))
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    if folder := os.environ.get("HONE_COMPRESSED_TENSORS"):
        sys.path.append(folder)
    try:
        import bitsandbytes
        import torch
        import transformers
    except ImportError as error:
        print(f"skipped: {error}")
        return SKIPPED
    report = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "bitsandbytes": bitsandbytes.__version__,
        "tolerance_nats": TOLERANCE,
        "formats": {},
    }
    try:
        import compressed_tensors

        report["compressed_tensors"] = compressed_tensors.__version__
    except ImportError as error:
        print(f"int4 and int8_group are left out: {error}")
        arguments.formats = [x for x in arguments.formats if not x.startswith(("int4", "int8_group"))]

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        rows = folder / "rows.jsonl"
        lines = (ROOT / "tests/data/train/data/sft.jsonl").read_text().splitlines()[:50]
        rows.write_text("".join(json.dumps({"input_ids": json.loads(x)["input_ids"]}) + "\n" for x in lines))
        model = arguments.model or make_model(torch, transformers, folder / "model")
        exact = hone_logprobs(arguments.hone, model, rows)
        for one in arguments.formats:
            report["formats"][one] = measure(
                arguments.hone, model, one, folder, rows, exact, torch, transformers, bitsandbytes
            )
            print(one, json.dumps(report["formats"][one]), flush=True)
    failed = [one for one, result in report["formats"].items() if not passed(result)]
    print("failed:", ", ".join(failed) or "none")
    if not failed and arguments.record:
        arguments.record.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
