#include "engine/options.h"

#include <fmt/format.h>

#include "engine/methods.h"

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

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Method& method : methods()) names.emplace_back(method.name);
  return names;
}

std::string method_help() {
  std::string help = "How the model learns.";
  for (const Method& method : methods()) help += fmt::format(" {}: {}.", method.name, method.help);
  return help;
}

void check_smoothing(const TrainOptions& options, Problems& problems) {
  if (options.label_smoothing_factor > 0 && options.loss_type != "nll")
    problems.add("label_smoothing_factor", "has an effect with train.loss_type: nll only");
  if (options.method == "sft") return;
  for (const char* key : {"label_smoothing_factor", "z_loss"})
    if (problems.given(key)) problems.add(key, "has an effect with train.method: sft only");
}

void check_recomputation(const TrainOptions& options, Problems& problems) {
  const std::string& layers = options.gradient_checkpointing;
  if (problems.given("gradient_checkpointing_interval") && layers != "every_kth")
    problems.add("gradient_checkpointing_interval",
                 "has an effect with gradient_checkpointing: every_kth only");
  if (problems.given("activation_budget_mb") && layers != "budget")
    problems.add("activation_budget_mb", "has an effect with gradient_checkpointing: budget only");
  if (options.activation_offload && layers == "none")
    problems.add("activation_offload",
                 "moves what gradient_checkpointing keeps, which is none; take every_layer");
  if (layers == "budget" && options.activation_budget_mb == 0)
    problems.add("activation_budget_mb", "is 0; gradient_checkpointing: budget needs it");
}

void check_base_is_frozen(const RunOptions& options, Problems& problems) {
  if (options.model.quantization != "none" && !options.adapter.trains_adapter())
    problems.add("model.quantization",
                 "a quantised weight cannot be trained; add adapter.method: lora (QLoRA), or leave "
                 "the model as it is");
}

void check_beginning(const RunOptions& options, Problems& problems) {
  const adapters::AdapterOptions& adapter = options.adapter;
  const bool four_bit = options.model.quantization == "nf4" || options.model.quantization == "fp4";
  if (adapter.init_lora_weights == "loftq" && adapter.init_from.empty() && !four_bit)
    problems.add("adapter.init_lora_weights",
                 "loftq makes good what 4-bit packing loses; add model.quantization: nf4");
  if (adapter.relora_steps > 0 && options.train.method == "dpo" && options.dpo.sync_ref_model)
    problems.add("dpo.sync_ref_model",
                 "the reference cannot follow an update that is merged and begins again; leave out "
                 "adapter.relora_steps");
}

void check_masters(const RunOptions& options, Problems& problems) {
  if (options.train.precision == "pure_bf16" && options.adapter.trains_adapter())
    problems.add(
        "train.precision",
        "pure_bf16 leaves out the fp32 masters of the model's weights, and adapter.method: " +
            options.adapter.method + " trains none of them; take bf16");
}

/// What a step needs that is known only once all gradients are there.
void check_step_in_backward(const RunOptions& options, Problems& problems) {
  if (!options.optim.step_in_backward) return;
  const auto refuse = [&](bool is_set, const char* key, const char* reason) {
    if (is_set)
      problems.add(key, std::string(reason) +
                            "; optim.step_in_backward has used a gradient, and "
                            "let it go, before the next one is there");
  };
  const TrainOptions& train = options.train;
  refuse(train.gradient_accumulation_steps != 1, "train.gradient_accumulation_steps",
         "has to be 1: gradients of several micro-batches are added up first");
  refuse(train.max_grad_norm > 0, "train.max_grad_norm",
         "has to be 0: the joint norm is known after the last gradient (train.max_grad_value can "
         "be used)");
  const bool follows_dtype = train.precision == "auto" && options.model.dtype == "fp16";
  refuse(train.precision == "fp16" || follows_dtype, "train.precision",
         "cannot be fp16: whether a gradient overflows is known after the last one; take bf16");
  refuse(options.guard.on_non_finite == "skip", "guard.on_non_finite",
         "cannot be skip, but stop or rollback: whether a gradient is no number is known after the "
         "last one");
  refuse(options.guard.on_spike == "skip" || options.guard.on_spike == "stop", "guard.on_spike",
         "can be ignore, report or rollback: whether the gradient's norm leaps is known after the "
         "last gradient");
  refuse(options.report.grad_norm_groups, "report.grad_norm_groups",
         "has to be false: the gradients are gone when they would be measured");
  refuse(options.adapter.trains_adapter(), "adapter.method",
         "has to train the model's weights (full, partial): an adapter's gradients are small");
}

