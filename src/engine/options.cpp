#include "engine/options.h"

#include <fmt/format.h>

namespace hone::engine {

using namespace config;

namespace {

void check_quantization(const ModelOptions& options, Problems& problems) {
  const std::int64_t size = options.quantization_block_size;
  if ((size & (size - 1)) != 0)
    problems.add("quantization_block_size",
                 fmt::format("is {}; expected a power of two from 32 to 4096", size));
  const bool four_bit = options.quantization == "nf4" || options.quantization == "fp4";
  if (problems.given("double_quantization") && !four_bit)
    problems.add("double_quantization", "has an effect on nf4 and fp4 only");
  if (problems.given("quantization_block_size") && !four_bit &&
      options.quantization != "int8_blockwise")
    problems.add("quantization_block_size", "has an effect on nf4, fp4 and int8_blockwise only");
  if (problems.given("quantization_skip") && options.quantization == "none")
    problems.add("quantization_skip", "has no effect without model.quantization");
}

void check_base_is_frozen(const RunOptions& options, Problems& problems) {
  if (options.model.quantization != "none" && !options.adapter.trains_adapter())
    problems.add("model.quantization",
                 "a quantised weight cannot be trained; add adapter.method: lora (QLoRA), or leave "
                 "the model as it is");
}

}  // namespace

const Table<ModelOptions>& ModelOptions::table() {
  static const Table<ModelOptions> table(
      "model", "The model that is fine-tuned.",
      {field("base", &ModelOptions::base, kRequired,
             "A Hugging Face folder, a .gguf file, or a name that tools/setup installed "
             "(smollm2-135m-instruct)."),
       field("dtype", &ModelOptions::dtype, "auto", choices({"auto", "fp32", "bf16"}),
             "What frozen weights are kept in; auto follows train.precision. Weights that are "
             "trained "
             "are fp32 masters always."),
       field("quantization", &ModelOptions::quantization, "none",
             choices({"none", "nf4", "fp4", "int8", "int8_blockwise"}),
             "What the frozen matrices of the layers are packed to while they are loaded, bit for "
             "bit as bitsandbytes does; products are computed in train.precision. nf4 under lora "
             "is QLoRA (arXiv:2305.14314). Embeddings, head, norms and routers stay as they are."),
       field("quantization_block_size", &ModelOptions::quantization_block_size, 64, at_least(32),
             at_most(4096), unit("weights"), "Weights that share a scale: a power of two."),
       field("double_quantization", &ModelOptions::double_quantization, true,
             "Pack the scales of nf4 and fp4 too, to 8 bits: 4.13 bits a weight, not 4.5."),
       field("quantization_skip", &ModelOptions::quantization_skip, {}, kScalarOrList,
             "Layers that are not packed: the last parts of their names (down_proj), or regular "
             "expressions for whole names."),
       field("add_tokens", &ModelOptions::add_tokens, {}, kScalarOrList,
             "Tokens that are added to the vocabulary, recognised wherever they stand in a text. "
             "Their rows of embedding and head begin as the mean of the others; lora and "
             "trainable_tokens train these rows alone, adapter.modules_to_save: [embed_tokens, "
             "lm_head] all of them. The tokenizer is saved with what was trained."),
       field("add_special_tokens", &ModelOptions::add_special_tokens, {}, kScalarOrList,
             "The same for special tokens: a chat template can make them, a message's text never "
             "becomes one, and decoding leaves them out."),
       check<ModelOptions>("Options of a quantisation are set only where they have an effect.",
                           check_quantization),
       section(&ModelOptions::rope_scaling)});
  return table;
}

const Table<TrainOptions>& TrainOptions::table() {
  static const Table<TrainOptions> table(
      "train", "The run itself.",
      {field("method", &TrainOptions::method, "sft", choices({"sft"}),
             "sft: supervised fine-tuning on conversations."),
       field("output_dir", &TrainOptions::output_dir, "runs/default",
             "The run's folder: resolved config, metrics, checkpoints and the trained adapter."),
       field("overwrite_output_dir", &TrainOptions::overwrite_output_dir, false,
             "Remove what an earlier run left in output_dir. Without it such a run is refused."),
       field("seed", &TrainOptions::seed, 42, at_least(0),
             "Sets the order of rows, the adapter's start and dropout."),
       field("max_steps", &TrainOptions::max_steps, 0, at_least(0), unit("optimizer steps"),
             "Where above 0, the run's length, whatever num_train_epochs says."),
       field("num_train_epochs", &TrainOptions::num_train_epochs, 3.0, above(0), unit("epochs"),
             "How often each row is seen. 1 to 2 for millions of rows, 4 to 10 for thousands."),
       field("per_device_train_batch_size", &TrainOptions::per_device_train_batch_size, 8,
             at_least(1), unit("rows"), "Rows of a micro-batch."),
       field("tokens_per_device_batch", &TrainOptions::tokens_per_device_batch, 0, at_least(0),
             unit("tokens"),
             "Where above 0, micro-batches are filled up to this many tokens instead of counting "
             "rows; nothing is padded."),
       field("gradient_accumulation_steps", &TrainOptions::gradient_accumulation_steps, 1,
             at_least(1), unit("micro-batches"),
             "Micro-batches of an optimizer step; the loss is normalised over all of them."),
       field("precision", &TrainOptions::precision, "auto", choices({"auto", "fp32", "bf16"}),
             "What products are computed in. auto: bf16 where the device multiplies it natively, "
             "else "
             "fp32. Masters, reductions, norms and the loss are fp32 always."),
       field("max_grad_norm", &TrainOptions::max_grad_norm, 1.0, at_least(0),
             "Gradients are scaled down to this joint norm; 0 turns that off."),
       field("max_grad_value", &TrainOptions::max_grad_value, 0.0, at_least(0),
             "Every element of a gradient is then cut to this size; 0 turns that off."),
       field("loss_type", &TrainOptions::loss_type, "nll", choices({"nll", "dft"}),
             "nll: cross-entropy. dft: each token's share is also weighted by its probability, so "
             "that unlikely tokens pull less (arXiv:2508.05629).")});
  return table;
}

const Table<RunOptions>& RunOptions::table() {
  static const Table<RunOptions> table(
      "", "A hone config.",
      {section(&RunOptions::model), section(&RunOptions::adapter), section(&RunOptions::data),
       section(&RunOptions::train), section(&RunOptions::optim), section(&RunOptions::schedule),
       section(&RunOptions::eval), section(&RunOptions::checkpoint), section(&RunOptions::report),
       check<RunOptions>("A quantised model is trained through an adapter.",
                         check_base_is_frozen)});
  return table;
}

}  // namespace hone::engine
