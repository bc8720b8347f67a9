#include <fmt/ranges.h>

#include <map>

#include "base/log.h"
#include "cli/data_verbs.h"
#include "cli/model_arguments.h"
#include "cli/row_arguments.h"
#include "datasets/conversation.h"
#include "io/row_writer.h"

namespace hone::cli {
namespace {

struct Arguments {
  RowArguments rows;
  std::string to, output;
};

/// How often something was lost, by what it is.
using Losses = std::map<std::string, std::int64_t>;

std::int64_t convert(const Arguments& arguments, io::RowWriter& writer, Losses& losses) {
  const datasets::RowFormat& target = datasets::row_format_named(arguments.to);
  datasets::RecordReader reader = arguments.rows.open();
  std::int64_t rows = 0;
  while (const auto placed = reader.next()) {
    try {
      if (placed->record.kind == datasets::RecordKind::kConversation)
        datasets::read_conversation(placed->record.value);  // throws where it is none
      std::string lost;
      writer.write(target.from_record(placed->record, lost));
      if (!lost.empty()) ++losses[lost];
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: {}", placed->where, error.what()));
    }
    ++rows;
  }
  HONE_CHECK(DataError, rows > 0, "{}: no rows", fmt::join(arguments.rows.input, ", "));
  return rows;
}

ExitCode run_convert(const Arguments& arguments, const Common& common) {
  arguments.rows.refuse_as_output(arguments.output);
  const auto writer = io::create_rows(arguments.output);
  Losses losses;
  const std::int64_t rows = convert(arguments, *writer, losses);
  writer->commit();
  for (const auto& [what, count] : losses)
    log::warn("{} of {} rows lost {}, for which {} has no place", count, rows, what, arguments.to);
  if (common.json) {
    print_row({{"rows", rows}, {"lost", losses}});
  } else {
    log::info("{} rows into {}", rows, arguments.output);
  }
  return ExitCode::kDone;
}

}  // namespace

Action declare_data_convert(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->rows.declare(command);
  command.add_option("--to", arguments->to, "Format of the rows that are written, as data.format")
      ->required();
  command
      .add_option("--output", arguments->output,
                  "File that is written: .jsonl, .csv or .tsv, each also with .gz")
      ->required();
  return [arguments, &common] { return run_convert(*arguments, common); };
}

}  // namespace hone::cli
