#include <fmt/ranges.h>

#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "base/philox.h"
#include "cli/config_arguments.h"
#include "cli/model_arguments.h"
#include "cli/sampling_arguments.h"
#include "engine/evaluate.h"
#include "engine/load_options.h"
#include "engine/run_data.h"
#include "engine/suite.h"
#include "eval/report.h"

namespace hone::cli {
namespace {

using eval::Evaluation;
using nlohmann::ordered_json;

struct Arguments {
  ConfigArguments config;
  ModelArguments model;
  std::string data, chat_template, answers;
  std::vector<std::string> metrics;
  eval::StopTexts stops;
  std::string pattern, schema;
  std::int64_t limit = 0, max_new_tokens = 0;
  std::size_t samples = 3;
  bool compare_base = false;
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
    if (!common.seed.empty()) options.train.seed = std::stoll(common.seed);
  }
  if (arguments.model.quantization != "none")
    options.model.quantization = arguments.model.quantization;
  if (arguments.model.dtype != "auto") options.train.precision = arguments.model.dtype;
  if (!arguments.chat_template.empty()) options.data.chat_template = arguments.chat_template;
  HONE_CHECK(ConfigError, !options.data.eval.empty() || !options.eval.suite.empty(),
             "{}: neither data.eval nor eval.suite: nothing to evaluate on", arguments.config.path);
  return options;
}

/// What is measured on data.eval, as an entry like those of the suite.
eval::SuiteOptions main_entry(const Arguments& arguments, const engine::RunOptions& options) {
  auto entry = config::defaults<eval::SuiteOptions>();
  entry.name = "eval";
  entry.data = options.data.eval;
  entry.metrics = arguments.metrics.empty() ? options.eval.metrics : arguments.metrics;
  const bool is_listed = std::ranges::find(entry.metrics, "exact_match") != entry.metrics.end();
  if (options.eval.exact_match && arguments.metrics.empty() && !is_listed)
    entry.metrics.push_back("exact_match");
  entry.max_new_tokens =
      arguments.max_new_tokens > 0 ? arguments.max_new_tokens : options.eval.max_new_tokens;
  entry.limit = arguments.limit;
  entry.stop = arguments.stops.texts;
  entry.pattern = arguments.pattern;
  entry.schema = arguments.schema;
  const auto needs = [&](const char* metric, const char* flag, bool is_there) {
    HONE_CHECK(ConfigError,
               is_there || std::ranges::find(entry.metrics, metric) == entry.metrics.end(),
               "{} needs {}", metric, flag);
  };
  needs("regex_match", "--pattern", !entry.pattern.empty());
  needs("json_schema_match", "--schema", !entry.schema.empty());
  return entry;
}

/// A few answers beside the rows' own, each row as likely to be among them as any other one:
/// neighbours are often alike.
/// @source Vitter, "Random sampling with a reservoir" (ACM TOMS 1985), algorithm R
class Samples {
 public:
  Samples(std::size_t most, std::uint64_t seed) : most_(most), random_(seed) {}

  void offer(const ordered_json& row) {
    if (!row.contains("given") || most_ == 0) return;
    if (kept_.size() < most_) kept_.push_back(row);
    const auto stream = static_cast<std::uint64_t>(RandomStream::kDataSample) << 48;
    const std::uint64_t place = random_(seen_, stream).w[0] % (seen_ + 1);
    if (seen_++ >= most_ && place < most_) kept_[place] = row;
  }

  void show() const {
    for (const ordered_json& row : kept_)
      log::info(
          "\n  asked     {}\n  expected  {}\n  answered  {}", row["prompt"].get<std::string>(),
          row["expected"].is_null() ? "(the row does not say)" : row["expected"].get<std::string>(),
          row["given"].get<std::string>());
  }

 private:
  std::size_t most_;
  Philox random_;
  std::uint64_t seen_ = 0;
  std::vector<ordered_json> kept_;
};

/// The keys that scripts know of the evaluation on data.eval, at the top.
void add_main(const Evaluation& found, ordered_json& results) {
  for (const auto& [name, value] : engine::loss_metrics(found))
    std::visit([&, &key = name](auto number) { results[key] = number; }, value);
  for (const eval::Tally& tally : found.tallies)
    if (tally.metric().name != "loss" && tally.metric().name != "perplexity")
      results[std::string(tally.metric().name)] = tally.value();
  if (const eval::Tally* exact = found.find("exact_match"))
    results["exact_match_rows"] = exact->rows();
  if (found.generated_tokens == 0) return;
  results["generated_tokens"] = found.generated_tokens;
  results["generated_tokens_per_s"] = double(found.generated_tokens) / found.generation_s;
}

/// All that the evaluations need but the model.
struct Evaluations {
  engine::RunOptions options;
  engine::BaseModel base;
  AdapterArguments adapters;
  engine::Placement placement;
  std::vector<eval::SuiteOptions> entries;  ///< that of data.eval first, where there is one

