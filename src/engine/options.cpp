#include "engine/options.h"

namespace hone::engine {

using namespace config;

const Table<ModelOptions>& ModelOptions::table() {
  static const Table<ModelOptions> table(
      "model", "The model that is fine-tuned.",
      {field("base", &ModelOptions::base, kRequired,
             "A Hugging Face folder, a .gguf file, or a name that tools/setup installed "
             "(smollm2-135m-instruct)."),
       field("dtype", &ModelOptions::dtype, "auto", choices({"auto", "fp32", "bf16"}),
             "What frozen weights are kept in; auto follows train.precision. Weights that are "
             "trained "
             "are fp32 masters always.")});
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

const Table<EvalOptions>& EvalOptions::table() {
  static const Table<EvalOptions> table(
      "eval", "How data.eval is measured.",
      {field("eval_steps", &EvalOptions::eval_steps, 0, at_least(0), unit("optimizer steps"),
             "Measure eval_loss every so many steps, and at the end; 0: at the end only."),
       field("tokens_per_device_batch", &EvalOptions::tokens_per_device_batch, 4096, at_least(1),
             unit("tokens"), "Batches of the evaluation are filled up to this."),
       field(
           "exact_match", &EvalOptions::exact_match, false,
           "hone eval also lets the model answer the last turn of every row, greedily, and counts "
           "the answers that are the row's own to the letter."),
       field("max_new_tokens", &EvalOptions::max_new_tokens, 256, at_least(1), unit("tokens"),
             "Length at which such an answer is cut."),
       field("generation_batch_size", &EvalOptions::generation_batch_size, 64, at_least(1),
             unit("rows"), "How many rows are answered together.")});
  return table;
}

const Table<RunOptions>& RunOptions::table() {
  static const Table<RunOptions> table(
      "", "A hone config.",
      {section(&RunOptions::model), section(&RunOptions::adapter), section(&RunOptions::data),
       section(&RunOptions::train), section(&RunOptions::optim), section(&RunOptions::schedule),
       section(&RunOptions::eval), section(&RunOptions::checkpoint), section(&RunOptions::report)});
  return table;
}

}  // namespace hone::engine
