#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

#include "base/log.h"
#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "cli/row_arguments.h"
#include "datasets/content.h"
#include "io/row_writer.h"

namespace hone::cli {
namespace {

struct Arguments {
  RowArguments rows;
  double eval_share = 0;
  std::int64_t eval_rows = 0;
  std::string train_file, eval_file;
};

constexpr std::uint64_t kMostHash = std::numeric_limits<std::uint64_t>::max();

/// The largest of the smallest hashes that `rows` different contents have: those up to it go to the
/// evaluation side. A row can leave that side only for one that is added later.
std::uint64_t bound_of_rows(const RowArguments& arguments, std::int64_t rows, std::uint64_t seed) {
  std::set<std::uint64_t> smallest;
  datasets::RecordReader reader = arguments.open();
  while (const auto placed = reader.next()) {
    smallest.insert(datasets::content_hash(placed->record, seed));
    if (std::ssize(smallest) > rows) smallest.erase(std::prev(smallest.end()));
  }
  HONE_CHECK(DataError, std::ssize(smallest) == rows,
             "--rows {}: the input has only {} different rows; take fewer", rows, smallest.size());
  return *smallest.rbegin();
}

std::uint64_t bound_of_share(double share) {
  return static_cast<std::uint64_t>(std::ldexp(share, 64));  // share is below 1
}

ExitCode run_split(const Arguments& arguments, const Common& common) {
  for (const std::string& file : {arguments.train_file, arguments.eval_file})
    arguments.rows.refuse_as_output(file);
  const std::uint64_t seed = common.seed.empty() ? 0 : std::stoull(common.seed);
  const std::uint64_t bound = arguments.eval_rows > 0
                                  ? bound_of_rows(arguments.rows, arguments.eval_rows, seed)
                                  : bound_of_share(arguments.eval_share);
  const auto train = io::create_rows(arguments.train_file);
  const auto eval = io::create_rows(arguments.eval_file);
  std::int64_t train_rows = 0, eval_rows = 0;
  datasets::RecordReader reader = arguments.rows.open();
  datasets::Row row;
  while (const auto placed = reader.next(&row)) {
    const bool is_eval = datasets::content_hash(placed->record, seed) <= bound;
    ++(is_eval ? eval_rows : train_rows);
    try {
      (is_eval ? eval : train)->write(row);
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: {}", placed->where, error.what()));
    }
  }
  HONE_CHECK(DataError, train_rows > 0 && eval_rows > 0,
             "{} rows to train on and {} to evaluate on: a side is empty, so nothing was written. "
             "Ask for another --eval or --rows",
             train_rows, eval_rows);
  train->commit();
  eval->commit();
  if (common.json) {
    print_row({{"train_rows", train_rows}, {"eval_rows", eval_rows}});
  } else {
    log::info("{} rows into {}, {} rows into {}", train_rows, arguments.train_file, eval_rows,
              arguments.eval_file);
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_split(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->rows.declare(command);
  auto* how_much = command.add_option_group("side", "How much goes to the evaluation side");
  how_much
      ->add_option("--eval", arguments->eval_share,
                   "Share of the rows: a row's side follows from its content alone, for ever")
      ->check(CLI::Range(1e-9, 1 - 1e-9));
  how_much
      ->add_option("--rows", arguments->eval_rows,
                   "Number of different rows; reads the input twice")
      ->check(CLI::PositiveNumber);
  how_much->require_option(1);
  command.add_option("--train-file", arguments->train_file, "Gets the rows to train on")
      ->required();
  command.add_option("--eval-file", arguments->eval_file, "Gets the rows to evaluate on")
      ->required();
  return [arguments, &common] { return run_split(*arguments, common); };
}

}  // namespace hone::cli
