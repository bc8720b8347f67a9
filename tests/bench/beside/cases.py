"""What hone is measured beside: a row for each case, each with hone's config and its peers' scripts.

All train SmolLM2-135M-Instruct on the shared rows in file order: four to a batch (two pairs),
completion only, AdamW at 1e-4, LoRA of rank 16 and alpha 32 on all linear layers.
"""
import dataclasses

LORA = {"method": "lora", "r": 16, "lora_alpha": 32}
# The hand-written loop: torch's AdamW with its own weight decay, at a constant rate.
LOOP = {"optim": {"learning_rate": 1e-4, "weight_decay": 0.01},
        "schedule": {"lr_scheduler_type": "constant"}}
# transformers' Trainer, which TRL's are: no decay, and a rate that falls to 0.
TRL = {"optim": {"learning_rate": 1e-4, "weight_decay": 0},
       "schedule": {"lr_scheduler_type": "linear"}}


@dataclasses.dataclass
class Peer:
    name: str
    script: str
    arguments: list


@dataclasses.dataclass
class Case:
    title: str
    rows: str  # of the shared ones
    config: dict  # hone's, but for what all share
    peers: list
    rows_per_step: int = 4


def train(precision, method="sft"):
    return {"method": method, "precision": precision, "per_device_train_batch_size": 4}


CASES = {
    "sft_lora_bf16": Case(
        "SFT, LoRA, bf16", "sft.jsonl", {"adapter": LORA, "train": train("bf16"), **LOOP},
        [Peer("transformers + PEFT loop", "bench_hf.py",
              ["--dtype", "bf16", "--adapter_bf16", "1"]),
         Peer("TRL", "bench_sft.py", ["--dtype", "bf16"])]),
    "sft_lora_fp32": Case(
        "SFT, LoRA, fp32", "sft.jsonl",
        {"adapter": LORA, "model": {"dtype": "fp32"}, "train": train("fp32"), **LOOP},
        [Peer("transformers + PEFT loop", "bench_hf.py", ["--dtype", "fp32"]),
         Peer("TRL", "bench_sft.py", ["--dtype", "fp32"])]),
    "sft_full_bf16": Case(
        "SFT, all weights, bf16", "sft.jsonl",
        {"adapter": {"method": "full"}, "train": train("pure_bf16"), **LOOP},
        [Peer("transformers loop", "bench_hf.py", ["--dtype", "bf16", "--lora", "0"])]),
    "sft_qlora_nf4": Case(
        "SFT, QLoRA (NF4), bf16", "sft.jsonl",
        {"adapter": LORA, "model": {"quantization": "nf4"}, "train": train("bf16"), **TRL},
        [Peer("TRL + bitsandbytes", "bench_sft.py", ["--dtype", "bf16", "--quant", "nf4"])]),
    "dpo_lora_bf16": Case(
        "DPO, LoRA, bf16", "dpo.jsonl",
        {"adapter": LORA, "dpo": {"beta": 0.1, "reference": "base"},
         "train": {**train("bf16", "dpo"), "per_device_train_batch_size": 2}, **TRL},
        [Peer("TRL", "bench_dpo.py", ["--dtype", "bf16"])], rows_per_step=2),
}


def config_of(case, model, bench, steps):
    data = {"train": f"{bench}/{case.rows}", "shuffle": False, "cache": "off"}
    if case.rows == "sft.jsonl":
        data["train_on"] = "last"
    own = case.config
    return {**own, "model": {"base": str(model), **own.get("model", {})}, "data": data,
            "train": {**own["train"], "max_steps": steps, "gradient_accumulation_steps": 1,
                      "max_grad_norm": 1.0},
            "checkpoint": {"save_steps": 0}}
