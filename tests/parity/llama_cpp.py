#!/usr/bin/env python3
"""Compares hone with llama.cpp itself, built from the pinned source, on GGUF files.

    ninja -C build hone make_gguf
    tests/parity/llama_cpp.py [build/hone] [--llama-build build/llama.cpp] [--record FILE]

1. SmolLM2-135M-Instruct: the greedy text of 20 prompts (llama-completion) and the perplexity of a
   text (llama-perplexity), of two files. One is the installed Q4_1 file. The other is the same file
   with every weight unpacked to F32 by llama.cpp's own llama-quantize: on it both sides compute in
   fp32 with the very same weights, so they have to agree to the last printed digit. On the Q4_1 file
   llama.cpp also rounds the activations of each product to 8 bits (its dot products of q4_1 with
   q8_1), which hone does not: there the results are close, not equal, and hone's own are those of
   the F32 file, to the last bit.
2. Tiny models of every family that hone reads from GGUF, written by tests/parity/make_gguf: the
   log-probability of every token of two rows, from libllama's C API (llama_logprobs.cpp).

llama.cpp's cache of keys and values is set to f32 (its default is f16), its fused attention is off,
and so is its table of GELU's values in f16, which has no switch: it is built from a copy of the
source without that table (with it, Gemma's log-probabilities are off by 1e-3). Needs cmake and ninja, and about six minutes for the first build. Standard library only.
"""
import argparse
import hashlib
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / ".deps/llama.cpp"
GGUF = ROOT / ".deps/models/smollm2-135m-instruct.gguf"
TEXT = SOURCE / "tools/perplexity/README.md"  # prose and tables, pinned with the source
TOOLS = ["llama-completion", "llama-perplexity", "llama-quantize"]
CONTEXT = 512
NEW_TOKENS = 48
EXACT = ["--cache-type-k", "f32", "--cache-type-v", "f32", "--flash-attn", "off"]
PERPLEXITY_TOLERANCE = 2e-4  # of the value: it is printed with four decimals
LOGPROB_TOLERANCE = 2e-4  # nats, fp32 on both sides, sums in another order
PROMPTS = [
    "The capital of France is", "Once upon a time, there was a little girl who",
    "def fibonacci(n):\n", "Water boils at a temperature of", "The three primary colours are",
    "Dear Sir or Madam,\n\n", "1, 2, 3, 4,", "The mitochondria is", "Q: What is 12 times 12?\nA:",
    "In 1969, Neil Armstrong", "To make a cup of tea, first", "SELECT name FROM users WHERE",
    "Shakespeare wrote", "The quick brown fox", "Photosynthesis is the process by which",
    "Il était une fois", "My favourite season is", "The largest planet in our solar system is",
    "import numpy as np\n\n", "Roses are red,\nviolets are blue,\n",
]


def run(command, stdin=None):
    command = [str(part) for part in command]
    finished = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if finished.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{finished.stderr.decode(errors='replace')[-3000:]}")
    return finished


def source_with_exact_gelu(folder):
    """A copy of llama.cpp's source whose GELU is computed in fp32, not looked up in f16."""
    copy = folder / "source"
    header = copy / "ggml/src/ggml-cpu/vec.h"
    if not header.exists():
        shutil.copytree(SOURCE, copy, dirs_exist_ok=True)
        text = header.read_text()
        assert text.count("#define GGML_GELU_FP16\n") == 1
        header.write_text(text.replace("#define GGML_GELU_FP16\n", ""))
    return copy


def build_llama(folder):
    source = source_with_exact_gelu(folder)
    settings = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_BUILD_TESTS=OFF",
                "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_APP=OFF",
                "-DLLAMA_OPENSSL=OFF"]
    run(["cmake", "-S", source, "-B", folder, "-G", "Ninja", *settings])
    run(["ninja", "-C", folder, *TOOLS])
    reader = folder / "bin/llama_logprobs"
    libraries = [folder / name for name in ("src/libllama.a", "ggml/src/libggml.a",
                                            "ggml/src/libggml-cpu.a", "ggml/src/libggml-base.a")]
    run(["c++", "-std=c++20", "-O2", "-I", SOURCE / "include", "-I", SOURCE / "ggml/include",
         ROOT / "tests/parity/llama_logprobs.cpp", *libraries, "-fopenmp", "-ldl", "-o", reader])
    return folder / "bin"


