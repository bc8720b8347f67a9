#include "datasets/load.h"

#include <fmt/ranges.h>

#include <algorithm>
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
    format_ = nullptr;
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
    if (format_ == nullptr && !find_format(*row, reader.name())) return false;
    try {
      HONE_CHECK(DataError, row->value.contains(format_->key),
                 "expected a row of format {} as before it, with a key \"{}\"; got {}",
                 format_->name, format_->key, keys_of(row->value));
      add(format_->read(row->value, context_), row->line_number);
    } catch (const DataError& error) {
      add_problem(fmt::format("{}:{}: {}", reader.name(), row->line_number, error.what()));
    }
    return true;
  }

  /// False where the first row is of no format, which nothing after it can mend.
  bool find_format(const io::JsonlRow& row, const std::string& file) {
    try {
      format_ = context_.options.format == "auto" ? &row_format_of(row.value)
                                                  : &row_format_named(context_.options.format);
    } catch (const DataError& error) {
      add_problem(fmt::format("{}:{}: {}", file, row.line_number, error.what()));
      return false;
    }
    HONE_CHECK(ConfigError, !format_->is_rendered || context_.tools.tokenizer != nullptr,
               "{}: rows of messages need a tokenizer, and the model has none", file);
    HONE_CHECK(ConfigError, !format_->is_rendered || context_.tools.chat_template != nullptr,
               "{}: rows of messages need a chat template, and the tokenizer has none; name a file "
               "with data.template",
               file);
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
    counts.prompt_differs += example.prompt_differs;
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

Dataset load(const std::vector<std::string>& files, const DataOptions& options,
             const TextTools& tools, std::int64_t context_length) {
  HONE_CHECK(DataError, !files.empty(), "there is no file of rows; name some in data.train");
  Loader loader(options, tools, context_length);
  for (const std::string& file : files) loader.read(file);
  return loader.finish();
}

}  // namespace hone::datasets
