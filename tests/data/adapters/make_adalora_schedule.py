"""Makes tests/data/adapters/adalora_schedule: PEFT's AdaLoRA over twelve steps.

Starts from tests/data/adapters/adalora on _base_llama, trains on the batch of _base_llama/io.safetensors
with plain gradient descent, and calls update_and_allocate(step) for steps 1 to 12 as PEFT's
documentation says: after the optimizer's step, before the gradients go. Written: what the schedule
was, loss and rank_pattern after each step, and the adapter at the end as save_pretrained writes it.

Versions: torch 2.11.0, transformers 5.23.0, peft 0.21.2.

    python3 tests/data/adapters/make_adalora_schedule.py
"""
import json
import pathlib
import shutil

import peft
import torch
import transformers
from peft.tuners.adalora.layer import RankAllocator
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "adalora_schedule"
STEPS, RATE = 12, 0.5
SCHEDULE = {"target_r": 2, "tinit": 2, "tfinal": 3, "deltaT": 2, "beta1": 0.8, "beta2": 0.7, "total_step": STEPS}

torch.manual_seed(0)
torch.set_num_threads(1)
base = transformers.AutoModelForCausalLM.from_pretrained(HERE / "_base_llama", dtype=torch.float32)
model = peft.PeftModel.from_pretrained(base, HERE / "adalora", is_trainable=True)
config = model.peft_config["default"]
for key, value in SCHEDULE.items():
    setattr(config, key, value)
allocator = model.base_model.rankallocator = RankAllocator(model.base_model.model, config, "default")
batch = {key: value for key, value in load_file(HERE / "_base_llama/io.safetensors").items()}
trained = [p for p in model.parameters() if p.requires_grad]
steps = []
for step in range(1, STEPS + 1):
    loss = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"]
    ).loss
    loss.backward()
    with torch.no_grad():
        for p in trained:
            p -= RATE * p.grad
    model.base_model.update_and_allocate(step)
    for p in trained:
        p.grad = None
    pattern = config.rank_pattern or {}
    steps.append({"loss": loss.item(), "rank_pattern": {k.replace(".default", ""): v for k, v in pattern.items()}})
    print(step, loss.item(), sum(sum(v) for v in pattern.values()), allocator.budget_schedule(step))
shutil.rmtree(OUT, ignore_errors=True)
model.save_pretrained(OUT)
(OUT / "README.md").unlink(missing_ok=True)
(OUT / "info.json").write_text(json.dumps({"learning_rate": RATE, "schedule": SCHEDULE, "steps": steps}, indent=1) + "\n")