void check_fake_quantization(const RunOptions& options, Problems& problems) {
  if (options.qat.is_on() && options.adapter.lora_dropout > 0)
    problems.add("adapter.lora_dropout",
                 "drops parts of an adapter's input, and qat.format packs the adapter and its base "
                 "as one weight; set it to 0");
  if (options.qat.is_on() && options.adapter.relora_steps > 0)
    problems.add("adapter.relora_steps",
                 "merges into a base that qat.format packs anew in each step; take one of the two");
}

void check_head(const RunOptions& options, Problems& problems) {
  if (options.model.num_labels > 0 && options.train.method != "reward")
    problems.add("model.num_labels",
                 "train.method: " + options.train.method +
                     " trains a language model, which has no head of scores; leave it out, or take "
                     "train.method: reward");
}

void check_rollback(const RunOptions& options, Problems& problems) {
  if (options.guard.rolls_back() && options.checkpoint.save_steps == 0)
    problems.add("checkpoint.save_steps",
                 "is 0, so that a rollback of section guard would go back to the start of the run; "
                 "expected how often to save");
}

void check_evaluations(const RunOptions& options, Problems& problems) {
  const bool measures = !options.data.eval.empty() || !options.eval.suite.empty();
  const bool often = options.eval.eval_steps > 0 || options.eval.eval_epochs > 0;
  const auto wants = [&](const char* key, bool is_set) {
    if (is_set && !(measures && often))
      problems.add(key,
                   "needs evaluations during the run: data.eval or eval.suite, and "
                   "eval.eval_steps or eval.eval_epochs");
  };
  if (options.eval.eval_on_start && options.data.eval.empty())
    problems.add("eval.eval_on_start", "measures data.eval, which names no rows");
  wants("eval.early_stopping_patience", options.eval.early_stopping_patience > 0);
  wants("checkpoint.load_best_model_at_end", options.checkpoint.load_best_model_at_end);
  wants("checkpoint.keep_best", options.checkpoint.keep_best);
}

}  // namespace

const Table<ModelOptions>& ModelOptions::table() {
  static const Table<ModelOptions> table(
      "model", "The model that is fine-tuned.",
      {field("base", &ModelOptions::base, kRequired,
             "A Hugging Face folder, a .gguf file, or a name that tools/setup installed "
             "(smollm2-135m-instruct)."),
       field("dtype", &ModelOptions::dtype, "auto", choices({"auto", "fp32", "bf16", "fp16"}),
             "What frozen weights are kept in; auto follows train.precision. Weights that are "
             "trained "
             "are fp32 masters, but under train.precision: pure_bf16."),
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
       field("num_labels", &ModelOptions::num_labels, 0, at_least(0), unit("outputs"),
             "Of a reward model's head `score`. 0: as many as the model's own head has, and one "
             "where it is a language model, whose head is then replaced by a fresh one that is "
             "trained."),
       check<ModelOptions>("Options of a quantisation are set only where they have an effect.",
                           check_quantization),
       section(&ModelOptions::rope_scaling)});
  return table;
}

