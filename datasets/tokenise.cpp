#include "datasets/tokenise.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/pipeline.h"
#include "datasets/columns.h"
#include "datasets/file_hashes.h"
#include "datasets/record_example.h"
#include "datasets/row_format.h"
#include "io/row_reader.h"

namespace hone::datasets {
namespace {

// What a thread takes at once: large enough that threads seldom meet, small enough that all have
// work and little memory is held.
constexpr std::size_t kRowsAtOnce = 64;
constexpr std::size_t kBytesAtOnce = std::size_t{256} << 10;
constexpr std::size_t kBlocksPerThread = 4;

/// A row, or what is wrong with it. It is parsed by the thread that works on it.
struct ReadRow {
  io::RawRow raw;
  std::string problem;
};

/// Rows of one file that follow one another.
struct RowBlock {
  std::int32_t file = 0;
  std::shared_ptr<const io::RowReader> reader;
  const RowFormat* format = nullptr;  // null: no row of the block can be parsed
  std::vector<ReadRow> rows;
  std::int64_t bytes_before = 0;  // of all files, up to the end of the block
};

/// The same as examples, without those that are left out.
struct ExampleBlock {
  std::vector<Example> examples;
  std::vector<std::string> problems;
  RowCounts counts;
  std::int64_t bytes_before = 0;
};

/// An example's tokens from `begin` on, `limit` of them at most.
Example part_of(const Example& example, std::int64_t begin, std::int64_t limit) {
  const std::int64_t end = std::min(begin + limit, example.length());
  const auto cut = [&](const auto& all) {
    return std::decay_t<decltype(all)>(all.begin() + begin, all.begin() + end);
  };
  return {.ids = cut(example.ids),
          .weights = cut(example.weights),
          .responses = cut(example.responses),
          .values = example.values,
          .straddling_tokens = example.straddling_tokens,
          .prompt_differs = example.prompt_differs,
          .changes = example.changes};
}

/// Each document's first `limit` tokens.
Example beginning_of(const Example& example, std::int64_t limit) {
  if (example.documents() == 1) return part_of(example, 0, limit);
  std::vector<Example> documents;
  for (std::int64_t d = 0; d < example.documents(); ++d)
    documents.push_back(part_of(document_of(example, d), 0, limit));
  Example cut = joined(documents);
  cut.values = example.values;
  cut.straddling_tokens = example.straddling_tokens;
  cut.prompt_differs = example.prompt_differs;
  cut.changes = example.changes;
  return cut;
}

/// A row that was cut and has no answer left, or, of a pair, nothing that tells the answers apart.
bool is_spoilt(const Example& cut) {
  if (cut.documents() == 1) return cut.trained_tokens() == 0;
  const Example first = document_of(cut, 0), second = document_of(cut, 1);
  return first.trained_tokens() == 0 || second.trained_tokens() == 0 || first.ids == second.ids;
}

/// Rows of `limit` tokens, each beginning with the last token of the one before: the first token of
/// a row is predicted by nothing, and so each of the document's is predicted once.
std::vector<Example> split(const Example& example, std::int64_t limit) {
  std::vector<Example> parts;
  for (std::int64_t begin = 0; begin + 1 < example.length(); begin += limit - 1) {
    parts.push_back(part_of(example, begin, limit));
  }
  return parts;
}

/// Reads files one after the other, in blocks of rows.
class RowBlocks {
 public:
  RowBlocks(const std::vector<std::string>& files, const DataOptions& options)
      : files_(files), wanted_format_(options.format), columns_(options.columns) {}

  std::optional<RowBlock> next() {
    while (reader_ || open_next()) {
      RowBlock block = read_block();
      if (!block.rows.empty()) return block;
    }
    return std::nullopt;
  }

 private:
  bool open_next() {
    if (++file_ == std::ssize(files_)) return false;
    const std::string& file = files_[static_cast<std::size_t>(file_)];
    reader_ = io::open_rows(file);
    format_ = nullptr;
    bytes_of_files_ += file_bytes_;
    file_bytes_ = bytes_of({file});
    return true;
  }

  RowBlock read_block() {
    RowBlock block;
    block.file = static_cast<std::int32_t>(file_);
    block.reader = reader_;
    std::size_t bytes = 0;
    while (reader_ && block.rows.size() < kRowsAtOnce && bytes < kBytesAtOnce) {
      if (read_row(block.rows)) bytes += block.rows.back().raw.line.size();
    }
    block.format = format_;
    if (block.rows.empty()) return block;
    // A compressed file has more bytes in it than it takes on the disk.
    const io::RawRow& last = block.rows.back().raw;
    block.bytes_before =
        bytes_of_files_ + std::min(file_bytes_, last.first_byte + std::ssize(last.line));
    return block;
  }

