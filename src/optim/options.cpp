#include "optim/options.h"

namespace hone::optim {

using namespace config;

namespace {

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
  static const Table<OptimOptions> table(
      "optim", "How trained parameters are updated.",
      {field("name", &OptimOptions::name, "adamw", choices({"adamw"}),
             "Optimizer. adamw: Adam with decoupled weight decay, in fp32 (arXiv:1711.05101)."),
       field("learning_rate", &OptimOptions::learning_rate, 2e-4, at_least(0), at_most(1),
             "Learning rate after the warm-up. Usual: LoRA 1e-4 to 2e-4, full fine-tuning 1e-5 to "
             "2e-5."),
       field("weight_decay", &OptimOptions::weight_decay, 0.0, at_least(0), below(1),
             "Share of each weight that decays per unit of learning rate; norms and biases keep "
             "theirs."),
       field("adam_beta1", &OptimOptions::adam_beta1, 0.9, at_least(0), below(1),
             "Memory of the gradient's mean."),
       field("adam_beta2", &OptimOptions::adam_beta2, 0.999, at_least(0), below(1),
             "Memory of the gradient's square."),
       field("adam_epsilon", &OptimOptions::adam_epsilon, 1e-8, above(0),
             "Added to the square root of the second moment.")});
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
