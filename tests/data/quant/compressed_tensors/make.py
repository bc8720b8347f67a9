"""Packs small matrices with compressed-tensors 0.20.0, and makes numbers of them again.

    PYTHONPATH=FOLDER_WITH_compressed_tensors python3 tests/data/quant/compressed_tensors/make.py
"""
import pathlib

import torch
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

CASES = {
    "int4": (4, True),
    "int4_asymmetric": (4, False),
    "int8": (8, True),
    "int8_asymmetric": (8, False),
}

torch.manual_seed(20261121)
tensors = {}
for name, (bits, symmetric) in CASES.items():
    args = QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, strategy="group", group_size=32)
    weight = torch.randn(10, 96, dtype=torch.float32) * 0.05
    groups = weight.unflatten(1, (-1, 32))
    scale, zero = calculate_qparams(groups.amin(-1), groups.amax(-1), args)
    scale = scale.to(torch.bfloat16).to(torch.float32)
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    state = {"weight": weight, "weight_scale": scale}
    if not symmetric:
        state["weight_zero_point"] = zero
    packed = PackedQuantizationCompressor.compress(state, scheme)
    layer = f"{name}.layer"
    tensors[f"{name}.weight"] = weight
    tensors[f"{name}.numbers"] = PackedQuantizationCompressor.decompress(packed, scheme)["weight"]
    for key, value in packed.items():
        tensors[f"{layer}.{key}"] = value.to(torch.bfloat16) if key == "weight_scale" else value
save_file({k: v.contiguous() for k, v in tensors.items()}, pathlib.Path(__file__).parent / "data.safetensors")
