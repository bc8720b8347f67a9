#include <unistd.h>

#include "base/log.h"
#include "cli/config_arguments.h"
#include "cli/model_arguments.h"
#include "cli/serving.h"
#include "datasets/preview.h"
#include "engine/base_model.h"
#include "engine/run_data.h"
#include "model/weights.h"

namespace hone::cli {
namespace {

struct Arguments {
  ConfigArguments config;
  std::int64_t rows = 3;
};

/// Everything that can be known before step 0; no weight is read, and nothing is written but, for
/// large data, the token cache that the run will use.
ExitCode run_check(const Arguments& arguments, const Common& common) {
  const engine::RunOptions options = arguments.config.load(common).options;
  warn_of_serving(options);
  engine::place(common.device, options.train.precision, options.model.dtype);
  const auto [path, spec, text] =
      engine::open_base(options.model, options.data.chat_template, {options.adapter.init_from});
  const engine::RunData data = engine::load_run_data(options, text, spec);

  const datasets::Sampler sampler = engine::make_sampler(options, data);
  const std::int64_t steps = engine::total_steps(options.train, sampler);
  const datasets::RowCounts& counts = data.train.counts();
  const datasets::RowTotals& totals = data.train.totals();
  using datasets::TemplateChange;
  const auto rows_of = [&](TemplateChange::Kind kind) { return counts.changes[kind].rows; };
  using datasets::Flaw;
  const auto flawed = [&](Flaw flaw) { return counts.flawed[static_cast<std::size_t>(flaw)].rows; };
  const nlohmann::ordered_json summary = {{"ok", true},
                                          {"parameters", model::parameter_count(spec)},
                                          {"rows", totals.rows},
                                          {"rows_dropped_overlong", counts.dropped_overlong},
                                          {"rows_truncated", counts.truncated},
                                          {"documents_split", counts.split},
                                          {"rows_equal_answers", flawed(Flaw::kEqualAnswers)},
                                          {"rows_empty_answer", flawed(Flaw::kEmptyAnswer)},
                                          {"rows_prompts_differ", flawed(Flaw::kPromptsDiffer)},
                                          {"rows_straddling", totals.straddling_rows},
                                          {"rows_text_dropped", rows_of(TemplateChange::kDropped)},
                                          {"rows_text_cut", rows_of(TemplateChange::kCut)},
                                          {"rows_text_trimmed", rows_of(TemplateChange::kTrimmed)},
                                          {"tokens", totals.tokens},
                                          {"trained_tokens", totals.trained_tokens},
                                          {"longest_row_tokens", counts.longest},
                                          {"eval_rows", data.eval.size()},
                                          {"steps", steps},
                                          {"steps_per_epoch", sampler.steps_per_epoch(0)}};
  if (common.json) {
    print_row(summary);
    return ExitCode::kDone;
  }
  for (const auto& [key, value] : summary.items())
    if (key != "ok") fmt::print("{:<24}{}\n", key, value.dump());
  const bool colour = isatty(STDOUT_FILENO) == 1;
  for (std::int64_t i = 0; text.tokenizer && i < std::min(arguments.rows, data.train.size()); ++i) {
    const datasets::Example example = data.train.example(i);
    fmt::print("\n{} ({} tokens, {} trained{})\n{}\n", data.train.where(i), example.length(),
               example.trained_tokens(), colour ? ", in green" : ", in [[ ]]",
               datasets::preview_row(example, *text.tokenizer, {.colour = colour}));
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_check(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command);
  command.add_option("--rows", arguments->rows, "How many rows are shown")->capture_default_str();
  return [arguments, &common] { return run_check(*arguments, common); };
}

}  // namespace hone::cli
