#include "datasets/audit/input.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "datasets/conversation.h"
#include "io/row_reader.h"
#include "io/utf8.h"

namespace hone::datasets::audit {
namespace {

/// A row that was read and not yet parsed.
struct Waiting {
  InputRow row;
  io::RawRow raw;
  bool is_wanted = true;
};

/// Calls `work(i)` for each i below `count`, on `threads` threads.
/// @throws whatever a call throws first, after all threads have ended
void in_parallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next = 0;
  std::exception_ptr failure;
  std::mutex guard;
  const auto run = [&] {
    try {
      for (std::size_t i; (i = next++) < count;) work(i);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  const auto useful = std::min(static_cast<std::size_t>(threads), count);
  for (std::size_t i = 1; i < useful; ++i) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

/// @throws DataError for a text that is not UTF-8, as Parquet and CSV files may hold
void require_utf8(const Row& value, const std::string& key) {
  if (value.is_string()) {
    const auto invalid = io::first_invalid_utf8(value.get_ref<const std::string&>());
    HONE_CHECK(DataError, !invalid, "the text under \"{}\" is not UTF-8 at its byte {}", key,
               *invalid);
  } else if (value.is_object()) {
    for (const auto& [name, item] : value.items()) require_utf8(item, name);
  } else if (value.is_array()) {
    for (const Row& item : value) require_utf8(item, key);
  }
}

/// One file, block by block.
class FilePass {
 public:
  FilePass(const Input& input, std::int32_t file, const Pass& pass, std::int64_t first_index)
      : pass_(pass),
        reader_(io::open_rows(input.files[static_cast<std::size_t>(file)])),
        file_(file),
        threads_(input.threads > 0 ? input.threads
                                   : static_cast<int>(std::thread::hardware_concurrency())),
        index_(first_index),
        is_named_(input.format != "auto"),
        columns_(input.columns),
        format_(input.format == "auto" ? nullptr : &row_format_named(input.format)) {}

  /// The index after the file's last row.
  std::int64_t run() {
    while (read_block()) {
      in_parallel(block_.size(), std::max(threads_, 1), [this](std::size_t i) { finish(i); });
      for (std::size_t i = 0; i < block_.size(); ++i)
        if (block_[i].is_wanted) pass_.take(block_[i].row, i);
    }
    return index_;
  }

 private:
  bool read_block() {
    block_.clear();
    std::size_t size_bytes = 0;
    while (!at_end_ && block_.size() < kBlockRows && size_bytes < kBlockBytes) {
      Waiting next;
      next.row.file = file_;
      try {
        if (!reader_->next(next.raw)) break;
        next.row.number = next.raw.number;
      } catch (const DataError& error) {
        next.row.problem = error.what();
        at_end_ = true;
      }
      next.row.index = index_++;
      next.is_wanted = !pass_.wants || pass_.wants(next.row.index);
      size_bytes += next.raw.line.size();
      if (format_ == nullptr && next.row.problem.empty()) find_format(next);
      block_.push_back(std::move(next));
    }
    return !block_.empty();
  }

  /// The first row that is of some format decides for all after it.
  void find_format(const Waiting& first) {
    try {
      format_ = &row_format_of(rename_columns(reader_->parse(io::RawRow(first.raw)), columns_));
    } catch (const DataError&) {
      // Told of when the row is parsed in its turn.
    }
  }

  void finish(std::size_t i) {
    Waiting& waiting = block_[i];
    if (!waiting.is_wanted) return;
    InputRow& row = waiting.row;
    if (row.problem.empty()) parse(row, std::move(waiting.raw));
    if (pass_.work) pass_.work(row, i);
  }

  void parse(InputRow& row, io::RawRow&& raw) const {
    row.line = raw.line;
    try {
      row.value = reader_->parse(std::move(raw));
    } catch (const DataError& error) {
      row.problem = error.what();
      return;
    }
    try {
      require_utf8(row.value, "");
      Row renamed = rename_columns(row.value, columns_);
      const RowFormat& format = format_ != nullptr ? *format_ : row_format_of(renamed);
      HONE_CHECK(DataError, is_named_ || &row_format_of(renamed) == &format,
                 "expected a row of format {} as before it, got keys {}", format.name,
                 keys_of(renamed));
      Record record = to_record(std::move(renamed), format);
      if (record.kind == RecordKind::kConversation)
        record.value["messages"] = join_text_parts(read_conversation(record.value).messages);
      row.record = std::move(record);
    } catch (const DataError& error) {
      row.problem = fmt::format("{}: {}", reader_->where(row.number), error.what());
    }
  }

  const Pass& pass_;
  std::unique_ptr<io::RowReader> reader_;
  std::int32_t file_;
  int threads_;
  std::int64_t index_;
  bool is_named_;
  const Columns& columns_;
  const RowFormat* format_;  // null: not known yet
  bool at_end_ = false;
  std::vector<Waiting> block_;
};

}  // namespace

std::int64_t for_each_row(const Input& input, const Pass& pass) {
  std::int64_t index = 0;
  for (std::size_t file = 0; file < input.files.size(); ++file)
    index = FilePass(input, static_cast<std::int32_t>(file), pass, index).run();
  return index;
}

}  // namespace hone::datasets::audit