def llama_text(tools, model, prompt):
    out = run([tools / "llama-completion", "--model", model, "--prompt", prompt, "--no-conversation",
               "--no-display-prompt", "--predict", NEW_TOKENS, "--temp", 0, "--no-warmup", *EXACT])
    return re.sub(r"\s*\[end of text\]\s*$", "", out.stdout.decode()).rstrip()


def hone_texts(hone, model, folder):
    rows = folder / "prompts.jsonl"
    rows.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    out = run([hone, "generate", "--model", model, "--dtype", "fp32", "--input", rows, "--json",
               "--temperature", 0, "--max-new-tokens", NEW_TOKENS, "--quiet"])
    return [json.loads(line)["text"].rstrip() for line in out.stdout.decode().splitlines()]


def hone_logprobs(hone, model, rows, folder):
    path = folder / "ids.jsonl"
    path.write_text("".join(json.dumps({"input_ids": row}) + "\n" for row in rows))
    out = run([hone, "logprobs", "--model", model, "--dtype", "fp32", "--input", path, "--quiet"])
    return [json.loads(line)["logprobs"] for line in out.stdout.decode().splitlines()]


def llama_perplexity(tools, model):
    out = run([tools / "llama-perplexity", "--model", model, "--file", TEXT, "--ctx-size", CONTEXT,
               "--batch-size", CONTEXT, *EXACT])
    text = out.stdout.decode() + out.stderr.decode()
    return float(re.search(r"Final estimate: PPL = ([0-9.]+)", text)[1])


