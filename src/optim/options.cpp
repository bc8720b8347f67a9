#include "optim/options.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "optim/method.h"

namespace hone::optim {

using namespace config;

namespace {

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const Method& method : methods()) names.push_back(method.name);
  return names;
}

std::string methods_help() {
  std::string text = "Optimizer.";
  for (const Method& method : methods()) text += " " + method.name + ": " + method.help + ".";
  return text;
}

bool reads(const Method& method, const std::string& key) {
  return std::find(method.reads.begin(), method.reads.end(), key) != method.reads.end();
}

/// The optimizers that read a key; empty for a key that all of them read.
std::vector<std::string> readers_of(const std::string& key) {
  std::vector<std::string> names;
  for (const Method& method : methods())
    if (reads(method, key)) names.push_back(method.name);
  return names;
}

void check_read(const OptimOptions& options, Problems& problems) {
  const Table<OptimOptions>& table = OptimOptions::table();
  for (std::size_t i = 0; i < table.access().size(); ++i) {
    const Field& field = table.schema().fields[i];
    const std::vector<std::string> readers = readers_of(field.key);
    if (readers.empty() || reads(method_named(options.name), field.key)) continue;
    if (table.access()[i].get(options) != field.default_value)
      problems.add(field.key, fmt::format("{} does not read it; leave it out, or take one of {}",
                                          options.name, fmt::join(readers, ", ")));
  }
}

void check_nesterov(const OptimOptions& options, Problems& problems) {
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0))
    problems.add("nesterov", "needs a momentum above 0 and no dampening");
}

void check_adafactor(const OptimOptions& options, Problems& problems) {
  if (options.adafactor_warmup_init && !options.adafactor_relative_step)
    problems.add("adafactor_warmup_init", "needs adafactor_relative_step: true");
}

void check_warmup(const ScheduleOptions& options, Problems& problems) {
  const bool both = options.warmup_steps > 0 && options.warmup_ratio > 0;
  if (both) problems.add("warmup_ratio", "warmup_steps is set as well; keep one");
  if (options.lr_scheduler_type == "constant" &&
      (options.warmup_steps > 0 || options.warmup_ratio > 0))
    problems.add("lr_scheduler_type",
                 "constant has no warm-up, but one is asked for; expected constant_with_warmup");
}

}  // namespace