  /// False where nothing came of it.
  bool read_row(std::vector<ReadRow>& rows) {
    ReadRow row;
    try {
      if (!reader_->next(row.raw)) {
        reader_.reset();
        return false;
      }
    } catch (const DataError& error) {
      row.problem = error.what();
    }
    const bool is_lost = !row.problem.empty() || (format_ == nullptr && !find_format(row));
    rows.push_back(std::move(row));
    if (is_lost) reader_.reset();  // nothing after it can mend that
    return true;
  }

  /// What the first row that can be parsed says. False where it says nothing that is known.
  bool find_format(ReadRow& row) {
    Row value;
    try {
      value = reader_->parse(io::RawRow(row.raw));
    } catch (const DataError&) {
      return true;  // it is told when the row's turn comes; the next one decides
    }
    const std::string where = reader_->where(row.raw.number);
    try {
      value = rename_columns(std::move(value), columns_);
      format_ = &choose_format(value, wanted_format_, reader_->name());
    } catch (const DataError& error) {
      row.problem = fmt::format("{}: {}", where, error.what());
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}: {}", where, error.what()));
    }
    return format_ != nullptr;
  }

  const std::vector<std::string>& files_;
  const std::string& wanted_format_;
  const Columns& columns_;
  std::int64_t file_ = -1;
  std::shared_ptr<io::RowReader> reader_;  // of files_[file_]; null: at its end
  const RowFormat* format_ = nullptr;      // of that file; null: not known yet
  std::int64_t file_bytes_ = 0;            // of that file
  std::int64_t bytes_of_files_ = 0;        // of those before it
};

/// Makes examples of blocks; any thread may ask.
class BlockTokeniser {
 public:
  BlockTokeniser(const RowContext& context, std::int64_t limit)
      : context_(context), limit_(limit) {}

  ExampleBlock operator()(RowBlock block) const {
    ExampleBlock done;
    done.bytes_before = block.bytes_before;
    for (ReadRow& row : block.rows) {
      leave_if_interrupted();
      add(std::move(row), block, done);
    }
    return done;
  }

 private:
  void add(ReadRow row, const RowBlock& block, ExampleBlock& done) const {
    const std::int64_t number = row.raw.number;
    Row value;
    try {
      HONE_CHECK(DataError, row.problem.empty(), "{}", row.problem);
      value = block.reader->parse(std::move(row.raw));
    } catch (const DataError& error) {
      done.problems.emplace_back(error.what());  // it names the row itself
      return;
    }
    ++done.counts.read;
    try {
      add_example(std::move(value), number, block, done);
    } catch (const FlawedRow& error) {
      add_flawed(error, block.reader->where(number), done);
    } catch (const DataError& error) {
      done.problems.push_back(fmt::format("{}: {}", block.reader->where(number), error.what()));
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("{}: {}", block.reader->where(number), error.what()));
    }
  }

  void add_flawed(const FlawedRow& error, const std::string& where, ExampleBlock& done) const {
    const std::string what = fmt::format("{}: {}", where, error.what());
    if (context_.options.flawed_rows == "drop") {
      done.counts.flawed[static_cast<std::size_t>(error.flaw())].add({1, what});
    } else {
      done.problems.push_back(what +
                              ". Mend the row, remove it, or have such rows left out with "
                              "data.flawed_rows: drop");
    }
  }

  void add_example(Row value, std::int64_t number, const RowBlock& block,
                   ExampleBlock& done) const {
    value = rename_columns(std::move(value), context_.options.columns);
    const Record record = to_record(std::move(value), *block.format);
    std::vector<Example> examples = fit(to_example(record, context_), record.kind, done.counts);
    if (examples.empty()) return;
    done.counts.rendered += is_messages(record);
    if (record.kind == RecordKind::kUnpaired)
      ++(examples[0].values[0] > 0 ? done.counts.desirable : done.counts.undesirable);
    count_changes(examples[0].changes, block.reader->where(number), done.counts);
    for (Example& example : examples) {
      example.changes.clear();
      example.file = block.file;
      example.row = number;
      done.examples.push_back(std::move(example));
    }
  }

