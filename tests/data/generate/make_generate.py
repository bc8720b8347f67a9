#!/usr/bin/env python3
"""Writes greedy.json and filters.json with transformers, in fp32 on one thread."""

import json
import pathlib

import torch
import transformers
from transformers.generation.logits_process import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent / "models"
NEW_TOKENS = 24


def greedy(name, rng):
    """Each prompt alone, so that nothing is padded."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        MODELS / name, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    vocabulary = model.config.vocab_size
    cases = []
    for length in [1, 3, 17, 40, 6, 29]:
        prompt = torch.randint(3, vocabulary, (1, length), generator=rng)
        for penalty in [1.0, 1.3]:
            with torch.no_grad():
                made = model.generate(
                    prompt,
                    attention_mask=torch.ones_like(prompt),
                    do_sample=False,
                    max_new_tokens=NEW_TOKENS,
                    eos_token_id=None,
                    pad_token_id=0,
                    repetition_penalty=penalty,
                )
            cases.append(
                {
                    "prompt": prompt[0].tolist(),
                    "repetition_penalty": penalty,
                    "ids": made[0, length:].tolist(),
                }
            )
    return {"model": name, "cases": cases}


def filtered(rng):
    cases = []
    for temperature, top_k, top_p, min_p, penalty in [
        (1.0, 0, 1.0, 0.0, 1.0),
        (0.7, 0, 1.0, 0.0, 1.0),
        (1.0, 5, 1.0, 0.0, 1.0),
        (1.0, 0, 0.9, 0.0, 1.0),
        (1.0, 0, 0.3, 0.0, 1.0),
        (1.0, 0, 1.0, 0.1, 1.0),
        (1.5, 20, 0.8, 0.05, 1.0),
        (0.5, 7, 0.95, 0.2, 1.2),
        (2.0, 0, 0.6, 0.02, 0.8),
        (1.0, 1, 1.0, 0.0, 1.0),
        (1.0, 1000, 0.01, 0.9, 1.5),
    ]:
        for scale in [0.5, 3.0]:
            logits = torch.randn(1, 64, generator=rng) * scale
            seen = torch.randint(0, 64, (1, 12), generator=rng)
            steps = LogitsProcessorList()
            if penalty != 1.0:
                steps.append(RepetitionPenaltyLogitsProcessor(penalty))
            steps.append(TemperatureLogitsWarper(temperature))
            if top_k > 0:
                steps.append(TopKLogitsWarper(top_k))
            if top_p < 1.0:
                steps.append(TopPLogitsWarper(top_p))
            if min_p > 0.0:
                steps.append(MinPLogitsWarper(min_p))
            left = steps(seen, logits.clone())
            cases.append(
                {
                    "logits": logits[0].tolist(),
                    "seen": seen[0].tolist(),
                    "temperature": temperature,
                    "top_k": top_k,
                    "top_p": top_p,
                    "min_p": min_p,
                    "repetition_penalty": penalty,
                    "probabilities": left[0].double().softmax(0).tolist(),
                }
            )
    return cases


def main():
    torch.set_num_threads(1)
    rng = torch.Generator().manual_seed(11)
    made_with = {"transformers": transformers.__version__, "torch": torch.__version__}
    names = ["llama", "qwen2_window", "olmo2"]
    models = [greedy(name, rng) for name in names]
    for name, content in [
        ("greedy.json", {"made_with": made_with, "models": models}),
        ("filters.json", {"made_with": made_with, "cases": filtered(rng)}),
    ]:
        (HERE / name).write_text(json.dumps(content) + "\n")


main()
