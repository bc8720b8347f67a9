#include "datasets/options.h"

#include <fmt/format.h>

#include <filesystem>

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
  if (options.chat_template.empty()) return;
  if (std::filesystem::is_regular_file(options.chat_template, ignored)) return;
  problems.add("template", fmt::format("expected a file with a Jinja chat template, and there is "
                                       "no file {}",
                                       options.chat_template));
}

Table<DataOptions> make_table() {
  using O = DataOptions;
  return Table<O>(
      "data", "What is trained on, and which tokens of it count.",
      {
          field("train", &O::train, kRequired, kScalarOrList, kExistingPath,
                "JSONL files with one row a line, read in this order."),
          field("eval", &O::eval, {}, kScalarOrList, kExistingPath,
                "JSONL files to evaluate on; none: no evaluation."),
          field("format", &O::format, "auto", choices({"auto", "messages", "tokens"}),
                "What a row holds. messages: {\"messages\": [{\"role\", \"content\"}, ...]}, and "
                "\"tools\" where there are some. tokens: \"input_ids\", with \"labels\" (-100: not "
                "trained) or \"completion_mask\" (0: prompt), or alone: all trained. auto: each "
                "file's first row decides."),
          field("max_length", &O::max_length, std::nullopt, at_least(2), unit("tokens"),
                "Longest row; null: the model's context."),
          field("overlong", &O::overlong, "drop", choices({"drop", "truncate", "error"}),
                "What becomes of a longer row. drop and truncate are counted and reported; a "
                "truncated row keeps its beginning, and goes where no trained token is left."),
          field("train_on", &O::train_on, "all", choices({"all", "last"}),
                "Which assistant messages of a conversation are trained on."),
          field("prompt_loss_weight", &O::prompt_loss_weight, 0.0, range(0, 1),
                "Weight of the prompt's tokens in the loss; those of the response weigh 1. "
                "\"labels\" say themselves what is not trained, so it does not reach them."),
          field("shuffle", &O::shuffle, true,
                "Another order of the rows in each epoch; false: always the order of the files."),
          field("template", &O::chat_template, "",
                "File with the Jinja chat template; empty: the tokenizer's own."),
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
          check<O>("min_trained_share is not above max_trained_share.", check_shares),
          check<O>("cache is auto, off, or a folder.", check_cache),
          check<O>("template is empty or names a file that is there.", check_template),
      });
}

}  // namespace

const config::Table<DataOptions>& DataOptions::table() {
  static const config::Table<DataOptions> table = make_table();
  return table;
}

}  // namespace hone::datasets
