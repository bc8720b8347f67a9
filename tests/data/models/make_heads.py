"""Makes the tiny models with heads that score below tests/data/models, with transformers.

    python tests/data/models/make_heads.py

`llama_classifier` has four outputs, read at a row's last token; `qwen2_token_value` one for every
token, with a bias. Each is a folder: config.json and model.safetensors (random weights) and
io.safetensors (two rows of tokens with padding, what the model says of them), in fp32 on one thread.
"""

import pathlib

import torch
import transformers
from safetensors.torch import save_file

SIZES = dict(vocab_size=64, hidden_size=24, intermediate_size=40, num_hidden_layers=2,
             num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=128,
             attention_dropout=0.0, bos_token_id=1, eos_token_id=2, pad_token_id=0)
MODELS = {
    "llama_classifier": ("LlamaConfig", "LlamaForSequenceClassification",
                         dict(head_dim=8, num_labels=4)),
    "qwen2_token_value": ("Qwen2Config", "Qwen2ForTokenClassification", dict(num_labels=1)),
}


def make(name, config_class, model_class, extra):
    torch.manual_seed(len(name))
    torch.set_num_threads(1)
    config = getattr(transformers, config_class)(**SIZES, **extra)
    config._attn_implementation = "eager"
    model = getattr(transformers, model_class)(config).float().eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.normal_(1.0 if key.endswith("norm.weight") else 0.0, 0.25)
    folder = pathlib.Path(__file__).parent / name
    model.save_pretrained(folder)
    rows, length = [24, 9], 24
    ids = torch.zeros(2, length, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    scores = []
    for r, n in enumerate(rows):
        row = torch.randint(3, config.vocab_size, (1, n))
        ids[r, :n], mask[r, :n] = row[0], 1
        with torch.no_grad():
            logits = model(row, use_cache=False).logits[0]
        scores.append(logits.reshape(-1, config.num_labels))
    save_file(dict(input_ids=ids, attention_mask=mask, scores=torch.cat(scores)),
              folder / "io.safetensors")


for wanted in MODELS:
    make(wanted, *MODELS[wanted])