const Table<OptimOptions>& OptimOptions::table() {
  static const std::string help = methods_help();
  static const Table<OptimOptions> table(
      "optim", "How trained parameters are updated.",
      {field("name", &OptimOptions::name, "adamw", choices(method_names()), std::string_view(help)),
       field("learning_rate", &OptimOptions::learning_rate, 2e-4, at_least(0), at_most(1),
             "Learning rate after the warm-up. Usual: LoRA 1e-4 to 2e-4, full fine-tuning 1e-5 to "
             "2e-5."),
       field("weight_decay", &OptimOptions::weight_decay, 0.0, at_least(0), below(1),
             "Share of each weight that decays per unit of learning rate (adam, adagrad, rmsprop "
             "and sgd add it to the gradient, as torch does); norms and biases keep theirs."),
       field("adam_beta1", &OptimOptions::adam_beta1, 0.9, at_least(0), below(1),
             "Memory of the gradient's mean."),
       field("adam_beta2", &OptimOptions::adam_beta2, 0.999, at_least(0), below(1),
             "Memory of the gradient's square; in Lion, of the momentum."),
       field("adam_epsilon", &OptimOptions::adam_epsilon, 1e-8, above(0),
             "Added to the square root of the second moment."),
       field("amsgrad", &OptimOptions::amsgrad, false,
             "Divide by the largest second moment so far."),
       field("momentum", &OptimOptions::momentum, 0.0, at_least(0), below(1),
             "Memory of the updates; 0: none."),
       field("dampening", &OptimOptions::dampening, 0.0, at_least(0), at_most(1),
             "Share of the gradient that does not enter the momentum."),
       field("nesterov", &OptimOptions::nesterov, false, "Look one step ahead."),
       field("adagrad_lr_decay", &OptimOptions::adagrad_lr_decay, 0.0, at_least(0),
             "The rate is divided by 1 + steps done times this."),
       field("adagrad_epsilon", &OptimOptions::adagrad_epsilon, 1e-10, at_least(0),
             "Added to the square root of the sum of squares."),
       field("rmsprop_alpha", &OptimOptions::rmsprop_alpha, 0.99, at_least(0), below(1),
             "Memory of the gradient's square."),
       field("rmsprop_epsilon", &OptimOptions::rmsprop_epsilon, 1e-8, above(0),
             "Added to the gradient's running size."),
       field("rmsprop_centered", &OptimOptions::rmsprop_centered, false,
             "Divide by the deviation instead of the size."),
       field("adafactor_scale_parameter", &OptimOptions::adafactor_scale_parameter, false,
             "The rate is relative to the size of the weights."),
       field("adafactor_relative_step", &OptimOptions::adafactor_relative_step, false,
             "The rate is 1 / sqrt(step), at most 0.01, instead of learning_rate and schedule."),
       field("adafactor_warmup_init", &OptimOptions::adafactor_warmup_init, false,
             "That rate rises from 0 by 1e-6 a step."),
       field("adafactor_clip_threshold", &OptimOptions::adafactor_clip_threshold, 1.0, above(0),
             "Largest root mean square of an update before the rate."),
       field("adafactor_decay_rate", &OptimOptions::adafactor_decay_rate, -0.8, at_most(0),
             "The second moment forgets as step to this power."),
       field("adafactor_beta1", &OptimOptions::adafactor_beta1, std::nullopt, at_least(0), below(1),
             "Memory of the updates; null: none."),
       field("adafactor_eps1", &OptimOptions::adafactor_eps1, std::nullopt, above(0),
             "Keeps squares above 0; null: 1e-30, in torch's form the resolution of fp32."),
       field("adafactor_eps2", &OptimOptions::adafactor_eps2, 1e-3, above(0),
             "Size that small weights count as, where the rate is relative."),
       field("muon_momentum", &OptimOptions::muon_momentum, 0.95, at_least(0), below(1),
             "Memory of the gradients of matrices."),
       field("muon_nesterov", &OptimOptions::muon_nesterov, true, "Look one step ahead."),
       field("muon_ns_steps", &OptimOptions::muon_ns_steps, 5, range(1, 99),
             "Newton-Schulz turns of the orthogonalisation."),
       field("muon_adjust_lr_fn", &OptimOptions::muon_adjust_lr_fn, "original",
             choices({"original", "match_rms_adamw"}),
             "original: a tall matrix moves by sqrt(rows / columns) more. match_rms_adamw: every "
             "matrix moves as far as under AdamW, so that AdamW's learning rates hold."),
       field("min_8bit_size", &OptimOptions::min_8bit_size, 4096, at_least(0), unit("elements"),
             "Smaller tensors keep 32-bit moments."),
       field("galore_rank", &OptimOptions::galore_rank, 128, at_least(1),
             "Dimensions that a matrix's gradient is projected to; smaller matrices are not."),
       field("galore_update_proj_gap", &OptimOptions::galore_update_proj_gap, 200, at_least(1),
             unit("optimizer steps"), "How often the projection is made anew."),
       field("galore_scale", &OptimOptions::galore_scale, 0.25, above(0),
             "The rate of projected updates is multiplied by this."),
       check<OptimOptions>("Only keys that the optimizer reads are set.", check_read),
       check<OptimOptions>("nesterov goes with momentum and without dampening.", check_nesterov),
       check<OptimOptions>("adafactor_warmup_init goes with adafactor_relative_step.",
                           check_adafactor)});
  return table;
}

const Table<ScheduleOptions>& ScheduleOptions::table() {
  static const Table<ScheduleOptions> table(
      "schedule", "How the learning rate goes over the run, counted as transformers does.",
      {field("lr_scheduler_type", &ScheduleOptions::lr_scheduler_type, "linear",
             choices({"linear", "cosine", "constant", "constant_with_warmup"}),
             "After the warm-up: linear to 0, half a cosine to 0, or constant. As in transformers, "
             "constant alone has no warm-up."),
       field("warmup_steps", &ScheduleOptions::warmup_steps, 0, at_least(0),
             unit("optimizer steps"),
             "Steps over which the rate rises from 0; the first of them runs at rate 0."),
       field("warmup_ratio", &ScheduleOptions::warmup_ratio, 0.0, at_least(0), at_most(1),
             "The warm-up as a share of all steps, rounded up."),
       check<ScheduleOptions>("Only one of warmup_steps and warmup_ratio is set, and neither for "
                              "constant.",
                              check_warmup)});
  return table;
}

}  // namespace hone::optim
