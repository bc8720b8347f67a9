#include "datasets/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "datasets/row_format.h"
#include "io/jsonl.h"

namespace hone::datasets {
namespace {

constexpr std::array kRowFormats = {
    RowFormat{"tokens", "input_ids", false, read_token_row},
};

std::string keys_of(const Row& row) {
  std::vector<std::string> keys;
  for (const auto& item : row.items()) keys.push_back(fmt::format("\"{}\"", item.key()));
  return keys.empty() ? "none" : fmt::format("{}", fmt::join(keys, ", "));
}

std::vector<std::string> format_keys() {
  std::vector<std::string> keys;
  for (const RowFormat& format : kRowFormats) keys.push_back(fmt::format("\"{}\"", format.key));
  return keys;
}

const RowFormat& format_named(std::string_view name) {
  const auto found = std::find_if(kRowFormats.begin(), kRowFormats.end(),
                                  [&](const RowFormat& format) { return format.name == name; });
  HONE_CHECK(ConfigError, found != kRowFormats.end(), "data.format: there is no format '{}'", name);
  return *found;
}

/// What `auto` makes of a file's first row.
const RowFormat& format_of(const Row& row) {
  const RowFormat* found = nullptr;
  for (const RowFormat& format : kRowFormats) {
    if (!row.contains(format.key)) continue;
    HONE_CHECK(DataError, found == nullptr,
               "the row has \"{}\" and \"{}\"; say with data.format which one is meant", found->key,
               format.key);
    found = &format;
  }
  HONE_CHECK(DataError, found != nullptr,
             "the row is of no format that hone knows: expected a key {}, got {}",
             fmt::join(format_keys(), " or "), keys_of(row));
  return *found;
}

/// Cuts an example to its first `limit` tokens. False where that leaves nothing to train on.
bool truncate(Example& example, std::int64_t limit) {
  example.ids.resize(static_cast<std::size_t>(limit));
  example.weights.resize(static_cast<std::size_t>(limit));
  return example.trained_tokens() > 0;
}

class Loader {
 public:
  Loader(const DataOptions& options, const TextTools& tools, std::int64_t context_length)
      : context_{options, tools}, limit_(options.max_length.value_or(context_length)) {
    if (context_length > 0 && limit_ > context_length)
      log::warn("data.max_length is {}, beyond the model's context of {} tokens", limit_,
                context_length);
  }

  void read(const std::string& file) {
    dataset_.files.push_back(file);
    io::JsonlReader reader(file);
    format_ = context_.options.format == "auto" ? nullptr : &format_named(context_.options.format);
    while (read_next(reader)) {
    }
    const MappedFile content(file);
    hash_.update(content.data(), content.size_bytes());
  }

  Dataset finish() {
    refuse_bad_rows();
    HONE_CHECK(DataError, dataset_.counts.read > 0, "{}: no rows", fmt::join(dataset_.files, ", "));
    HONE_CHECK(DataError, !dataset_.examples.empty(),
               "{}: all {} rows are longer than {} tokens, so none is left; the longest has {}. "
               "Raise data.max_length, or set data.overlong to truncate",
               fmt::join(dataset_.files, ", "), dataset_.counts.read, limit_,
               dataset_.counts.longest);
    dataset_.sha256 = hash_.hex();
    return std::move(dataset_);
  }

 private:
  /// False at the end of the file.
  bool read_next(io::JsonlReader& reader) {
    std::optional<io::JsonlRow> row;
    try {
      row = reader.next();
    } catch (const DataError& error) {
      add_problem(error.what());
      return true;
    }
    if (!row) return false;
    ++dataset_.counts.read;
    try {
      if (format_ == nullptr) format_ = &format_of(row->value);
      HONE_CHECK(DataError, row->value.contains(format_->key),
                 "expected a row of format {} as before it, with a key \"{}\"; got {}",
                 format_->name, format_->key, keys_of(row->value));
      add(format_->read(row->value, context_), row->line_number);
    } catch (const DataError& error) {
      add_problem(fmt::format("{}:{}: {}", reader.name(), row->line_number, error.what()));
    }
    return true;
  }

  void add(Example example, std::int64_t line) {
    RowCounts& counts = dataset_.counts;
    counts.longest = std::max(counts.longest, example.length());
    if (limit_ > 0 && example.length() > limit_) {
      HONE_CHECK(DataError, context_.options.overlong != "error",
                 "the row has {} tokens, more than {}; shorten it, raise data.max_length, or set "
                 "data.overlong to drop or truncate",
                 example.length(), limit_);
      if (context_.options.overlong == "drop" || !truncate(example, limit_)) {
        ++counts.dropped_overlong;
        return;
      }
      ++counts.truncated;
    }
    example.file = static_cast<std::int32_t>(dataset_.files.size()) - 1;
    example.row = line;
    counts.rendered += format_->is_rendered;
    counts.straddling += example.straddling_tokens > 0;
    dataset_.examples.push_back(std::move(example));
  }

  void add_problem(std::string problem) {
    problems_.push_back(std::move(problem));
    if (problems_.size() >= kMaxBadRows) refuse_bad_rows();
  }

  void refuse_bad_rows() const {
    if (problems_.empty()) return;
    const bool stopped = problems_.size() >= kMaxBadRows;
    throw DataError(fmt::format("{}{}", fmt::join(problems_, "\n"),
                                stopped ? "\nThere may be more: reading stopped here." : ""));
  }

  RowContext context_;
  std::int64_t limit_;
  const RowFormat* format_ = nullptr;  // of the file that is being read; null: not known yet
  Dataset dataset_;
  std::vector<std::string> problems_;
  Sha256 hash_;
};

}  // namespace

std::span<const RowFormat> row_formats() { return kRowFormats; }

Dataset load(const std::vector<std::string>& files, const DataOptions& options,
             const TextTools& tools, std::int64_t context_length) {
  HONE_CHECK(DataError, !files.empty(), "there is no file of rows; name some in data.train");
  Loader loader(options, tools, context_length);
  for (const std::string& file : files) loader.read(file);
  return loader.finish();
}

}  // namespace hone::datasets
