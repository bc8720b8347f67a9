#include <fmt/ranges.h>

#include "adapters/budget.h"
#include "cli/model_arguments.h"
#include "engine/text.h"
#include "model/load.h"
#include "model/weights.h"

namespace hone::cli {
namespace {

struct Arguments {
  std::string model;
  std::int64_t max_parameters = 0;
};

constexpr const char* kAdvice =
    "Rank 4 to 64 is usually enough. Feed-forward targets help most, attention targets are\n"
    "cheapest. lora_alpha : r lies between 1 : 8 and 8 : 1; 2 : 1 is a good beginning.\n";

ExitCode run_plan(const Arguments& arguments, const Common& common) {
  const model::Spec spec = model::load_spec(engine::resolve_model(arguments.model));
  const auto rows = adapters::plan_budget(spec, arguments.max_parameters);
  HONE_CHECK(ConfigError, !rows.empty(),
             "--max-parameters: {} are too few for rank 1 of any usual set of targets of {}; "
             "adapter.method ia3 or vera needs fewer",
             arguments.max_parameters, arguments.model);
  const double whole = double(model::parameter_count(spec));
  if (!common.json)
    fmt::print("{:>12}{:>9}{:>6}  {:<32}{}\n", "parameters", "share", "r", "targets",
               "target_modules");
  for (const adapters::BudgetRow& row : rows) {
    if (common.json)
      print_row({{"parameters", row.parameters},
                 {"share", double(row.parameters) / whole},
                 {"r", row.rank},
                 {"targets", row.targets},
                 {"target_modules", row.modules},
                 {"advised", row.is_advised}});
    else
      fmt::print("{:>12}{:>8.2f}%{:>6}  {:<32}{}{}\n", row.parameters,
                 100 * double(row.parameters) / whole, row.rank, row.targets,
                 fmt::join(row.modules, ", "), row.is_advised ? "   <- begin here" : "");
  }
  if (!common.json) fmt::print("\n{}", kAdvice);
  return ExitCode::kDone;
}

}  // namespace

Action declare_adapters(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* plan = command.add_subcommand(
      "plan", "Ranks and targets of LoRA that stay within a number of trained parameters.");
  command.require_subcommand(1);
  plan->fallthrough();
  plan->add_option("--model", arguments->model,
                   "Hugging Face folder, .gguf file, or a name that tools/setup installed")
      ->required();
  plan->add_option("--max-parameters", arguments->max_parameters, "At most so many trained numbers")
      ->required()
      ->check(CLI::PositiveNumber);
  return [arguments, &common] { return run_plan(*arguments, common); };
}

}  // namespace hone::cli
