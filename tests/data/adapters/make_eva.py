"""Makes tests/data/adapters/eva and eva_whiten: PEFT's EVA on tests/data/adapters/_base_llama.

Four batches of random tokens, part of them masked by labels of -100, are given to
initialize_lora_eva_weights again and again until it has converged. Written: the batches
(batches.safetensors), and the adapter as save_pretrained writes it right after, so that its A is what
EVA found.

Versions: torch 2.11.0, transformers 5.23.0, peft 0.21.2.

    python3 tests/data/adapters/make_eva.py
"""
import pathlib
import shutil

import peft
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
BATCHES, ROWS, COLUMNS = 4, 6, 40
CASES = {
    # No two of these read the same input, so that no share of the budget is a tie.
    "eva": {"r": 4, "rho": 2.0, "whiten": False, "targets": ["q_proj", "o_proj", "gate_proj", "down_proj"]},
    # q, k and v share theirs.
    "eva_whiten": {"r": 3, "rho": 1.0, "whiten": True, "targets": ["q_proj", "k_proj", "v_proj", "down_proj"]},
}

torch.set_num_threads(1)
for name, case in CASES.items():
    torch.manual_seed(7)
    out = HERE / name
    shutil.rmtree(out, ignore_errors=True)
    batches = []
    for _ in range(BATCHES):
        # Some tokens are likelier than others: the directions differ in what they explain.
        ids = (torch.rand(ROWS, COLUMNS) ** 3 * 320).long()
        labels = ids.clone()
        labels[:, :10] = -100
        batches.append({"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels})
    base = transformers.AutoModelForCausalLM.from_pretrained(HERE / "_base_llama", dtype=torch.float32)
    config = peft.LoraConfig(
        r=case["r"],
        lora_alpha=8,
        target_modules=case["targets"],
        init_lora_weights="eva",
        eva_config=peft.EvaConfig(rho=case["rho"], tau=0.99, whiten=case["whiten"]),
        task_type="CAUSAL_LM",
    )
    model = peft.get_peft_model(base, config)
    peft.initialize_lora_eva_weights(model, batches, show_progress_bar=False)
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    tensors = {f"{key}.{i}": value for i, batch in enumerate(batches) for key, value in batch.items() if key != "attention_mask"}
    save_file(tensors, out / "batches.safetensors")
    print(name, model.peft_config["default"].rank_pattern, model.peft_config["default"].alpha_pattern)
