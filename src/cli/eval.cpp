#include "engine/evaluate.h"

#include "base/log.h"
#include "cli/config_arguments.h"
#include "cli/model_arguments.h"
#include "engine/exact_match.h"
#include "engine/load_options.h"
#include "engine/run_data.h"
#include "model/load.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;

struct Arguments {
  ConfigArguments config;
  ModelArguments model;
  std::string data;
  std::size_t samples = 3;
};

/// The config, or what --model and --data say in its place.
engine::RunOptions options_of(const Arguments& arguments, const Common& common) {
  const bool named = !arguments.model.model.empty() && !arguments.data.empty();
  HONE_CHECK(ConfigError, named != !arguments.config.path.empty(),
             "hone eval: expected a CONFIG, or --model and --data");
  engine::RunOptions options =
      named ? config::defaults<engine::RunOptions>() : arguments.config.load(common).options;
  if (named) {
    options.model.base = arguments.model.model;
    options.data.eval = {arguments.data};
  }
  if (arguments.model.quantization != "none")
    options.model.quantization = arguments.model.quantization;
  if (arguments.model.dtype != "auto") options.train.precision = arguments.model.dtype;
  HONE_CHECK(ConfigError, !options.data.eval.empty(), "{}: data.eval: nothing to evaluate on",
             arguments.config.path);
  return options;
}

void show_samples(const engine::ExactMatch& match, std::size_t samples) {
  for (std::size_t i = 0; i < std::min(samples, match.answers.size()); ++i) {
    // Spread over the rows: neighbours are often alike.
    const engine::Answer& answer = match.answers[i * match.answers.size() / samples];
    log::info("\n  asked     {}\n  expected  {}\n  answered  {}{}", answer.prompt, answer.expected,
              answer.given, answer.exact ? "" : "   (differs)");
  }
}

void add_exact_match(const engine::ExactMatch& match, bool with_answers, ordered_json& results) {
  results["exact_match"] = match.rate();
  results["exact_match_rows"] = match.answers.size();
  results["generated_tokens"] = match.generated_tokens;
  results["generated_tokens_per_s"] = double(match.generated_tokens) / match.seconds;
  if (!with_answers) return;
  for (const engine::Answer& answer : match.answers)
    results["answers"].push_back({{"prompt", answer.prompt},
                                  {"expected", answer.expected},
                                  {"given", answer.given},
                                  {"exact", answer.exact}});
}

ExitCode run_eval(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  const engine::RunOptions options = options_of(arguments, common);
  const std::filesystem::path base = engine::resolve_model(options.model.base);
  const engine::Placement placement =
      engine::place(common.device, options.train.precision, options.model.dtype);
  const engine::Text text = engine::open_text(base, options.data.chat_template);
  const datasets::Dataset data = engine::load_eval_data(options, text, model::load_spec(base));

  const std::string adapter =
      arguments.model.adapter.empty() ? options.adapter.init_from : arguments.model.adapter;
  model::Decoder decoder =
      open_decoder(base, adapter, engine::load_options(options.model, placement));
  log::info("model   {}{}", options.model.base, adapter.empty() ? "" : " with " + adapter);
  log::info("weights {}", engine::kept_as(decoder));
  ordered_json results = {{"model", options.model.base}, {"adapter", adapter}};
  for (const auto& [name, value] :
       engine::evaluate_loss(decoder, data, options.eval.tokens_per_device_batch))
    std::visit([&, &key = name](auto number) { results[key] = number; }, value);
  if (options.eval.exact_match) {
    const engine::ExactMatch match =
        engine::measure_exact_match(decoder, text, options.data, options.eval);
    add_exact_match(match, common.json, results);
    show_samples(match, arguments.samples);
    log::info("\nexact match {:.1f} % of {} rows", 100 * match.rate(), match.answers.size());
  }
  print_row(results);
  return ExitCode::kDone;
}

}  // namespace

Action declare_eval(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->config.declare(command, /*required=*/false);
  arguments->model.declare(command, /*model_required=*/false);
  command.add_option("--data", arguments->data,
                     "JSONL rows, where --model takes the CONFIG's place");
  command
      .add_option("--samples", arguments->samples, "How many answers are shown beside the rows'")
      ->capture_default_str();
  return [arguments, &common] { return run_eval(*arguments, common); };
}

}  // namespace hone::cli