  /// Each kind once a row.
  static void count_changes(const std::vector<TemplateChange>& changes, const std::string& where,
                            RowCounts& counts) {
    std::array<bool, kTemplateChangeKinds> seen{};
    for (const TemplateChange& change : changes) {
      if (std::exchange(seen[change.kind], true)) continue;
      counts.changes[change.kind].add({1, fmt::format("{}: {}", where, change.what)});
    }
  }

  /// The example, or what data.overlong makes of it where it is too long.
  std::vector<Example> fit(Example example, RecordKind kind, RowCounts& counts) const {
    const std::int64_t length = example.longest_document();
    counts.longest = std::max(counts.longest, length);
    std::vector<Example> kept;
    if (limit_ <= 0 || length <= limit_) {
      kept.push_back(std::move(example));
      return kept;
    }
    const std::string& overlong = context_.options.overlong;
    HONE_CHECK(DataError, overlong != "error",
               "the row has {} tokens, more than {}; shorten it, raise data.max_length, or set "
               "data.overlong to drop, truncate or split",
               length, limit_);
    const bool is_document = kind == RecordKind::kText || kind == RecordKind::kTokens;
    if (overlong == "truncate") kept.push_back(beginning_of(example, limit_));
    if (overlong == "split" && is_document) kept = split(example, limit_);
    std::erase_if(kept, is_spoilt);
    if (kept.empty())
      ++counts.dropped_overlong;
    else
      ++(overlong == "split" ? counts.split : counts.truncated);
    return kept;
  }

  const RowContext& context_;
  std::int64_t limit_;
};

/// Takes what the threads made, in its order.
class Collector {
 public:
  Collector(const std::function<bool(Example)>& take, const LoadSettings& settings,
            std::int64_t total_bytes)
      : take_(take), settings_(settings), total_bytes_(total_bytes) {}

  /// False where no more is wanted.
  bool add(ExampleBlock block) {
    counts_.add(block.counts);
    for (std::string& problem : block.problems) {
      problems_.push_back(std::move(problem));
      if (problems_.size() >= kMaxBadRows) refuse_bad_rows();
    }
    if (!problems_.empty()) return true;
    kept_ += std::ssize(block.examples);
    for (Example& example : block.examples)
      if (!take_(std::move(example))) return false;
    if (settings_.watch) settings_.watch({counts_.read, block.bytes_before, total_bytes_});
    return true;
  }

  RowCounts finish(const std::vector<std::string>& files, std::int64_t limit) const {
    refuse_bad_rows();
    HONE_CHECK(DataError, counts_.read > 0, "{}: no rows", fmt::join(files, ", "));
    HONE_CHECK(DataError, kept_ > 0 || counts_.dropped_overlong < counts_.read,
               "{}: all {} rows are longer than {} tokens, so none is left; the longest has {}. "
               "Raise data.max_length, or set data.overlong to truncate",
               fmt::join(files, ", "), counts_.read, limit, counts_.longest);
    HONE_CHECK(DataError, kept_ > 0, "{}: none of the {} rows is left:\n{}", fmt::join(files, ", "),
               counts_.read, fmt::join(describe_changes(counts_), "\n"));
    return counts_;
  }

 private:
  void refuse_bad_rows() const {
    if (problems_.empty()) return;
    const bool stopped = problems_.size() >= kMaxBadRows;
    throw DataError(fmt::format("{}{}", fmt::join(problems_, "\n"),
                                stopped ? "\nThere may be more: reading stopped here." : ""));
  }

  const std::function<bool(Example)>& take_;
  const LoadSettings& settings_;
  std::int64_t total_bytes_;
  RowCounts counts_;
  std::int64_t kept_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace

RowCounts tokenise(const LoadRequest& request, const std::function<bool(Example)>& take) {
  const std::int64_t limit = request.options.max_length.value_or(request.context_length);
  if (request.context_length > 0 && limit > request.context_length)
    log::warn(
        "data.max_length is {}, beyond the model's context of {} tokens; model.rope_scaling "
        "stretches it",
        limit, request.context_length);
  const RowContext context(request.options, request.tools);
  RowBlocks reader(request.files, request.options);
  const BlockTokeniser tokeniser(context, limit);
  Collector collector(take, request.settings, bytes_of(request.files));
  const int threads = std::max(1, request.settings.threads);
  Pipeline<RowBlock, ExampleBlock>::run(
      {.read = [&] { return reader.next(); },
       .work = [&](RowBlock block) { return tokeniser(std::move(block)); },
       .write = [&](ExampleBlock block) { return collector.add(std::move(block)); }},
      threads, static_cast<std::size_t>(threads) * kBlocksPerThread);
  return collector.finish(request.files, limit);
}

}  // namespace hone::datasets