def hone_perplexity(hone, model, folder):
    """As llama-perplexity counts: whole chunks of the text, the second half of each."""
    rows = folder / "text.jsonl"
    rows.write_text(json.dumps({"text": TEXT.read_text()}) + "\n")
    out = run([hone, "tokenize", "--tokenizer", model, "--input", rows])
    ids = json.loads(out.stdout)["ids"]
    chunks = [ids[i:i + CONTEXT] for i in range(0, len(ids) - CONTEXT + 1, CONTEXT)]
    logprobs = [row[CONTEXT // 2:] for row in hone_logprobs(hone, model, chunks, folder)]
    flat = [value for row in logprobs for value in row]
    return math.exp(-sum(flat) / len(flat)), len(flat), flat


def compare_smollm2(hone, tools, folder):
    unpacked = folder / "f32.gguf"
    run([tools / "llama-quantize", "--allow-requantize", GGUF, unpacked, "F32"])
    result, bits = {}, {}
    for name, model in (("F32", unpacked), ("Q4_1", GGUF)):
        ours = hone_texts(hone, model, folder)
        theirs = [llama_text(tools, model, prompt) for prompt in PROMPTS]
        perplexity, tokens, bits[name] = hone_perplexity(hone, model, folder)
        result[name] = {
            "greedy_texts": len(PROMPTS),
            "greedy_texts_equal": sum(a == b for a, b in zip(ours, theirs)),
            "differing": [{"prompt": p, "hone": a, "llama.cpp": b}
                          for p, a, b in zip(PROMPTS, ours, theirs) if a != b],
            "perplexity_tokens": tokens,
            "perplexity_hone": round(perplexity, 5),
            "perplexity_llama.cpp": llama_perplexity(tools, model),
        }
    result["hone_unpacks_as_llama.cpp"] = bits["F32"] == bits["Q4_1"]
    exact = result["F32"]
    difference = abs(exact["perplexity_hone"] / exact["perplexity_llama.cpp"] - 1)
    passed = (exact["greedy_texts_equal"] == len(PROMPTS) and difference < PERPLEXITY_TOLERANCE
              and result["hone_unpacks_as_llama.cpp"])
    return result, passed


def random_rows(vocabulary):
    """Two rows of ids, the same on every machine; both beyond the longrope fixture's 16 tokens."""
    state, rows = 20261121, []
    for length in (24, 19):
        row = []
        for _ in range(length):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            row.append((state >> 33) % vocabulary)
        rows.append(row)
    return rows


class Refused(Exception):
    """llama.cpp does not load a file that hone does: it knows fewer shapes of some families."""


def llama_logprobs(tools, model, rows):
    text = "".join(" ".join(map(str, row)) + "\n" for row in rows)
    finished = subprocess.run([tools / "llama_logprobs", model], input=text.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if reason := re.search(r"error loading model: (.*)", finished.stderr.decode()):
        raise Refused(reason[1])
    if finished.returncode != 0:
        sys.exit(f"llama_logprobs {model}\n{finished.stderr.decode(errors='replace')[-3000:]}")
    return [[float(value) for value in line.split()] for line in finished.stdout.decode().splitlines()]


def largest_difference(ours, theirs):
    assert [len(row) for row in ours] == [len(row) for row in theirs]
    return max(abs(a - b) for x, y in zip(ours, theirs) for a, b in zip(x, y))


def compare_families(hone, make_gguf, models, tools, folder):
    result = {}
    for model in models:
        out = folder / model.name
        run([make_gguf, model, out])
        rows = random_rows(json.loads((out / "config.json").read_text())["vocab_size"])
        ours = hone_logprobs(hone, f"{out}.gguf", rows, folder)
        found = {"to_safetensors_nats": largest_difference(
            ours, hone_logprobs(hone, out, rows, folder))}
        try:
            found["to_llama.cpp_nats"] = largest_difference(
                ours, llama_logprobs(tools, f"{out}.gguf", rows))
        except Refused as reason:
            found["llama.cpp_refuses"] = str(reason)
        result[model.name] = found
    differences = [x for row in result.values() for x in row.values() if isinstance(x, float)]
    return result, all(x < LOGPROB_TOLERANCE for x in differences)


def tiny_models():
    """Every tiny model that a GGUF file can hold: those kept here and, where there, the golden ones."""
    golden = pathlib.Path(os.environ.get("HONE_GOLDEN", "/nonexistent")) / "models"
    found = {}
    for parent in (ROOT / "tests/data/models", golden):
        for config in sorted(parent.glob("*/config.json")):
            content = json.loads(config.read_text())
            rope = content["rope_parameters"]
            is_scored = not content["architectures"][0].endswith("ForCausalLM")
            if rope.get("rope_type") != "dynamic" and not is_scored:
                found[config.parent.name] = config.parent
    return [found[name] for name in sorted(found)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", nargs="?", default=ROOT / "build/hone")
    parser.add_argument("--llama-build", type=pathlib.Path, default=ROOT / "build/llama.cpp")
    parser.add_argument("--make-gguf", default=ROOT / "build/tests/parity/make_gguf")
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    tools = build_llama(arguments.llama_build)
    with tempfile.TemporaryDirectory() as name:
        families, families_passed = compare_families(
            arguments.hone, arguments.make_gguf, tiny_models(), tools, pathlib.Path(name))
        smollm2, smollm2_passed = compare_smollm2(arguments.hone, tools, pathlib.Path(name))
    passed = families_passed and smollm2_passed
    record = {
        "llama_cpp_source_sha256": re.search(
            r"\[llama-cpp-python\].*?sha256\s*=\s*(\w+)",
            (ROOT / "tools/dependencies").read_text(), re.S)[1],
        "text_sha256": hashlib.sha256(TEXT.read_bytes()).hexdigest(),
        "context": CONTEXT, "new_tokens": NEW_TOKENS,
        "smollm2-135m-instruct": smollm2,
        "tiny_models_largest_difference": families,
        "passed": passed,
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if arguments.record and passed:
        arguments.record.write_text(text)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
