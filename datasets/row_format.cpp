#include "datasets/row_format.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "base/error.h"
#include "datasets/formats.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

using Keys = std::vector<std::string>;

constexpr std::array kRowFormats = {
    RowFormat{"messages", "messages", messages_to_record, messages_from_record},
    RowFormat{"tokens", "input_ids", tokens_to_record, tokens_from_record},
};

/// The format's ways, each as the keys that it needs.
std::vector<Keys> ways_of(const RowFormat& format) {
  std::vector<Keys> ways;
  for (const auto way : std::views::split(format.keys, '|')) {
    Keys& keys = ways.emplace_back();
    for (const auto key : std::views::split(way, ' '))
      if (!key.empty()) keys.emplace_back(key.begin(), key.end());
  }
  return ways;
}

/// The largest set of keys by which the row is of the format; empty: it is not.
Keys match(const Row& row, const RowFormat& format) {
  Keys best;
  for (Keys& way : ways_of(format)) {
    const bool has_all =
        std::ranges::all_of(way, [&](const auto& key) { return row.contains(key); });
    if (has_all && way.size() > best.size()) best = std::move(way);
  }
  return best;
}

bool is_part_of(const Keys& keys, const Keys& others) {
  return keys.size() < others.size() && std::ranges::all_of(keys, [&](const auto& key) {
           return std::ranges::find(others, key) != others.end();
         });
}

std::string in_quotes(std::string_view key) { return fmt::format("\"{}\"", key); }

struct Match {
  const RowFormat* format;
  Keys keys;
};

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

std::string keys_in_words(const RowFormat& format) {
  Keys ways;
  for (const Keys& way : ways_of(format)) {
    Keys words;
    for (const std::string& key : way) words.push_back(in_quotes(key));
    ways.push_back(fmt::format("{}", fmt::join(words, " and ")));
  }
  return fmt::format("{}", fmt::join(ways, " or "));
}

const RowFormat& row_format_named(std::string_view name) {
  const auto found = std::ranges::find(kRowFormats, name, &RowFormat::name);
  HONE_CHECK(ConfigError, found != kRowFormats.end(), "data.format: there is no format '{}'", name);
  return *found;
}

bool has_keys_of(const Row& row, const RowFormat& format) { return !match(row, format).empty(); }

const RowFormat& row_format_of(const Row& row) {
  std::vector<Match> found;
  for (const RowFormat& format : kRowFormats)
    if (Keys keys = match(row, format); !keys.empty()) found.push_back({&format, std::move(keys)});
  HONE_CHECK(DataError, !found.empty(),
             "the row is of no format that hone knows: expected {}, got {}",
             fmt::join(kRowFormats | std::views::transform(keys_in_words), " or "), keys_of(row));
  std::vector<const RowFormat*> best;
  for (const Match& one : found) {
    const bool is_part = std::ranges::any_of(
        found, [&](const Match& other) { return is_part_of(one.keys, other.keys); });
    if (!is_part) best.push_back(one.format);
  }
  HONE_CHECK(
      DataError, best.size() == 1,
      "the row could be of the formats {}; say with data.format which one is meant",
      fmt::join(best | std::views::transform([](const auto* format) { return format->name; }),
                " and "));
  return *best[0];
}

}  // namespace hone::datasets
