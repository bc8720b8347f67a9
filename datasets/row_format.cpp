#include "datasets/row_format.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "base/error.h"
#include "base/log.h"
#include "config/problems.h"
#include "datasets/formats.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

using Keys = std::vector<std::string>;

constexpr std::array kRowFormats = {
    RowFormat{"messages", "messages", "tools",
              "{\"messages\": [{\"role\", \"content\"}, ...]}, and \"tools\" where there are some",
              messages_to_record, messages_from_record},
    RowFormat{"sharegpt", "conversations", "system tools",
              "{\"conversations\": [{\"from\": \"human\", \"value\"}, ...]}", sharegpt_to_record,
              sharegpt_from_record},
    RowFormat{"alpaca", "instruction output", "input system history tools",
              "{\"instruction\", \"input\", \"output\"}; the question is instruction and input, "
              "with a newline between them",
              alpaca_to_record, alpaca_from_record},
    RowFormat{
        "prompt_completion", "prompt completion", "tools",
        "{\"prompt\", \"completion\"}: texts, which no template touches, or lists of messages",
        prompt_completion_to_record, prompt_completion_from_record},
    RowFormat{"text", "text", "", "{\"text\"}: all of it is trained", text_to_record,
              text_from_record},
    RowFormat{"preference", "chosen rejected", "prompt margin tools",
              "{\"prompt\", \"chosen\", \"rejected\"}, and \"margin\"; without a prompt it is what "
              "both begin with",
              preference_to_record, preference_from_record},
    RowFormat{"unpaired", "prompt completion label", "tools",
              "{\"prompt\", \"completion\", \"label\": true}", unpaired_to_record,
              unpaired_from_record},
    RowFormat{"scored", "prompt completion score | completion score | messages score", "tools",
              "{\"prompt\", \"completion\", \"score\"} or {\"messages\", \"score\"}",
              scored_to_record, scored_from_record},
    RowFormat{"stepwise", "prompt completions labels", "",
              "{\"prompt\", \"completions\": [...], \"labels\": [true, ...]}, one label a step",
              stepwise_to_record, stepwise_from_record},
    RowFormat{"tokens",
              "input_ids | prompt_ids chosen_ids rejected_ids | prompt_ids completion_ids label | "
              "prompt_ids completion_ids score",
              "labels completion_mask attention_mask margin",
              "\"input_ids\", with \"labels\" (-100: not trained) or \"completion_mask\" (0: "
              "prompt), or alone: all trained; pairs as \"prompt_ids\", \"chosen_ids\", "
              "\"rejected_ids\"; unpaired as \"prompt_ids\", \"completion_ids\", \"label\", "
              "and with \"score\" in place of the label",
              tokens_to_record, tokens_from_record},
};

Keys words_of(std::string_view text) {
  Keys words;
  for (const auto word : std::views::split(text, ' '))
    if (!word.empty()) words.emplace_back(word.begin(), word.end());
  return words;
}

using Ways = std::vector<Keys>;

/// The ways of each format, in the order of the table.
std::vector<Ways> split_ways() {
  std::vector<Ways> all;
  for (const RowFormat& format : kRowFormats) {
    Ways& ways = all.emplace_back();
    for (const auto way : std::views::split(format.keys, '|'))
      ways.push_back(words_of(std::string_view(way.begin(), way.end())));
  }
  return all;
}

/// The format's ways, each as the keys that it needs.
const Ways& ways_of(const RowFormat& format) {
  static const std::vector<Ways> ways = split_ways();
  return ways[static_cast<std::size_t>(&format - kRowFormats.data())];
}

/// The largest set of keys by which the row is of the format; null: it is not.
const Keys* match(const Row& row, const RowFormat& format) {
  const Keys* best = nullptr;
  for (const Keys& way : ways_of(format)) {
    const bool has_all =
        std::ranges::all_of(way, [&](const auto& key) { return row.contains(key); });
    if (has_all && (best == nullptr || way.size() > best->size())) best = &way;
  }
  return best;
}

bool is_part_of(const Keys& keys, const Keys& others) {
  return keys.size() < others.size() && std::ranges::all_of(keys, [&](const auto& key) {
           return std::ranges::find(others, key) != others.end();
         });
}

