"""Writes lr_schedules/more.json: learning rates of transformers' schedules with other options, warm-ups
and lengths than the golden set has. Made with transformers 5.23.0 and torch 2.11.0."""

import json
import pathlib

import torch
from transformers import get_scheduler

CASES = {
    "linear_no_warmup": ("linear", 0, 7, {}),
    "linear_all_warmup": ("linear", 9, 9, {}),
    "cosine_two_waves": ("cosine", 3, 40, {"num_cycles": 2.0}),
    "restarts_uneven": ("cosine_with_restarts", 4, 33, {"num_cycles": 5}),
    "restarts_once": ("cosine_with_restarts", 0, 20, {}),
    "min_lr_waves": ("cosine_with_min_lr", 2, 30, {"min_lr": 2e-4, "num_cycles": 1.5}),
    "warmup_min_lr": ("cosine_warmup_with_min_lr", 6, 30, {"min_lr": 1e-4}),
    "warmup_min_lr_no_warmup": ("cosine_warmup_with_min_lr", 0, 30, {"min_lr_rate": 0.3}),
    "polynomial_root": ("polynomial", 2, 25, {"power": 0.5, "lr_end": 3e-4}),
    "inverse_sqrt_no_warmup": ("inverse_sqrt", 0, 30, {}),
    "inverse_sqrt_short": ("inverse_sqrt", 8, 30, {"timescale": 100}),
    "constant": ("constant", 0, 5, {}),
    "constant_with_warmup": ("constant_with_warmup", 3, 8, {}),
    "wsd_cosine_waves": (
        "warmup_stable_decay",
        4,
        40,
        {"num_decay_steps": 20, "num_cycles": 1.5, "warmup_type": "1-sqrt"},
    ),
    "wsd_short_stable": (
        "warmup_stable_decay",
        5,
        50,
        {"num_decay_steps": 10, "num_stable_steps": 0, "decay_type": "1-sqrt", "min_lr_ratio": 0.2},
    ),
}
BASE_LR = 2e-3


def rates(name, warmup, total, options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE_LR)
    schedule = get_scheduler(name, optimizer, warmup, total, dict(options))
    result = []
    for _ in range(total):
        result.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return result


fixtures = {
    case: {
        "name": name,
        "num_warmup_steps": warmup,
        "num_training_steps": total,
        "base_lr": BASE_LR,
        "kwargs": options,
        "lr": rates(name, warmup, total, options),
    }
    for case, (name, warmup, total, options) in CASES.items()
}
path = pathlib.Path(__file__).parent / "lr_schedules" / "more.json"
path.write_text(json.dumps(fixtures, indent=1) + "\n")
