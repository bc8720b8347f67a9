"""Makes those folders of tests/data/adapters that the golden set lacks, with PEFT.

    python3 tests/data/adapters/make_methods.py [NAME ...]

Each is what save_pretrained wrote of an adapter with random weights, beside what that computes on
the batch of _base_llama/io.safetensors: io.safetensors (logits, loss, and merged_logits where PEFT
merges it), grads.safetensors (names as in the adapter's file; those of an encoder behind
`prompt_encoder.`) and info.json. fp32 on one thread.

  _base_mixtral, _base_qwen3_moe   tiny random models with experts (the second has a dense layer)
  experts_*          LoRA on stacked weights of experts: both of a layer, one of them, and what PEFT
                     makes of target_modules that name the experts' layers
  boft_butterfly     BOFT with three factors. PEFT multiplies more than one with a CUDA extension
                     alone; here torch.block_diag stands in for it, the rest is PEFT's code
  oft_coft, oft_coft_shared   OFT whose rotations are held near the identity; some are outside
  p_tuning_lstm, prefix_projection   with encoder.safetensors, the network that made the tokens

Versions: torch 2.11.0, transformers 5.23.0, peft 0.21.2.
"""
import json
import pathlib
import shutil
import sys

import peft
import torch
import transformers
from peft.tuners.boft import layer as boft_layer
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).resolve().parent
SIZES = dict(vocab_size=320, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, head_dim=8, num_experts_per_tok=2, max_position_embeddings=64,
             tie_word_embeddings=True, bos_token_id=1, eos_token_id=2, pad_token_id=0)
BASES = {
    "_base_mixtral": transformers.MixtralConfig(
        **SIZES, intermediate_size=24, num_local_experts=4),
    "_base_qwen3_moe": transformers.Qwen3MoeConfig(
        **SIZES, intermediate_size=40, moe_intermediate_size=20, num_experts=6,
        norm_topk_prob=True, mlp_only_layers=[0]),
}
CAUSAL = dict(task_type="CAUSAL_LM")
ADAPTERS = {
    "experts_both": ("_base_mixtral", peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj"], rank_pattern={"down_proj": 3},
        target_parameters=["mlp.experts.gate_up_proj", "mlp.experts.down_proj"], **CAUSAL)),
    "experts_down": ("_base_qwen3_moe", peft.LoraConfig(
        r=4, lora_alpha=6, use_rslora=True, target_modules=[],
        target_parameters=["experts.down_proj"], **CAUSAL)),
    "experts_renamed": ("_base_mixtral", peft.LoraConfig(
        r=3, lora_alpha=6, target_modules=["v_proj", "w1", "w2", "w3"], **CAUSAL)),
    "boft_butterfly": ("_base_llama", peft.BOFTConfig(
        boft_block_size=4, boft_n_butterfly_factor=3,
        target_modules=["q_proj", "down_proj"], **CAUSAL)),
    "oft_coft": ("_base_llama", peft.OFTConfig(
        oft_block_size=8, coft=True, eps=0.8, use_cayley_neumann=False,
        target_modules=["q_proj", "up_proj"], **CAUSAL)),
    "oft_coft_shared": ("_base_llama", peft.OFTConfig(
        oft_block_size=16, coft=True, eps=0.5, block_share=True,
        target_modules=["v_proj", "down_proj"], **CAUSAL)),
    "p_tuning_lstm": ("_base_llama", peft.PromptEncoderConfig(
        num_virtual_tokens=5, encoder_reparameterization_type="LSTM", encoder_hidden_size=6,
        encoder_num_layers=2, **CAUSAL)),
    "prefix_projection": ("_base_llama", peft.PrefixTuningConfig(
        num_virtual_tokens=3, prefix_projection=True, encoder_hidden_size=12, **CAUSAL)),
}
ENCODED = ("p_tuning_lstm", "prefix_projection")


class BlockDiagonal:
    """What PEFT's extension computes: [N, D, H, H] blocks to [N, D H, D H] matrices."""

    @staticmethod
    def apply(blocks):
        return torch.stack([torch.block_diag(*factor) for factor in blocks])


def make_base(name):
    torch.manual_seed(len(name))
    model = transformers.AutoModelForCausalLM.from_config(BASES[name]).float().eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.normal_(1.0 if key.endswith("norm.weight") else 0.0, 0.25)
    model.save_pretrained(HERE / name)
    (HERE / name / "generation_config.json").unlink(missing_ok=True)


def load_base(name):
    return transformers.AutoModelForCausalLM.from_pretrained(HERE / name, dtype=torch.float32).eval()


def randomise(model):
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not weight.requires_grad:
                continue
            around = 1.0 if "boft_s" in name else 0.0
            weight.normal_(around, 0.2)
            if "oft_R" in name and "boft" not in name:
                # From well inside of coft's limit to well outside.
                weight.mul_(torch.linspace(0.05, 1.0, weight.shape[0])[:, None])


def as_in_file(name):
    name = name.replace(".default", "")
    return name if name.startswith(("base_model.", "prompt_encoder.")) else "base_model." + name


def run(model, batch):
    return model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                 labels=batch["labels"])


def make(name, base, config):
    torch.manual_seed(len(name))
    torch.set_num_threads(1)
    boft_layer.get_fbd_cuda = lambda: name == "boft_butterfly"
    boft_layer.FastBlockDiag = BlockDiagonal
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    model = peft.get_peft_model(load_base(base), config).eval()
    randomise(model)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    trained = {as_in_file(k): p for k, p in model.named_parameters() if p.requires_grad}
    if name in ENCODED:
        save_file({k: p.detach().clone() for k, p in trained.items()}, folder / "encoder.safetensors")
    batch = load_file(HERE / "_base_llama/io.safetensors")
    out = run(model, batch)
    out.loss.backward()
    save_file({k: p.grad for k, p in trained.items()}, folder / "grads.safetensors")
    tensors = {"logits": out.logits.detach().contiguous(), "loss": out.loss.detach()}
    if name not in ENCODED:
        tensors["merged_logits"] = run(model.merge_and_unload(), batch).logits.detach().contiguous()
        print(name, "merged", (tensors["merged_logits"] - tensors["logits"]).abs().max().item())
    save_file(tensors, folder / "io.safetensors")
    before = out.logits.shape[1] - batch["input_ids"].shape[1]
    (folder / "info.json").write_text(json.dumps({
        "base": base, "loss": out.loss.item(), "lm_loss": out.loss.item(),
        "virtual_tokens_prepended_to_logits": before}, indent=1) + "\n")
    print(name, out.loss.item(), sorted(load_file(folder / "adapter_model.safetensors"))[:3])


wanted = sys.argv[1:] or [*BASES, *ADAPTERS]
for one in wanted:
    if one in BASES:
        make_base(one)
    else:
        make(one, *ADAPTERS[one])
