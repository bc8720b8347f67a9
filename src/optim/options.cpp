#include "optim/options.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "optim/method.h"
#include "optim/schedule.h"

namespace hone::optim {

using namespace config;

namespace {

template <class Entry>
std::vector<std::string> names_of(const std::vector<Entry>& table) {
  std::vector<std::string> names;
  for (const Entry& entry : table) names.push_back(entry.name);
  return names;
}

template <class Entry>
std::string help_of(std::string text, const std::vector<Entry>& table) {
  for (const Entry& entry : table) text += " " + entry.name + ": " + entry.help + ".";
  return text;
}

template <class Entry>
bool reads(const Entry& entry, const std::string& key) {
  return std::find(entry.reads.begin(), entry.reads.end(), key) != entry.reads.end();
}

/// Refuses values of keys that belong to other entries of the table than the chosen one.
template <class Options, class Entry>
void check_read(const Options& options, const std::string& chosen, const std::vector<Entry>& table,
                Problems& problems) {
  const Table<Options>& fields = Options::table();
  for (std::size_t i = 0; i < fields.access().size(); ++i) {
    const Field& field = fields.schema().fields[i];
    std::vector<std::string> readers;
    for (const Entry& entry : table)
      if (reads(entry, field.key)) readers.push_back(entry.name);
    const bool read =
        readers.empty() || std::find(readers.begin(), readers.end(), chosen) != readers.end();
    if (!read && fields.access()[i].get(options) != field.default_value)
      problems.add(field.key, fmt::format("{} does not read it; leave it out, or take one of {}",
                                          chosen, fmt::join(readers, ", ")));
  }
}

void check_optim_keys(const OptimOptions& options, Problems& problems) {
  check_read(options, options.name, methods(), problems);
}

void check_schedule_keys(const ScheduleOptions& options, Problems& problems) {
  check_read(options, options.lr_scheduler_type, schedule_shapes(), problems);
}

void check_groups(const OptimOptions& options, Problems& problems) {
  for (const GroupOptions& group : options.groups)
    if (group.learning_rate && options.learning_rate == 0)
      problems.add("learning_rate",
                   "has to be above 0 where a group has a rate of its own; a "
                   "group without learning_rate takes it");
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

void check_minimum(const ScheduleOptions& options, Problems& problems) {
  if (options.min_lr && options.min_lr_rate)
    problems.add("min_lr_rate", "min_lr is set as well; keep one");
  const bool has_minimum = options.lr_scheduler_type == "cosine_with_min_lr" ||
                           options.lr_scheduler_type == "cosine_warmup_with_min_lr";
  if (has_minimum && !options.min_lr && !options.min_lr_rate)
    problems.add("lr_scheduler_type", options.lr_scheduler_type + " needs min_lr or min_lr_rate");
}

void check_decay(const ScheduleOptions& options, Problems& problems) {
  if (options.num_decay_steps > 0 && options.decay_ratio > 0)
    problems.add("decay_ratio", "num_decay_steps is set as well; keep one");
  if (options.lr_scheduler_type == "warmup_stable_decay" && options.num_decay_steps == 0 &&
      options.decay_ratio == 0)
    problems.add("lr_scheduler_type", "warmup_stable_decay needs num_decay_steps or decay_ratio");
}

}  // namespace

const Table<GroupOptions>& GroupOptions::table() {
  static const Table<GroupOptions> table(
      "groups", "Parameters with rates of their own.",
      {field("pattern", &GroupOptions::pattern, kRequired,
             "Regular expression, found anywhere in the parameter's name."),
       field("learning_rate", &GroupOptions::learning_rate, std::nullopt, at_least(0), at_most(1),
             "Learning rate after the warm-up; null: optim.learning_rate."),
       field("weight_decay", &GroupOptions::weight_decay, std::nullopt, at_least(0), below(1),
             "Weight decay, of norms and biases too; null: as without the group.")});
  return table;
}

const Table<OptimOptions>& OptimOptions::table() {
  static const std::string help = help_of("Optimizer.", methods());
  static const Table<OptimOptions> table(
      "optim", "How trained parameters are updated.",
      {field("name", &OptimOptions::name, "adamw", choices(names_of(methods())),
             std::string_view(help)),
       field("learning_rate", &OptimOptions::learning_rate, 2e-4, at_least(0), at_most(1),
             "Learning rate after the warm-up. Usual: LoRA 1e-4 to 2e-4, full fine-tuning 1e-5 to "
             "2e-5."),
       field("weight_decay", &OptimOptions::weight_decay, 0.0, at_least(0), below(1),
             "Share of each weight that decays per unit of learning rate (adam, adagrad, rmsprop "
             "and sgd add it to the gradient, as torch does); norms and biases keep theirs."),
       records("groups", &OptimOptions::groups,
               "Rates of their own for parameters by name; the first that fits counts."),
       field("loraplus_lr_ratio", &OptimOptions::loraplus_lr_ratio, std::nullopt, above(0),
             "LoRA+: the learning rate of B as a multiple of A's; 16 is usual (arXiv:2402.12354)."),
       field("ema_decay", &OptimOptions::ema_decay, 0.0, at_least(0), below(1),
             "Above 0, a running average of the weights is kept, and the run's product is made of "
             "it; per step it keeps this share of itself."),
       field("step_in_backward", &OptimOptions::step_in_backward, false,
             "Update each weight of the model during the backward pass, as soon as its gradient is "
             "complete, and let the gradient go: the memory of the gradients is saved, the numbers "
             "stay. Without accumulation, max_grad_norm, adapters, and a guard that skips."),
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
       check<OptimOptions>("Only keys that the optimizer reads are set.", check_optim_keys),
       check<OptimOptions>("learning_rate is above 0 where groups have one.", check_groups),
       check<OptimOptions>("nesterov goes with momentum and without dampening.", check_nesterov),
       check<OptimOptions>("adafactor_warmup_init goes with adafactor_relative_step.",
                           check_adafactor)});
  return table;
}

const Table<ScheduleOptions>& ScheduleOptions::table() {
  static const std::string help = help_of("The way down after the warm-up.", schedule_shapes());
  static const Table<ScheduleOptions> table(
      "schedule", "How the learning rate goes over the run, counted as transformers does.",
      {field("lr_scheduler_type", &ScheduleOptions::lr_scheduler_type, "linear",
             choices(names_of(schedule_shapes())), std::string_view(help)),
       field("warmup_steps", &ScheduleOptions::warmup_steps, 0, at_least(0),
             unit("optimizer steps"),
             "Steps over which the rate rises from 0; the first of them runs at rate 0."),
       field("warmup_ratio", &ScheduleOptions::warmup_ratio, 0.0, at_least(0), at_most(1),
             "The warm-up as a share of all steps, rounded up."),
       field("num_cycles", &ScheduleOptions::num_cycles, std::nullopt, above(0),
             "Waves of the cosine; null: half a wave, and 1 for cosine_with_restarts."),
       field("min_lr", &ScheduleOptions::min_lr, std::nullopt, at_least(0), at_most(1),
             "Learning rate at the end."),
       field("min_lr_rate", &ScheduleOptions::min_lr_rate, std::nullopt, at_least(0), at_most(1),
             "The same as a share of learning_rate."),
       field("warmup_lr_rate", &ScheduleOptions::warmup_lr_rate, std::nullopt, at_least(0),
             at_most(1),
             "Where the warm-up begins, as a share of learning_rate; null: one step's "
             "share of it."),
       field("lr_end", &ScheduleOptions::lr_end, 1e-7, at_least(0), at_most(1),
             "Learning rate at the end."),
       field("power", &ScheduleOptions::power, 1.0, above(0), "1 is a straight line."),
       field("timescale", &ScheduleOptions::timescale, std::nullopt, at_least(1),
             unit("optimizer steps"),
             "Steps until the root begins to count; null: the warm-up, or 10000 without one."),
       field("num_stable_steps", &ScheduleOptions::num_stable_steps, std::nullopt, at_least(0),
             unit("optimizer steps"), "Steps at the full rate; null: what the others leave."),
       field("num_decay_steps", &ScheduleOptions::num_decay_steps, 0, at_least(0),
             unit("optimizer steps"), "Steps of the way down."),
       field("decay_ratio", &ScheduleOptions::decay_ratio, 0.0, at_least(0), at_most(1),
             "The way down as a share of all steps, rounded up."),
       field("warmup_type", &ScheduleOptions::warmup_type, "linear",
             choices({"linear", "cosine", "1-sqrt"}), "Shape of the warm-up."),
       field("decay_type", &ScheduleOptions::decay_type, "cosine",
             choices({"linear", "cosine", "1-sqrt"}), "Shape of the way down."),
       field("min_lr_ratio", &ScheduleOptions::min_lr_ratio, 0.0, at_least(0), at_most(1),
             "Rate below which neither warm-up nor decay goes, as a share of learning_rate."),
       check<ScheduleOptions>("Only one of warmup_steps and warmup_ratio is set, and neither for "
                              "constant.",
                              check_warmup),
       check<ScheduleOptions>("Only keys that the schedule reads are set.", check_schedule_keys),
       check<ScheduleOptions>("A schedule with a minimum has one of min_lr and min_lr_rate.",
                              check_minimum),
       check<ScheduleOptions>("warmup_stable_decay has one of num_decay_steps and decay_ratio.",
                              check_decay)});
  return table;
}

}  // namespace hone::optim
