#include "datasets/options.h"

#include <fmt/format.h>

#include <filesystem>

#include "datasets/conversation.h"
#include "datasets/row_format.h"
#include "tokenizer/named_template.h"

namespace hone::datasets {
namespace {

using namespace config;

void check_shares(const DataOptions& options, Problems& problems) {
  if (options.min_trained_share <= options.max_trained_share) return;
  problems.add("min_trained_share",
               fmt::format("{} is above max_trained_share, which is {}", options.min_trained_share,
                           options.max_trained_share));
}

void check_cache(const DataOptions& options, Problems& problems) {
  std::error_code ignored;
  if (options.cache.empty() || std::filesystem::is_regular_file(options.cache, ignored))
    problems.add("cache", fmt::format("expected auto, off, or a folder, got {}",
                                      options.cache.empty() ? "an empty text"
                                                            : "the file " + options.cache));
}

void check_template(const DataOptions& options, Problems& problems) {
  std::error_code ignored;
  const std::string& name = options.chat_template;
  if (name.empty() || tokenizer::find_named_template(name) != nullptr) return;
  if (std::filesystem::is_regular_file(name, ignored)) return;
  problems.add("template", fmt::format("expected one of {}, or a file with a Jinja chat template, "
                                       "and there is no file {}",
                                       tokenizer::template_names(), name));
}

void check_train_on(const DataOptions& options, Problems& problems) {
  const std::vector<std::string>& train_on = options.train_on;
  if (train_on.size() == 1 && (train_on[0] == "all" || train_on[0] == "last")) return;
  if (train_on.empty()) problems.add("train_on", "expected all, last, or a list of roles");
  for (const std::string& role : train_on)
    if (!is_role(role))
      problems.add("train_on",
                   fmt::format("expected all, last, or roles from {}; got {}", role_names(), role));
}

void check_columns(const DataOptions& options, Problems& problems) {
  const std::string wrong = wrong_columns(options.columns, options.format);
  if (!wrong.empty()) problems.add("columns", wrong);
}

std::vector<std::string> format_names() {
  std::vector<std::string> names{"auto"};
  for (const RowFormat& format : row_formats()) names.emplace_back(format.name);
  return names;
}

std::string format_help() {
  std::string help = "What a row holds.";
  for (const RowFormat& format : row_formats())
    help += fmt::format(" {}: {}.", format.name, format.help);
  return help + " auto: each file's first row decides, and the log says what it is.";
}

Table<DataOptions> make_table() {
  using O = DataOptions;
  const std::string formats = format_help();
  return Table<O>(
      "data", "What is trained on, and which tokens of it count.",
      {
          field(
              "train", &O::train, {}, kScalarOrList, kExistingFiles,
              "Files of rows, read in this order: JSONL, JSON (an array of rows, or an object with "
              "one), CSV or TSV with a header, each also packed by gzip (.gz), and Parquet. A "
              "folder stands for the files of rows right in it, a pattern (rows/*.jsonl, "
              "{a,b}.csv) for those that match."),
          records("sources", &O::sources,
                  "In the place of train: files in groups that are mixed with one another."),
          field("mix_strategy", &O::mix_strategy, "concat",
                choices({"concat", "first_exhausted", "all_exhausted"}),
                "How sources are mixed in an epoch. concat: every row of every source once. The "
                "others draw by weight: until one source has given all its rows, or until every "
                "source has, where the others begin anew."),
          field("mix_temperature", &O::mix_temperature, 1.0, above(0),
                "A source is drawn in proportion to its weight to the power of 1 / this: above 1 "
                "small sources come more often (arXiv:1910.10683, section 3.5.2)."),
          records("stages", &O::stages,
                  "An epoch in stretches, one after another, each with sources and weights of its "
                  "own: a curriculum, or an annealing tail. []: one stretch with all sources."),
          field("eval", &O::eval, {}, kScalarOrList, kExistingFiles,
                "The same for the rows to evaluate on; none: no evaluation."),
          field("license", &O::license, "",
                "The licence of the rows of train, by its SPDX name (CC-BY-4.0) or in words; it is "
                "kept in the lineage of all that is trained on them."),
          field("eval_license", &O::eval_license, "", "The same of the rows of eval."),
          field("format", &O::format, "auto", choices(format_names()), std::string_view(formats)),
          field(
              "columns", &O::columns, {},
              "The file's names for the keys of the format, where they differ: {prompt: question, "
              "completion: answer}. A column inside objects has a dotted name: {prompt: "
              "data.question}. Every row has to have the columns named here."),
          field("max_length", &O::max_length, std::nullopt, at_least(2), unit("tokens"),
                "Longest row; null: the model's context."),
          field("overlong", &O::overlong, "drop", choices({"drop", "truncate", "split", "error"}),
                "What becomes of a longer row; all but error is counted and reported. truncate "
                "keeps its beginning (of a pair, each answer's with the prompt), and drops it "
                "where no trained "
                "token is left. split cuts "
                "documents (formats text and tokens) into rows of max_length tokens, each of "
                "which begins with the last token of the one before, so that every token is "
                "predicted once; rows of other formats are dropped."),
          field("flawed_rows", &O::flawed_rows, "error", choices({"error", "drop"}),
                "What becomes of rows of answers that teach nothing, or something else than they "
                "seem to: a pair of equal answers or of answers to different prompts, an empty "
                "answer. error: they are refused, with their places. drop: they are left out, "
                "counted and reported. Labels of unpaired rows that are all alike are refused by "
                "the one, and a warning with the other."),
          field("train_on", &O::train_on, {"all"}, kScalarOrList,
                "Which messages of a conversation are trained on. all: the assistant's. last: the "
                "last one of the assistant. A list of roles, as [assistant, tool]: every message "
                "of these. A message that says \"train\": true or false decides for itself, and "
                "\"weight\": 0.5 lets it count by half."),
          field("prompt_loss_weight", &O::prompt_loss_weight, 0.0, range(0, 1),
                "Weight of the prompt's tokens in the loss; those of the response weigh 1. "
                "\"labels\" say themselves what is not trained, so it does not reach them; "
                "neither does it reach a message that says \"train\": false."),
          field("shuffle", &O::shuffle, true,
                "Another order of the rows in each epoch; false: always the order of the files."),
          field("template", &O::chat_template, "",
                "Chat template: one of chatml, llama2, llama3, mistral, gemma, phi3, zephyr, qwen, "
                "deepseek, command-r, alpaca, vicuna, plain, or a Jinja file; empty: the "
                "tokenizer's own."),
          field(
              "cache", &O::cache, "auto",
              "Where tokenised rows are kept for the next run: auto, off (in memory, made at each "
              "start), or a folder. auto: $XDG_CACHE_HOME/hone/tokens, else ~/.cache/hone/tokens, "
              "for more than 4 MiB of rows. A cache is found by the content of all that shaped "
              "it, so it is never out of date; any file of the folder may be deleted."),
          field("mask_contract", &O::mask_contract, true,
                "Refuse to start where the trained tokens look wrong; false: only warn."),
          field("max_untrained_rows", &O::max_untrained_rows, 0.0, range(0, 1),
                "Share of rows that may have no trained token."),
          field("min_trained_share", &O::min_trained_share, 0.0, range(0, 1),
                "Least share of the tokens that has to be trained."),
          field("max_trained_share", &O::max_trained_share, 1.0, range(0, 1),
                "Largest share of the tokens that may be trained."),
          field("max_straddling_rows", &O::max_straddling_rows, 0.1, range(0, 1),
                "Share of rows in which a token may lie across the border between prompt and "
                "response, so that a server would not produce what is trained."),
          check<O>("either train or sources is set, and stages fit the sources.", check_mixture),
          check<O>("columns names keys of the format.", check_columns),
          check<O>("min_trained_share is not above max_trained_share.", check_shares),
          check<O>("cache is auto, off, or a folder.", check_cache),
          check<O>("template is empty, a name that hone knows, or a file that is there.",
                   check_template),
          check<O>("train_on is all, last, or roles that messages can have.", check_train_on),
      });
}

}  // namespace

const config::Table<DataOptions>& DataOptions::table() {
  static const config::Table<DataOptions> table = make_table();
  return table;
}

}  // namespace hone::datasets
