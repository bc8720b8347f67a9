"""How hone's cost grows: with the length of documents, the rank, the size of the model, the tokens of
a micro-batch. Rows are random tokens, models of other sizes have random weights."""
import array
import json
import pathlib
import random
import struct

# The shapes of SmolLM2's three sizes, which are Llama's layout.
SHAPES = {
    "135M": dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30,
                 num_attention_heads=9, num_key_value_heads=3),
    "360M": dict(hidden_size=960, intermediate_size=2560, num_hidden_layers=32,
                 num_attention_heads=15, num_key_value_heads=5),
    "1.7B": dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=24,
                 num_attention_heads=32, num_key_value_heads=32),
}
VOCABULARY = 49152


def tensors_of(shape):
    """Name and shape of every weight."""
    hidden, inner = shape["hidden_size"], shape["intermediate_size"]
    head = hidden // shape["num_attention_heads"]
    keys = head * shape["num_key_value_heads"]
    yield "model.embed_tokens.weight", [VOCABULARY, hidden]
    for layer in range(shape["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", [hidden]
        for name, size in (("q", hidden), ("k", keys), ("v", keys)):
            yield f"{prefix}self_attn.{name}_proj.weight", [size, hidden]
        yield prefix + "self_attn.o_proj.weight", [hidden, hidden]
        yield prefix + "post_attention_layernorm.weight", [hidden]
        for name in ("gate", "up"):
            yield f"{prefix}mlp.{name}_proj.weight", [inner, hidden]
        yield prefix + "mlp.down_proj.weight", [hidden, inner]
    yield "model.norm.weight", [hidden]


def bf16(numbers):
    """The upper halves of fp32 numbers."""
    words = array.array("I", struct.pack(f"{len(numbers)}f", *numbers))
    return array.array("H", (word >> 16 for word in words)).tobytes()


def write_model(folder, name):
    """A Hugging Face folder with weights that repeat a few thousand random numbers."""
    shape = SHAPES[name]
    folder = pathlib.Path(folder)
    if (folder / "config.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(7)
    # A prime length, so that no two rows of a matrix are the same.
    block = bf16([draw.gauss(0, 0.02) for _ in range(65537)])
    ones = bf16([1.0])
    header, offset = {}, 0
    for tensor, sizes in tensors_of(shape):
        size = 2 * sizes[0] * (sizes[1] if len(sizes) > 1 else 1)
        header[tensor] = {"dtype": "BF16", "shape": sizes, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with open(folder / "model.safetensors", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for tensor in header.values():
            left = tensor["data_offsets"][1] - tensor["data_offsets"][0]
            if len(tensor["shape"]) == 1:
                out.write(ones * (left // 2))
                continue
            while left > 0:
                out.write(block[:left])
                left -= min(left, len(block))
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
              "vocab_size": VOCABULARY, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
              "rope_theta": 100000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
              "bos_token_id": 1, "eos_token_id": 2, **shape}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def write_rows(path, length, rows):
    draw = random.Random(length)
    with open(path, "w", encoding="utf-8") as out:
        for _ in range(rows):
            ids = [draw.randrange(100, VOCABULARY) for _ in range(length)]
            out.write(json.dumps({"input_ids": ids, "labels": [-100] * (length // 2)
                                  + ids[length // 2:]}) + "\n")


def config(model, rows, steps, batch, rank=16):
    return {"model": {"base": str(model)},
            "adapter": {"method": "lora", "r": rank, "lora_alpha": 2 * rank},
            "data": {"train": str(rows), "shuffle": False, "cache": "off",
                     "max_trained_share": 1.0},
            "train": {"precision": "bf16", "max_steps": steps,
                      "per_device_train_batch_size": batch, "gradient_accumulation_steps": 1},
            "optim": {"learning_rate": 1e-4}, "checkpoint": {"save_steps": 0}}


def points(name, folder, model, steps):
    """x and hone's config of every point of a sweep. Files that they need are written."""
    folder.mkdir(parents=True, exist_ok=True)

    def rows_of(length, batch):
        path = folder / f"{length}.jsonl"
        write_rows(path, length, batch * steps)
        return path

    if name == "length":  # as many tokens in every step
        return [(length, config(model, rows_of(length, 8192 // length), steps, 8192 // length))
                for length in (128, 256, 512, 1024, 2048, 4096, 8192)]
    if name == "rank":
        rows = rows_of(512, 4)
        return [(rank, config(model, rows, steps, 4, rank)) for rank in (4, 8, 16, 32, 64, 128, 256)]
    if name == "size":
        rows = rows_of(512, 4)
        return [(count, config(write_model(folder / shape, shape), rows, steps, 4))
                for shape, count in (("135M", 134.5e6), ("360M", 361.8e6), ("1.7B", 1711e6))]
    return [(tokens, config(model, rows_of(512, tokens // 512), steps, tokens // 512))
            for tokens in (512, 1024, 2048, 4096, 8192)]


# What is drawn: the key of a run, how much of it is a unit, labels and a title.
PLOTS = {
    "length": ("tokens_per_s", 1, "tokens of a document", "tokens per second",
               "LoRA, 8,192 tokens a step"),
    "rank": ("tokens_per_s", 1, "rank", "tokens per second", "LoRA, 4 documents of 512 tokens"),
    "size": ("tokens_per_s", 1, "weights", "tokens per second",
             "LoRA r 16, 4 documents of 512 tokens"),
    "memory": ("peak_memory_bytes", 2**30, "tokens of a micro-batch", "peak resident GiB",
               "LoRA r 16, documents of 512 tokens"),
}
