#include <map>

#include "base/log.h"
#include "base/philox.h"
#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "cli/row_arguments.h"
#include "io/row_reader.h"
#include "io/row_writer.h"

namespace hone::cli {
namespace {

struct Arguments {
  RowArguments rows;
  std::int64_t count = 0;
  std::string output;
};

/// Keeps `count` of the rows that it is shown, each set of them as likely as any other, in memory
/// for that many: those whose random numbers are the smallest.
class Sample {
 public:
  Sample(std::int64_t count, std::uint64_t seed) : count_(count), random_(seed) {}

  /// True where the row that comes next is to be kept so far.
  bool wants_next() {
    const Philox::Words random =
        random_(seen_++, static_cast<std::uint64_t>(RandomStream::kDataSample));
    next_ = {std::uint64_t{random.w[0]} << 32 | random.w[1], seen_};
    return std::ssize(kept_) < count_ || next_ < kept_.rbegin()->first;
  }

  void keep(nlohmann::ordered_json row) {
    kept_.emplace(next_, std::move(row));
    if (std::ssize(kept_) > count_) kept_.erase(std::prev(kept_.end()));
  }

  std::uint64_t seen() const { return seen_; }

  /// The rows in the order in which they were shown.
  std::map<std::uint64_t, nlohmann::ordered_json> take() {
    std::map<std::uint64_t, nlohmann::ordered_json> rows;
    for (auto& [key, row] : kept_) rows.emplace(key.second, std::move(row));
    return rows;
  }

 private:
  using Key = std::pair<std::uint64_t, std::uint64_t>;  // random number, place among the rows
  std::int64_t count_;
  Philox random_;
  std::uint64_t seen_ = 0;
  Key next_;
  std::map<Key, nlohmann::ordered_json> kept_;
};

void show_rows(const std::vector<std::string>& files, Sample& sample) {
  for (const std::string& file : files) {
    const auto reader = io::open_rows(file);
    io::RawRow raw;
    while (reader->next(raw))
      if (sample.wants_next()) sample.keep(reader->parse(std::move(raw)));
  }
}

ExitCode run_sample(const Arguments& arguments, const Common& common) {
  arguments.rows.refuse_as_output(arguments.output);
  Sample sample(arguments.count, common.seed.empty() ? 0 : std::stoull(common.seed));
  show_rows(arguments.rows.files(), sample);
  HONE_CHECK(DataError, sample.seen() >= static_cast<std::uint64_t>(arguments.count),
             "--rows {}: the input has only {} rows; take fewer", arguments.count, sample.seen());
  const auto writer = io::create_rows(arguments.output);
  for (const auto& [place, row] : sample.take()) writer->write(row);
  writer->commit();
  if (common.json) {
    print_row({{"rows", arguments.count}, {"of", sample.seen()}});
  } else {
    log::info("{} of {} rows into {}", arguments.count, sample.seen(), arguments.output);
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_sample(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->rows.declare_input(command);
  command
      .add_option("--rows", arguments->count, "How many rows are taken; they are held in memory")
      ->required()
      ->check(CLI::PositiveNumber);
  command
      .add_option("--output", arguments->output,
                  "File that is written: .jsonl, .csv or .tsv, each also with .gz")
      ->required();
  return [arguments, &common] { return run_sample(*arguments, common); };
}

}  // namespace hone::cli
