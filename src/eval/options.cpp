#include "eval/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "datasets/row_format.h"
#include "eval/metric.h"

namespace hone::eval {
namespace {

using namespace config;

std::vector<std::string> format_names() {
  std::vector<std::string> names{"", "auto"};
  for (const datasets::RowFormat& format : datasets::row_formats()) names.emplace_back(format.name);
  return names;
}

bool asks_for(const SuiteOptions& options, const char* metric) {
  return std::ranges::find(options.metrics, metric) != options.metrics.end();
}

void check_parameters(const SuiteOptions& options, Problems& problems) {
  if (std::ranges::find(options.stop, "") != options.stop.end())
    problems.add("stop", "expected texts that are not empty");
  if (asks_for(options, "regex_match") && options.pattern.empty())
    problems.add("pattern", "regex_match needs a regular expression, and there is none");
  if (asks_for(options, "json_schema_match") && options.schema.empty())
    problems.add("schema", "json_schema_match needs a file with a JSON Schema, and there is none");
  std::error_code ignored;
  if (!options.schema.empty() && !std::filesystem::is_regular_file(options.schema, ignored))
    problems.add("schema", fmt::format("there is no file {}", options.schema));
}

void check_metrics(const SuiteOptions& options, Problems& problems) {
  if (options.metrics.empty())
    problems.add("metrics", fmt::format("expected some of {}", metric_names()));
}

void check_names(const EvalOptions& options, Problems& problems) {
  std::set<std::string> seen;
  for (std::size_t i = 0; i < options.suite.size(); ++i) {
    const std::string& name = options.suite[i].name;
    const std::string key = item_path("suite", i) + ".name";
    // The name stands in keys of metrics.jsonl: eval_NAME/METRIC.
    const bool is_plain = std::ranges::all_of(name, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.';
    });
    if (name.empty() || !is_plain)
      problems.add(key, fmt::format("expected letters, digits, _, - and ., got \"{}\"", name));
    if (!seen.insert(name).second)
      problems.add(key, fmt::format("{} is the name of an earlier one", name));
  }
}

}  // namespace

const Table<SuiteOptions>& SuiteOptions::table() {
  static const std::string metrics = metric_help();
  static const Table<SuiteOptions> table(
      "", "Rows, and what is measured on them.",
      {field("name", &SuiteOptions::name, kRequired,
             "What the figures are called: eval_NAME/METRIC in metrics.jsonl."),
       field("data", &SuiteOptions::data, {}, kScalarOrList, kExistingFiles,
             "Files of rows, as data.train has them."),
       field("format", &SuiteOptions::format, "", choices(format_names()),
             "What a row holds, as data.format; empty: what that says. Rows of multiple choice "
             "have a shape of their own."),
       field("columns", &SuiteOptions::columns, {}, "As data.columns; {}: what that says."),
       field("metrics", &SuiteOptions::metrics, {"loss", "perplexity"}, choices(metric_list()),
             kScalarOrList, std::string_view(metrics)),
       field("limit", &SuiteOptions::limit, 0, at_least(0), unit("rows"),
             "Only the first so many rows; 0: all."),
       field("max_new_tokens", &SuiteOptions::max_new_tokens, 256, at_least(1), unit("tokens"),
             "Length at which an answer is cut."),
       field("stop", &SuiteOptions::stop, {}, kScalarOrList,
             "Texts that end an answer and are not part of it, beside the model's stop tokens."),
       field("pattern", &SuiteOptions::pattern, "",
             "Regular expression (PCRE2) of regex_match, searched in the answer. Where it has a "
             "group, what that holds has to be what it holds in the row's own answer."),
       field("schema", &SuiteOptions::schema, "",
             "JSON file of json_schema_match: a JSON Schema (up to draft 7)."),
       field("choice_delimiter", &SuiteOptions::choice_delimiter, "",
             "Text between a prompt and each of its choices; lm-evaluation-harness puts a blank."),
       check<SuiteOptions>("there is a metric.", check_metrics),
       check<SuiteOptions>("a metric has what it needs: pattern, schema; stop has no empty text.",
                           check_parameters)});
  return table;
}

const Table<EvalOptions>& EvalOptions::table() {
  static const Table<EvalOptions> table(
      "eval", "How data.eval is measured, and what else is.",
      {field("eval_steps", &EvalOptions::eval_steps, 0, at_least(0), unit("optimizer steps"),
             "Measure eval_loss and the suite every so many steps, and at the end; 0: at the end "
             "only."),
       field("eval_epochs", &EvalOptions::eval_epochs, 0.0, at_least(0), unit("epochs"),
             "Measure them also each time that this part of an epoch is done: 0.25 is four times "
             "an epoch. 0: not by epochs."),
       field("eval_on_start", &EvalOptions::eval_on_start, false,
             "Measure data.eval before the first step as well, as transformers does; it does not "
             "count as the best. The suite is measured there anyway."),
       field(
           "metric_for_best_model", &EvalOptions::metric_for_best_model, "eval_loss",
           "The figure of metrics.jsonl that says which evaluation was the best; its eval_ may be "
           "left out."),
       field("greater_is_better", &EvalOptions::greater_is_better, std::nullopt,
             "Whether that figure wants to grow. null: as the metric is known to want."),
       field("early_stopping_patience", &EvalOptions::early_stopping_patience, 0, at_least(0),
             unit("evaluations"),
             "The run ends after so many evaluations running without a gain over the best. 0: it "
             "goes on to its end."),
       field("early_stopping_threshold", &EvalOptions::early_stopping_threshold, 0.0, at_least(0),
             "What a gain has to be more than."),
       field("tokens_per_device_batch", &EvalOptions::tokens_per_device_batch, 4096, at_least(1),
             unit("tokens"), "Batches of the evaluation are filled up to this."),
       field("metrics", &EvalOptions::metrics, {"loss", "perplexity"}, choices(metric_list()),
             kScalarOrList,
             "What hone eval measures on data.eval; eval.suite.metrics explains each. A training "
             "run measures the loss alone."),
       field(
           "exact_match", &EvalOptions::exact_match, false,
           "hone eval also lets the model answer the last turn of every row, greedily, and counts "
           "the answers that are the row's own to the letter: one more of the metrics."),
       field("max_new_tokens", &EvalOptions::max_new_tokens, 256, at_least(1), unit("tokens"),
             "Length at which such an answer is cut."),
       field("generation_batch_size", &EvalOptions::generation_batch_size, 64, at_least(1),
             unit("rows"), "How many rows are answered together."),
       field("difference", &EvalOptions::difference, 2.0, above(0), unit("points"),
             "Each figure says how many rows it would take to see a difference of this size with "
             "80 % power at a level of 5 %. A point is 1 % of the rows for shares, 1 for BLEU, and "
             "1 % of the figure for the others."),
       records("suite", &EvalOptions::suite,
               "More evaluations, each with a name: hone eval runs them all, and a training run "
               "measures them before its first step, at eval_steps and at its end, and marks what "
               "got worse by more than chance explains."),
       check<EvalOptions>("the names of the suite are plain and differ.", check_names)});
  return table;
}

}  // namespace hone::eval
