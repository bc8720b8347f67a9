"""Makes the fixtures of this folder with the reference packages (versions in README.md).

Run it in a Python that has gguf, numpy, safetensors and torch; it writes beside itself. With the
path of smollm2-135m-instruct.gguf it also records what the reference reader finds there.
"""

import json
import pathlib
import sys

import gguf
import numpy as np
import torch
from gguf import quants
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import save_file as save_torch

HERE = pathlib.Path(__file__).parent
ROWS, COLUMNS = 3, 256
Type = gguf.GGMLQuantizationType
PLAIN = {
    Type.F32: np.float32, Type.F16: np.float16, Type.F64: np.float64, Type.I8: np.int8,
    Type.I16: np.int16, Type.I32: np.int32, Type.I64: np.int64,
}  # fmt: skip


def random_blocks(kind, rng):
    """Rows of random bytes, each block drawn again until its values are finite and ordinary."""
    block, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = []
    while len(blocks) < ROWS * COLUMNS // block:
        candidate = rng.integers(0, 256, size=(1, size), dtype=np.uint8)
        with np.errstate(all="ignore"):
            values = quants.dequantize(candidate, kind)
        if np.isfinite(values).all() and 1e-6 < np.abs(values).max() < 1e3:
            blocks.append(candidate)
    return np.concatenate(blocks).reshape(ROWS, -1)


def stored(kind, rng):
    values = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    if kind in PLAIN:
        return (values * 40).astype(PLAIN[kind])
    try:
        return quants.quantize(values, kind)
    except NotImplementedError:
        return random_blocks(kind, rng)


def add_metadata(writer):
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 2**64 - 1)
    writer.add_int64("test.i64", -(2**63))
    writer.add_float32("test.f32", 0.5)
    writer.add_float64("test.f64", 1e300)
    writer.add_bool("test.bool", True)
    writer.add_string("test.string", "grüße")
    writer.add_array("test.strings", ["a", "", "日本"])
    writer.add_array("test.ints", [-1, 0, 2**31 - 1])
    writer.add_array("test.floats", [0.25, -1e30])
    writer.add_array("test.bools", [True, False])


def make_gguf():
    rng = np.random.default_rng(3)
    writer = gguf.GGUFWriter(HERE / "types.gguf", "test")
    add_metadata(writer)
    expected = {}
    for kind in [*PLAIN, *quants._type_traits]:
        data, name = stored(kind, rng), kind.name.lower()
        writer.add_tensor(name, data, raw_dtype=kind)
        values = data.astype(np.float32) if kind in PLAIN else quants.dequantize(data, kind)
        expected[name] = np.ascontiguousarray(values, dtype=np.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_numpy(expected, HERE / "types.dequantized.safetensors")


def make_safetensors():
    names = (
        "bool uint8 int8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64 "
        "complex64 float8_e4m3fn float8_e5m2 float8_e8m0fnu float8_e4m3fnuz float8_e5m2fnuz"
    ).split()
    tensors = {f"{name}.b": torch.arange(1, 7).reshape(2, 3).to(getattr(torch, name)) for name in names}
    tensors |= {"a": torch.zeros(0, 4), "scalar": torch.tensor(3.5), 'quote " \\ é': torch.ones(1)}
    save_torch(tensors, HERE / "dtypes.safetensors", {"note": 'é"\x01'})


def record_real_file(path):
    """What the reference reader finds in a real file: all names, and a few values."""
    reader = gguf.GGUFReader(path)
    keys = {key: field for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    tokens = keys["tokenizer.ggml.tokens"].contents()
    record = {
        "keys": sorted(keys),
        "integers": {k: int(f.contents()) for k, f in keys.items() if f.types[0].name == "UINT32"},
        "tokens": {str(i): tokens[i] for i in range(0, len(tokens), 4999)},
        "num_tokens": len(tokens),
        "chat_template": keys["tokenizer.chat_template"].contents(),
        "tensors": [],
    }
    for tensor in reader.tensors:
        values = quants.dequantize(tensor.data, tensor.tensor_type).reshape(-1)
        record["tensors"].append({
            "name": tensor.name,
            "type": tensor.tensor_type.name.lower(),
            "shape": [int(n) for n in reversed(tensor.shape)],
            "first": [float(v) for v in values[:4]],
            "sum": float(values.astype(np.float64).sum()),
        })  # fmt: skip
    (HERE / "smollm2.json").write_text(json.dumps(record, ensure_ascii=False) + "\n")


make_gguf()
make_safetensors()
if len(sys.argv) > 1:
    record_real_file(sys.argv[1])
