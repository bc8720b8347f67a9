"""Makes the tiny models below tests/data/models that golden does not hold, with transformers.

    python tests/data/models/make_models.py [NAME ...]

Each is a folder: config.json and model.safetensors (random weights), io.safetensors (two rows of
tokens with padding, labels, logits, loss) and grads.safetensors, in fp32 on one thread. Families
and options are chosen for what the golden set lacks: a head size that is not hidden_size / heads,
other ratios of grouped queries, every rope scaling, biases, multipliers, layers without rope.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

SIZES = dict(vocab_size=64, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
             num_attention_heads=6, num_key_value_heads=2, head_dim=8,
             max_position_embeddings=128, attention_dropout=0.0, tie_word_embeddings=False,
             bos_token_id=1, eos_token_id=2, pad_token_id=0)
LONG = dict(short_factor=[1.0, 1.1, 1.3, 1.7], long_factor=[1.5, 2.0, 4.0, 7.0])
MODELS = {
    "olmo2": ("Olmo2", dict(rms_norm_eps=1e-5)),
    "granite": ("Granite", dict(embedding_multiplier=3.0, residual_multiplier=0.22,
                                attention_multiplier=0.2, logits_scaling=4.0,
                                tie_word_embeddings=True, num_key_value_heads=3)),
    "smollm3": ("SmolLM3", dict(num_hidden_layers=4, no_rope_layer_interval=2,
                                tie_word_embeddings=True)),
    "llama_linear": ("Llama", dict(num_key_value_heads=1, rope_parameters=dict(
        rope_type="linear", factor=3.0, rope_theta=1000.0))),
    "llama_dynamic": ("Llama", dict(max_position_embeddings=10, rope_parameters=dict(
        rope_type="dynamic", factor=2.0, rope_theta=1000.0))),
    "llama_yarn": ("Llama", dict(num_key_value_heads=6, rope_parameters=dict(
        rope_type="yarn", factor=8.0, rope_theta=1000.0, original_max_position_embeddings=16))),
    "qwen3_yarn": ("Qwen3", dict(rope_parameters=dict(
        rope_type="yarn", factor=4.0, rope_theta=5000.0, beta_fast=8.0, beta_slow=2.0,
        mscale=0.7, mscale_all_dim=1.3, original_max_position_embeddings=32))),
    "phi3_longrope": ("Phi3", dict(head_dim=None, hidden_size=48, original_max_position_embeddings=16, rope_parameters=dict(
        rope_type="longrope", rope_theta=1000.0, original_max_position_embeddings=16, **LONG))),
    "phi3_partial": ("Phi3", dict(head_dim=None, hidden_size=48, num_attention_heads=4,
                                  num_key_value_heads=1, sliding_window=7, rope_parameters=dict(
                                      rope_type="default", rope_theta=1000.0,
                                      partial_rotary_factor=0.5))),
    "qwen2_window": ("Qwen2", dict(num_hidden_layers=3, use_sliding_window=True, sliding_window=5,
                                   max_window_layers=1, head_dim=None, hidden_size=48)),
}


def make(name, family, extra):
    torch.manual_seed(len(name))
    torch.set_num_threads(1)
    options = {key: value for key, value in {**SIZES, **extra}.items() if value is not None}
    config = getattr(transformers, family + "Config")(**options)
    config._attn_implementation = "eager"
    model = getattr(transformers, family + "ForCausalLM")(config).float().eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.normal_(1.0 if key.endswith("norm.weight") else 0.0, 0.25)
    folder = pathlib.Path(__file__).parent / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)

    # One row at a time: a row's rope must not depend on how long the other is.
    rows, length = [24, 9], 24
    ids = torch.zeros(2, length, dtype=torch.int64)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    logits = torch.zeros(2, length, config.vocab_size)
    total, losses = 0, []
    for r, n in enumerate(rows):
        row = torch.randint(3, config.vocab_size, (1, n))
        ids[r, :n], mask[r, :n], labels[r, 3:n] = row[0], 1, row[0, 3:]
        out = model(row, use_cache=False).logits
        logits[r, :n] = out[0].detach()
        losses.append(torch.nn.functional.cross_entropy(
            out[0, 2:n - 1], row[0, 3:], reduction="sum"))
        total += n - 3
    loss = sum(losses) / total
    loss.backward()
    stored = load_file(folder / "model.safetensors")
    grads = {key: weight.grad for key, weight in model.named_parameters() if key in stored}
    assert set(grads) == set(stored), name
    save_file(grads, folder / "grads.safetensors")
    save_file(dict(input_ids=ids, attention_mask=mask, labels=labels, logits=logits,
                   loss=loss.detach()), folder / "io.safetensors")
    (folder / "info.json").write_text(json.dumps(dict(
        made_with=dict(torch=torch.__version__, transformers=transformers.__version__),
        loss="mean next-token cross-entropy over labels that are not -100",
        loss_value=loss.item()), indent=1) + "\n")


for wanted in sys.argv[1:] or MODELS:
    make(wanted, *MODELS[wanted])
