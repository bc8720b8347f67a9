#!/usr/bin/env python3
"""Serves hone's GGUF exports with llama.cpp itself, built from the pinned source.

    ninja -C build hone
    build/hone train configs/sft/smollm2_extract.yaml          # or another run of that config
    tests/parity/llama_cpp_export.py RUN [build/hone] [--llama-build build/llama.cpp] [--rows 200]
        [--record FILE]

1. The task of the quickstart: greedy answers of llama.cpp on the held-out rows, from the base with
   the adapter's GGUF and from the merged model in f16, q8_0 and q4_k_m, beside hone's own from the
   run's adapter. Exact match within 1 point (adapter, f16) and 3 points (q8_0); for the adapter and
   f16 at least 95 % of the texts the same. q4_k_m is recorded.
2. The types of all tensors, and the bytes of those in q8_0 and q4_0, that llama.cpp's own
   quantisation makes of hone's f32 file, beside hone's own files of every type.
3. llama.cpp cuts the rows' texts into the tokens that hone trained on.

SmolLM2's installed base is Q4_1, and llama.cpp rounds activations to 8 bits where weights are packed:
the adapter is put onto the base as hone writes it in f32 (`hone export --model smollm2-135m-instruct
--target llama.cpp --type f32`). Standard library only.
"""
import argparse
import json
import pathlib
import re
import sys
import tempfile

from llama_cpp import ROOT, SOURCE, run, source_with_exact_gelu

BASE = "smollm2-135m-instruct"
ROWS = ROOT / "datasets/examples/extract_eval.jsonl"
NEW_TOKENS = 64
TYPES = ["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0", "q4_k_m",
         "q4_k_s", "q4_1", "q4_0", "q3_k_l", "q3_k_m", "q3_k_s", "q2_k"]
SAME_BYTES = ["f32", "f16", "bf16", "q8_0", "q4_0"]
# largest loss of exact match in points, least share of equal texts
ASKED = {"adapter": (1, 0.95), "f16": (1, 0.95), "q8_0": (3, 0), "q4_k_m": (100, 0)}
FORMATS = {0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20),
           6: ("q5_0", 32, 22), 7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 10: ("q2_K", 256, 84),
           11: ("q3_K", 256, 110), 12: ("q4_K", 256, 144), 13: ("q5_K", 256, 176),
           14: ("q6_K", 256, 210), 30: ("bf16", 1, 2)}


def build_llama(folder):
    source = source_with_exact_gelu(folder)
    settings = ["-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=OFF", "-DLLAMA_BUILD_TESTS=OFF",
                "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_APP=OFF",
                "-DLLAMA_OPENSSL=OFF"]
    run(["cmake", "-S", source, "-B", folder, "-G", "Ninja", *settings])
    run(["ninja", "-C", folder, "llama"])
    tool = folder / "llama_export"
    libraries = [folder / name for name in ("src/libllama.a", "ggml/src/libggml.a",
                                            "ggml/src/libggml-cpu.a", "ggml/src/libggml-base.a")]
    run(["c++", "-std=c++20", "-O2", "-I", SOURCE / "include", "-I", SOURCE / "ggml/include",
         ROOT / "tests/parity/llama_export.cpp", *libraries, "-fopenmp", "-ldl", "-o", tool])
    return tool


def lines(command, texts):
    out = run(command, stdin="".join(text + "\n" for text in texts).encode()).stdout.decode()
    return out.splitlines()


class Reader:
    """The header of a GGUF file; independent of hone's reader and of its writer."""

    def __init__(self, path):
        self.data = pathlib.Path(path).read_bytes()
        self.at = 0
        assert self.data[:4] == b"GGUF"
        self.at = 8
        tensors, keys = self.number(8), self.number(8)
        for _ in range(keys):
            self.text()
            self.value(self.number(4))
        infos = [self.info() for _ in range(tensors)]
        start = (self.at + 31) // 32 * 32
        self.tensors = {}
        for name, shape, kind, offset in infos:
            label, block, size = FORMATS[kind]
            count = 1
            for extent in shape:
                count *= extent
            begin = start + offset
            self.tensors[name] = (label, self.data[begin:begin + count // block * size])

    def number(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size:self.at], "little")

    def text(self):
        size = self.number(8)
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def value(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            kind, count = self.number(4), self.number(8)
            for _ in range(count):
                self.value(kind)
        else:
            self.number({0: 1, 1: 1, 2: 2, 3: 2, 7: 1, 4: 4, 5: 4, 6: 4, 10: 8, 11: 8, 12: 8}[kind])

    def info(self):
        name, dims = self.text(), self.number(4)
        shape = [self.number(8) for _ in range(dims)]
        return name, shape, self.number(4), self.number(8)


def export(hone, folder, source, kind, merge=True):
    """Gives the file that `hone export` writes."""
    out = folder / f"{'model' if merge else 'adapter'}-{'base-' if source[0] == '--model' else ''}{kind}"
    run([hone, "export", *source, "--target", "llama.cpp", "--type", kind, "--output", out, "--quiet", "--rows", "1", "--metrics", "loss", "--limit", "1",
         *(["--merge"] if merge and source[0] != "--model" else [])])
    return next(out.glob("*.gguf"))


def file_type(path):
    """`general.file_type`: what llama.cpp is to make."""
    at = (data := path.read_bytes()).index(b"general.file_type") + len(b"general.file_type")
    return int.from_bytes(data[at + 4:at + 8], "little")


def compare_types(tool, hone, run_folder, folder):
    f32 = export(hone, folder, [run_folder], "f32")
    result = {}
    for kind in TYPES:
        ours = export(hone, folder, [run_folder], kind) if kind != "f32" else f32
        theirs = folder / "theirs.gguf"
        run([tool, "quantize", f32, theirs, file_type(ours)])
        a, b = Reader(ours).tensors, Reader(theirs).tensors
        assert a.keys() == b.keys(), a.keys() ^ b.keys()
        result[kind] = {
            "tensors": len(a),
            "other_types": {name: [a[name][0], b[name][0]] for name in a if a[name][0] != b[name][0]},
            "other_bytes": sum(a[name][1] != b[name][1] for name in a)}
        theirs.unlink()
        if kind not in ("f32", "f16", "q8_0", "q4_k_m"):
            ours.unlink()
    passed = all(not row["other_types"] and (kind not in SAME_BYTES or row["other_bytes"] == 0)
                 for kind, row in result.items())
    return result, passed


def prompts_of(hone, rows, folder):
    """The ids of each row up to the answer, as training renders it."""
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps({"messages": row["messages"][:-1]}) + "\n" for row in rows))
    out = run([hone, "data", "render", "--tokenizer", BASE, "--input", path, "--add-generation-prompt",
               "--tokens"]).stdout.decode()
    return path, [json.loads(line) for line in out.splitlines()]


