#include "datasets/load.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "datasets/record_example.h"
#include "datasets/row_format.h"
#include "io/row_reader.h"

namespace hone::datasets {
namespace {

/// Cuts an example to its first `limit` tokens. False where that leaves nothing to train on.
bool truncate(Example& example, std::int64_t limit) {
  example.ids.resize(static_cast<std::size_t>(limit));
  example.weights.resize(static_cast<std::size_t>(limit));
  example.responses.resize(static_cast<std::size_t>(limit));
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
    const std::unique_ptr<io::RowReader> reader = io::open_rows(file);
    format_ = nullptr;
    while (read_next(*reader)) {
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
    for (const std::string& line : describe_changes(dataset_.counts)) log::warn("{}", line);
    return std::move(dataset_);
  }

 private:
  /// False where nothing more can be read of the file.
  bool read_next(io::RowReader& reader) {
    io::RawRow raw;
    try {
      if (!reader.next(raw)) return false;
    } catch (const DataError& error) {
      add_problem(error.what());
      return false;
    }
    Row row;
    const std::int64_t number = raw.number;
    try {
      row = reader.parse(std::move(raw));
    } catch (const DataError& error) {
      add_problem(error.what());
      return true;
    }
    ++dataset_.counts.read;
    try {
      const bool is_first = format_ == nullptr;
      if (is_first) format_ = &find_format(row);
      HONE_CHECK(DataError, has_keys_of(row, *format_),
                 "expected a row of format {}{}, with {}; got {}", format_->name,
                 is_first ? "" : " as before it", keys_in_words(*format_), keys_of(row));
      add(format_->to_record(std::move(row)), number);
    } catch (const DataError& error) {
      add_problem(fmt::format("{}: {}", reader.where(number), error.what()));
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}: {}", reader.where(number), error.what()));
    }
    return format_ != nullptr;  // where the first row is of no format, nothing after it can mend it
  }

  const RowFormat& find_format(const Row& row) const {
    const std::string& name = context_.options.format;
    return name == "auto" ? row_format_of(row) : row_format_named(name);
  }

  void add(const Record& record, std::int64_t row) {
    dataset_.counts.rendered +=
        add(to_example(record, context_), row) && record.kind == RecordKind::kConversation;
  }

  /// False where the row is left out as too long.
  bool add(Example example, std::int64_t row) {
    RowCounts& counts = dataset_.counts;
    counts.longest = std::max(counts.longest, example.length());
    if (limit_ > 0 && example.length() > limit_) {
      HONE_CHECK(DataError, context_.options.overlong != "error",
                 "the row has {} tokens, more than {}; shorten it, raise data.max_length, or set "
                 "data.overlong to drop or truncate",
                 example.length(), limit_);
      if (context_.options.overlong == "drop" || !truncate(example, limit_)) {
        ++counts.dropped_overlong;
        return false;
      }
      ++counts.truncated;
    }
    example.file = static_cast<std::int32_t>(dataset_.files.size()) - 1;
    example.row = row;
    counts.straddling += example.straddling_tokens > 0;
    counts.prompt_differs += example.prompt_differs;
    count_changes(std::exchange(example.changes, {}), example);
    dataset_.examples.push_back(std::move(example));
    return true;
  }

  /// Each kind once a row.
  void count_changes(const std::vector<TemplateChange>& changes, const Example& example) {
    std::array<bool, kTemplateChangeKinds> seen{};
    for (const TemplateChange& change : changes) {
      ChangeCount& count = dataset_.counts.changes[change.kind];
      if (std::exchange(seen[change.kind], true)) continue;
      if (count.rows++ == 0)
        count.first = fmt::format("{}: {}", dataset_.where(example), change.what);
    }
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