std::string in_quotes(std::string_view key) { return fmt::format("\"{}\"", key); }

/// A format's ways in words: `"prompt" and "completion"`.
std::string keys_in_words(const RowFormat& format) {
  Keys ways;
  for (const Keys& way : ways_of(format))
    ways.push_back(fmt::format("{}", fmt::join(way | std::views::transform(in_quotes), " and ")));
  return fmt::format("{}", fmt::join(ways, " or "));
}

struct Match {
  const RowFormat* format;
  const Keys* keys;
};

[[noreturn]] void refuse_unknown(const Row& row) {
  Keys known;
  for (const RowFormat& format : kRowFormats)
    known.push_back(fmt::format("  {}: {}", format.name, keys_in_words(format)));
  throw DataError(
      fmt::format("the row is of no format that hone knows; its keys are {}. Expected "
                  "one of\n{}\nWhere the columns have other names, map them with "
                  "data.columns, as in {{prompt: question, completion: answer}}",
                  keys_of(row), fmt::join(known, "\n")));
}

/// Every key that a mapping may name.
Keys known_keys(const std::string& format) {
  Keys keys;
  for (const RowFormat& one : kRowFormats) {
    if (format != "auto" && format != one.name) continue;
    for (const Keys& way : ways_of(one)) std::ranges::copy(way, std::back_inserter(keys));
    std::ranges::move(words_of(one.optional), std::back_inserter(keys));
  }
  return keys;
}

}  // namespace

RowContext::RowContext(const DataOptions& data_options, const TextTools& text_tools)
    : options(data_options), tools(text_tools) {
  if (tools.tokenizer == nullptr) return;
  stops = tokenizer::make_stop_tokens(*tools.tokenizer, tools.stop_ids);
  template_variables = tools.tokenizer->special().names;
}

std::span<const RowFormat> row_formats() { return kRowFormats; }

std::string keys_of(const Row& row) {
  Keys keys;
  for (const auto& item : row.items()) keys.push_back(in_quotes(item.key()));
  return keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "));
}

const RowFormat& row_format_named(std::string_view name) {
  const auto found = std::ranges::find(kRowFormats, name, &RowFormat::name);
  HONE_CHECK(ConfigError, found != kRowFormats.end(), "data.format: there is no format '{}'", name);
  return *found;
}

const RowFormat& row_format_of(const Row& row) {
  std::vector<Match> found;
  for (const RowFormat& format : kRowFormats)
    if (const Keys* keys = match(row, format)) found.push_back({&format, keys});
  if (found.empty()) refuse_unknown(row);
  std::vector<const RowFormat*> best;
  for (const Match& one : found) {
    const bool is_part = std::ranges::any_of(
        found, [&](const Match& other) { return is_part_of(*one.keys, *other.keys); });
    if (!is_part) best.push_back(one.format);
  }
  Keys names;
  for (const RowFormat* format : best) names.emplace_back(format->name);
  HONE_CHECK(DataError, best.size() == 1,
             "the row's keys ({}) could be of the formats {}; say with data.format which one is "
             "meant",
             keys_of(row), fmt::join(names, " and "));
  return *best[0];
}

const RowFormat& choose_format(const Row& first_row, const std::string& name,
                               const std::string& file) {
  if (name != "auto") return row_format_named(name);
  const RowFormat& format = row_format_of(first_row);
  log::info("rows    {}: {}", file, format.name);
  return format;
}

Record to_record(Row row, const RowFormat& format) {
  HONE_CHECK(DataError, match(row, format) != nullptr,
             "expected a row of format {}, with {}; got {}", format.name, keys_in_words(format),
             keys_of(row));
  return format.to_record(std::move(row));
}

std::string wrong_columns(const Columns& columns, const std::string& format) {
  const Keys known = known_keys(format);
  for (const auto& [key, column] : columns)
    if (std::ranges::find(known, key) == known.end())
      return fmt::format(
          "format {} has no key {}{}; the keys of the mapping are hone's, its values "
          "the file's columns",
          format, key, config::did_you_mean(key, known));
  return {};
}

}  // namespace hone::datasets