const Table<TrainOptions>& TrainOptions::table() {
  static const Table<TrainOptions> table(
      "train", "The run itself.",
      {field("method", &TrainOptions::method, "sft", choices(method_names()),
             std::string_view(method_help())),
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
       field(
           "precision", &TrainOptions::precision, "auto",
           choices({"auto", "fp32", "bf16", "fp16", "pure_bf16"}),
           "What products are computed in. auto: bf16 where the device multiplies it natively, "
           "else fp32. Masters, reductions, norms and the loss are fp32. fp16: the loss is scaled "
           "so that small gradients do not vanish; a step in which they overflow changes nothing "
           "and halves the scale (arXiv:1710.03740). pure_bf16: the model's trained weights and "
           "their gradients are bf16, with no fp32 masters; updates are rounded by chance, so "
           "that small ones count in the mean; moments stay fp32 (arXiv:2010.06192)."),
       field("max_grad_norm", &TrainOptions::max_grad_norm, 1.0, at_least(0),
             "Gradients are scaled down to this joint norm; 0 turns that off."),
       field("max_grad_value", &TrainOptions::max_grad_value, 0.0, at_least(0),
             "Every element of a gradient is then cut to this size; 0 turns that off."),
       field("loss_type", &TrainOptions::loss_type, "nll", choices({"nll", "dft"}),
             "nll: cross-entropy. dft: each token's share is also weighted by its probability, so "
             "that unlikely tokens pull less (arXiv:2508.05629)."),
       field("label_smoothing_factor", &TrainOptions::label_smoothing_factor, 0.0, at_least(0),
             at_most(1),
             "sft with nll: this share of every target is spread evenly over the vocabulary "
             "(arXiv:1512.00567)."),
       field(
           "z_loss", &TrainOptions::z_loss, 0.0, at_least(0),
           "sft: this times the square of each token's log-normaliser is added to its loss, which "
           "keeps logits from drifting; 1e-4 is common (arXiv:2204.02311)."),
       field("neftune_noise_alpha", &TrainOptions::neftune_noise_alpha, 0.0, at_least(0),
             "Noise of up to this over the root of a document's tokens times the hidden size is "
             "added to the embedding in training; 5 is common, 0 is off (arXiv:2310.05914)."),
       check<TrainOptions>("label_smoothing_factor goes with loss_type: nll.", check_smoothing),
       field(
           "gradient_checkpointing", &TrainOptions::gradient_checkpointing, "none",
           choices({"none", "every_layer", "every_kth", "budget"}),
           "Layers that keep only their input for the backward pass and are computed again in it: "
           "less memory, about a third more time, the same numbers. every_kth: one in "
           "gradient_checkpointing_interval. budget: those that save most for their time, until "
           "the layers of the longest micro-batch keep no more than activation_budget_mb "
           "(arXiv:1604.06174)."),
       field("gradient_checkpointing_interval", &TrainOptions::gradient_checkpointing_interval, 2,
             at_least(1), unit("layers"), "The k of every_kth."),
       field("activation_budget_mb", &TrainOptions::activation_budget_mb, 0, at_least(0),
             unit("MB"), "What the layers may keep for the backward pass under budget."),
       field("activation_offload", &TrainOptions::activation_offload, false,
             "The inputs that gradient_checkpointing keeps of its layers go to the host's memory "
             "until the backward pass comes to them: a GPU then holds those of the layers at work "
             "only. The numbers stay the same; on the CPU it only costs copies."),
       field("probe", &TrainOptions::probe, true,
             "Run the longest micro-batch of the run before the first step, without an update, so "
             "that a run that will not fit ends at once. The numbers stay the same."),
       check<TrainOptions>("The options of gradient_checkpointing belong to what it says.",
                           check_recomputation)});
  return table;
}

const Table<RunOptions>& RunOptions::table() {
  static const Table<RunOptions> table(
      "", "A hone config.",
      {section(&RunOptions::model),
       section(&RunOptions::adapter),
       section(&RunOptions::data),
       section(&RunOptions::train),
       section(&RunOptions::dpo),
       section(&RunOptions::kto),
       section(&RunOptions::orpo),
       section(&RunOptions::reward),
       section(&RunOptions::optim),
       section(&RunOptions::schedule),
       section(&RunOptions::eval),
       section(&RunOptions::checkpoint),
       section(&RunOptions::guard),
       section(&RunOptions::distributed),
       section(&RunOptions::report),
       section(&RunOptions::export_),
       section(&RunOptions::qat),
       check<RunOptions>("A rollback has a checkpoint to go back to.", check_rollback),
       check<RunOptions>("What evaluations decide has evaluations during the run.",
                         check_evaluations),
       check<RunOptions>("A quantised model is trained through an adapter.", check_base_is_frozen),
       check<RunOptions>("LoftQ has a packed base, and no reference follows ReLoRA.",
                         check_beginning),
       check<RunOptions>("pure_bf16 trains weights of the model.", check_masters),
       check<RunOptions>("optim.step_in_backward goes without what needs all gradients at once.",
                         check_step_in_backward),
       check<RunOptions>("Fake quantisation packs an adapter with its base.",
                         check_fake_quantization),
       check<RunOptions>("Only reward models have a head of scores.", check_head)});
  return table;
}

}  // namespace hone::engine