def decode(hone, rows, folder):
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps({"ids": ids}) + "\n" for ids in rows))
    out = run([hone, "tokenize", "--tokenizer", BASE, "--decode", "--skip-special", "--input", path])
    return [json.loads(line)["text"] for line in out.stdout.decode().splitlines()]


def llama_answers(tool, hone, model, adapter, prompts, folder):
    asked = [" ".join(map(str, prompt["ids"])) for prompt in prompts]
    answered = lines([tool, "generate", model, adapter or "-", NEW_TOKENS], asked)
    return decode(hone, [[int(word) for word in line.split()] for line in answered], folder)


def compare_answers(tool, hone, run_folder, folder, count):
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()][:count]
    expected = [row["messages"][-1]["content"] for row in rows]
    path, prompts = prompts_of(hone, rows, folder)
    out = run([hone, "generate", "--model", BASE, "--adapter", run_folder / "adapter", "--dtype", "fp32",
               "--input", path, "--json", "--temperature", 0, "--max-new-tokens", NEW_TOKENS, "--quiet"])
    ours = [json.loads(line)["text"].strip() for line in out.stdout.decode().splitlines()]
    base = export(hone, folder, ["--model", BASE], "f32")
    adapter = export(hone, folder, [run_folder], "f32", merge=False)
    served = {"adapter": (base, adapter)}
    for kind in ("f16", "q8_0", "q4_k_m"):
        served[kind] = (folder / f"model-{kind}" / f"model-{kind}.gguf", None)
    points = 100 / len(rows)
    result = {"rows": len(rows), "exact_match_hone": points * sum(a == b for a, b in zip(ours, expected))}
    passed = len(ours) == len(rows)
    for name, (model, lora) in served.items():
        texts = [text.strip() for text in llama_answers(tool, hone, model, lora, prompts, folder)]
        match = points * sum(a == b for a, b in zip(texts, expected))
        same = sum(a == b for a, b in zip(texts, ours)) / len(rows)
        result[name] = {"exact_match": match, "same_texts": same}
        loss, least = ASKED[name]
        passed = passed and result["exact_match_hone"] - match <= loss and same >= least
    return result, passed, prompts


def compare_tokens(tool, model, prompts):
    """Lines of the rendered prompts, since the tool reads lines."""
    texts = sorted({line for prompt in prompts for line in prompt["text"].split("\n") if line})
    theirs = [[int(word) for word in line.split()] for line in lines([tool, "tokenize", model], texts)]
    return texts, theirs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=pathlib.Path)
    parser.add_argument("hone", nargs="?", type=pathlib.Path, default=ROOT / "build/hone")
    parser.add_argument("--llama-build", type=pathlib.Path, default=ROOT / "build/llama.cpp")
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--record", type=pathlib.Path)
    arguments = parser.parse_args()
    arguments.llama_build.mkdir(parents=True, exist_ok=True)
    tool = build_llama(arguments.llama_build)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        types, types_passed = compare_types(tool, arguments.hone, arguments.run, folder)
        answers, answers_passed, prompts = compare_answers(tool, arguments.hone, arguments.run, folder,
                                                           arguments.rows)
        texts, theirs = compare_tokens(tool, folder / "model-f16/model-f16.gguf", prompts)
        path = folder / "texts.jsonl"
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        out = run([arguments.hone, "tokenize", "--tokenizer", BASE, "--input", path, "--no-special"])
        ours = [json.loads(line)["ids"] for line in out.stdout.decode().splitlines()]
    tokens = {"texts": len(texts), "same": sum(a == b for a, b in zip(ours, theirs))}
    record = {
        "llama_cpp_source_sha256": re.search(
            r"\[llama-cpp-python\].*?sha256\s*=\s*(\w+)",
            (ROOT / "tools/dependencies").read_text(), re.S)[1],
        "task": answers, "tokens": tokens, "types": types,
        "passed": answers_passed and types_passed and tokens["same"] == tokens["texts"],
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    print(text, end="")
    if arguments.record and record["passed"]:
        arguments.record.write_text(text)
    return 0 if record["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