  /// @param on_it what is put onto the base
  std::vector<Evaluation> run(const AdapterArguments& on_it,
                              const std::function<void(const ordered_json&)>& on_row) const {
    model::Decoder decoder = open_decoder(base, on_it, options.model, placement);
    log::info("weights {}", engine::kept_as(decoder));
    const datasets::TextTools tools = engine::text_tools(base.text, base.spec);
    eval::Setting setting = engine::eval_setting(options, tools, base.spec.max_position_embeddings);
    setting.on_row = on_row;
    std::vector<Evaluation> found;
    for (const eval::SuiteOptions& entry : entries)
      found.push_back(eval::evaluate(decoder, entry, setting));
    return found;
  }
};

Evaluations prepare(const Arguments& arguments, const Common& common) {
  Evaluations all;
  all.options = options_of(arguments, common);
  all.adapters = arguments.model.adapters;
  if (const std::string& own = all.options.adapter.init_from; all.adapters.none() && !own.empty())
    all.adapters.folders = {own};
  all.placement =
      engine::place(common.device, all.options.train.precision, all.options.model.dtype);
  all.base =
      engine::open_base(all.options.model, all.options.data.chat_template, all.adapters.folders);
  if (!all.options.data.eval.empty()) all.entries.push_back(main_entry(arguments, all.options));
  const auto& suite = all.options.eval.suite;
  all.entries.insert(all.entries.end(), suite.begin(), suite.end());
  const datasets::TextTools tools = engine::text_tools(all.base.text, all.base.spec);
  for (const eval::SuiteOptions& entry : all.entries)
    eval::check_possible(entry, all.base.spec, tools);
  return all;
}

void print_results(const Evaluations& all, const std::vector<Evaluation>& found,
                   const std::vector<Evaluation>& base) {
  ordered_json results = {{"model", all.options.model.base},
                          {"adapter", fmt::format("{}", fmt::join(all.adapters.folders, " "))}};
  ordered_json evaluations = ordered_json::object();
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Evaluation* other = base.empty() ? nullptr : &base[i];
    log::info("{}", eval::to_table(found[i], other, all.options.eval.difference));
    if (i == 0 && !all.options.data.eval.empty()) add_main(found[i], results);
    evaluations[found[i].name] = eval::to_json(found[i], other, all.options.eval.difference);
  }
  results["evaluations"] = std::move(evaluations);
  print_row(results);
}

ExitCode run_eval(const Arguments& arguments, const Common& common) {
  const Evaluations all = prepare(arguments, common);
  HONE_CHECK(ConfigError, !arguments.compare_base || !all.adapters.none(),
             "--compare-base compares an adapter with its base; name one with --adapter");
  log::info("model   {}{}{}", all.options.model.base, all.adapters.none() ? "" : " with ",
            fmt::join(all.adapters.folders, " and "));
  std::optional<LineFile> file;
  if (!arguments.answers.empty()) file.emplace(arguments.answers, /*keep_bytes=*/0);
  Samples samples(arguments.samples, static_cast<std::uint64_t>(all.options.train.seed));
  const auto write = [&](ordered_json row, bool is_base) {
    if (!file) return;
    if (arguments.compare_base) row["base"] = is_base;
    file->append(row.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
  };
  const std::vector<Evaluation> found = all.run(all.adapters, [&](const ordered_json& row) {
    samples.offer(row);
    write(row, false);
  });
  std::vector<Evaluation> base;
  if (arguments.compare_base)
    base = all.run({}, [&](const ordered_json& row) { write(row, true); });
  samples.show();
  print_results(all, found, base);
  return ExitCode::kDone;
}

}  // namespace

Action declare_eval(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  a.config.declare(command, /*required=*/false);
  a.model.declare(command, /*model_required=*/false);
  command.add_option("--data", a.data, "Rows, where --model takes the CONFIG's place");
  command.add_option("--template", a.chat_template, "Chat template, as data.template");
  command
      .add_option("--metrics", a.metrics,
                  "What is measured on these rows, or on data.eval: " + eval::metric_names())
      ->delimiter(',')
      ->check(CLI::IsMember(eval::metric_list()));
  command.add_option("--limit", a.limit, "Only the first so many rows")->check(CLI::PositiveNumber);
  command.add_option("--max-new-tokens", a.max_new_tokens, "Length at which an answer is cut")
      ->check(CLI::PositiveNumber);
  declare_stops(command, a.stops);
  command.add_option("--pattern", a.pattern, "Regular expression of regex_match");
  command.add_option("--schema", a.schema, "JSON Schema of json_schema_match");
  command.add_flag("--compare-base", a.compare_base,
                   "Also measure the base without the adapter, and the difference row by row");
  command.add_option("--answers", a.answers,
                     "JSONL file for what was measured of each row, as it comes");
  command.add_option("--samples", a.samples, "How many answers are shown beside the rows'")
      ->capture_default_str();
  return [arguments, &common] { return run_eval(*arguments, common); };
}

}  // namespace hone::cli
