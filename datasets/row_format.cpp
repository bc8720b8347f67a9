#include "datasets/row_format.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets {
namespace {

constexpr std::array kRowFormats = {
    RowFormat{"messages", "messages", true, read_message_row},
    RowFormat{"tokens", "input_ids", false, read_token_row},
};

std::string quoted(std::string_view key) { return fmt::format("\"{}\"", key); }

}  // namespace

RowContext::RowContext(const DataOptions& data_options, const TextTools& text_tools)
    : options(data_options), tools(text_tools) {
  if (tools.tokenizer == nullptr) return;
  special_tokens = tools.tokenizer->special_token_texts();
  template_variables = tools.tokenizer->special().names;
}

std::span<const RowFormat> row_formats() { return kRowFormats; }

std::string keys_of(const Row& row) {
  std::vector<std::string> keys;
  for (const auto& item : row.items()) keys.push_back(datasets::quoted(item.key()));
  return keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "));
}

const RowFormat& row_format_named(std::string_view name) {
  const auto found = std::find_if(kRowFormats.begin(), kRowFormats.end(),
                                  [&](const RowFormat& format) { return format.name == name; });
  HONE_CHECK(ConfigError, found != kRowFormats.end(), "data.format: there is no format '{}'", name);
  return *found;
}

const RowFormat& row_format_of(const Row& row) {
  std::vector<const RowFormat*> found;
  std::vector<std::string> keys;
  for (const RowFormat& format : kRowFormats) {
    keys.push_back(quoted(format.key));
    if (row.contains(format.key)) found.push_back(&format);
  }
  HONE_CHECK(DataError, !found.empty(),
             "the row is of no format that hone knows: expected a key {}, got {}",
             fmt::join(keys, " or "), keys_of(row));
  HONE_CHECK(DataError, found.size() == 1,
             "the row has \"{}\" and \"{}\"; say with data.format which one is meant",
             found[0]->key, found[1]->key);
  return *found[0];
}

}  // namespace hone::datasets
