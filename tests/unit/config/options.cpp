#include "options.h"

namespace hone::config::test {

const Table<ScalingOptions>& ScalingOptions::table() {
  static const Table<ScalingOptions> table(
      "rope_scaling", "How positions are stretched.",
      {
          field("type", &ScalingOptions::type, "none", choices({"none", "linear", "dynamic"}),
                "Kind of scaling."),
          field("factor", &ScalingOptions::factor, 1.0, at_least(1), "By how much."),
      });
  return table;
}

const Table<ModelOptions>& ModelOptions::table() {
  static const Table<ModelOptions> table(
      "model", "What is trained.",
      {
          field("base", &ModelOptions::base, kRequired, "Folder or name of the base model."),
          field("revision", &ModelOptions::revision, std::nullopt, "Commit of the base model."),
          field("num_labels", &ModelOptions::num_labels, std::nullopt, at_least(1),
                "Outputs of the head."),
          section(&ModelOptions::rope_scaling),
      });
  return table;
}

const Table<SourceOptions>& SourceOptions::table() {
  static const Table<SourceOptions> table(
      "source", "One source.",
      {
          field("name", &SourceOptions::name, kRequired, "What it is called."),
          field("weight", &SourceOptions::weight, 1.0, above(0), "How much of it."),
          field("max_rows", &SourceOptions::max_rows, std::nullopt, at_least(1), "Cap."),
          field("files", &SourceOptions::files, {}, kScalarOrList, kExistingPath, "Its files."),
          check<SourceOptions>("a weight above 1 needs a cap.",
                               [](const SourceOptions& source, Problems& problems) {
                                 if (source.weight > 1 && !source.max_rows)
                                   problems.add("weight", "is above 1 and max_rows is not set");
                               }),
      });
  return table;
}

const Table<DataOptions>& DataOptions::table() {
  static const Table<DataOptions> table(
      "data", "What it is trained on.",
      {
          field("train", &DataOptions::train, {}, kScalarOrList, kExistingPath, "Training files."),
          records("sources", &DataOptions::sources, "Where rows come from."),
          field("columns", &DataOptions::columns, {"text"}, choices({"text", "label", "weight"}),
                "Columns that are read."),
          field("template_file", &DataOptions::template_file, std::nullopt, kExistingPath,
                "A chat template."),
          field("shares", &DataOptions::shares, {0.9, 0.1}, range(0, 1), "Parts of a split."),
          field("mix", &DataOptions::mix, {}, above(0), "Weight by file."),
          field("names", &DataOptions::names, {}, "Columns by key."),
          field("shuffle", &DataOptions::shuffle, true, "Whether rows change their order."),
      });
  return table;
}

const Table<OptimOptions>& OptimOptions::table() {
  static const Table<OptimOptions> table(
      "optim", "How trained parameters are updated.",
      {
          field("name", &OptimOptions::name, "adamw", choices({"adamw", "sgd", "lion"}),
                "Optimizer."),
          field("learning_rate", &OptimOptions::learning_rate, 2e-4, above(0), at_most(1),
                "Learning rate after warm-up."),
          field("weight_decay", &OptimOptions::weight_decay, 0.0, at_least(0), "Decay."),
          field("max_grad_norm", &OptimOptions::max_grad_norm, 1.0, above(0),
                "Clipping; null for none."),
          field("fused", &OptimOptions::fused, std::nullopt, "One kernel for the update."),
          field("warmup_steps", &OptimOptions::warmup_steps, 0, at_least(0), unit("steps"),
                "Steps of warm-up."),
          field("warmup_ratio", &OptimOptions::warmup_ratio, 0.0, range(0, 1), "Share of warm-up."),
          check<OptimOptions>("warmup_steps and warmup_ratio are not both set.",
                              [](const OptimOptions& options, Problems& problems) {
                                if (options.warmup_steps > 0 && problems.given("warmup_ratio"))
                                  problems.add("warmup_ratio",
                                               "warmup_steps is set as well; keep one of them");
                              }),
      });
  return table;
}

const Table<RunOptions>& RunOptions::table() {
  static const Table<RunOptions> table(
      "", "A run.",
      {
          field("seed", &RunOptions::seed, 42, "Of every random choice."),
          section(&RunOptions::model),
          section(&RunOptions::data),
          section(&RunOptions::optim),
          check<RunOptions>("sgd wants a seed other than 13.",
                            [](const RunOptions& options, Problems& problems) {
                              if (options.optim.name == "sgd" && options.seed == 13)
                                problems.add("optim.name", "sgd cannot go with seed 13");
                            }),
      });
  return table;
}

}  // namespace hone::config::test
