#include "datasets/cache_format.h"

#include <cstddef>

namespace hone::datasets {

using io::Hdf5Number;
using io::Hdf5Type;

Hdf5Type run_type() {
  return {sizeof(Run),
          {{"end", Hdf5Number::kI32, offsetof(Run, end)},
           {"weight", Hdf5Number::kF32, offsetof(Run, weight)},
           {"is_response", Hdf5Number::kI32, offsetof(Run, is_response)}}};
}

Hdf5Type row_type() {
  const auto at = [](const char* name, Hdf5Number number, std::size_t offset) {
    return Hdf5Type::Field{name, number, offset};
  };
  return {sizeof(StoredRow),
          {at("first_id", Hdf5Number::kI64, offsetof(StoredRow, first_id)),
           at("first_run", Hdf5Number::kI64, offsetof(StoredRow, first_run)),
           at("row", Hdf5Number::kI64, offsetof(StoredRow, row)),
           at("weight", Hdf5Number::kF64, offsetof(StoredRow, weight)),
           at("file", Hdf5Number::kI32, offsetof(StoredRow, file)),
           at("length", Hdf5Number::kI32, offsetof(StoredRow, length)),
           at("trained_tokens", Hdf5Number::kI32, offsetof(StoredRow, trained_tokens)),
           at("straddling_tokens", Hdf5Number::kI32, offsetof(StoredRow, straddling_tokens)),
           at("trained_stops", Hdf5Number::kI32, offsetof(StoredRow, trained_stops)),
           at("dangling_stops", Hdf5Number::kI32, offsetof(StoredRow, dangling_stops)),
           at("prompt_differs", Hdf5Number::kI32, offsetof(StoredRow, prompt_differs)),
           at("runs", Hdf5Number::kI32, offsetof(StoredRow, runs))}};
}

Hdf5Type id_type(bool is_narrow) {
  return Hdf5Type::of(is_narrow ? Hdf5Number::kU16 : Hdf5Number::kI32);
}

std::vector<Run> runs_of(const Example& example) {
  std::vector<Run> runs;
  for (std::size_t t = 0; t < example.weights.size(); ++t) {
    const float weight = example.weights[t];
    const std::int32_t is_response = example.responses[t];
    if (runs.empty() || runs.back().weight != weight || runs.back().is_response != is_response)
      runs.push_back({runs.empty() ? 0 : runs.back().end, weight, is_response});
    ++runs.back().end;
  }
  return runs;
}

void set_runs(const std::vector<Run>& runs, Example& example) {
  for (const Run& run : runs) {
    example.weights.resize(static_cast<std::size_t>(run.end), run.weight);
    example.responses.resize(static_cast<std::size_t>(run.end),
                             static_cast<std::uint8_t>(run.is_response));
  }
}

StoredRow stored_row(const RowFacts& facts) {
  return {.first_id = 0,
          .first_run = 0,
          .row = facts.row,
          .weight = facts.weight,
          .file = facts.file,
          .length = facts.length,
          .trained_tokens = facts.trained_tokens,
          .straddling_tokens = facts.straddling_tokens,
          .trained_stops = facts.trained_stops,
          .dangling_stops = facts.dangling_stops,
          .prompt_differs = facts.prompt_differs,
          .runs = 0};
}

RowFacts facts_of(const StoredRow& row) {
  return {.row = row.row,
          .weight = row.weight,
          .file = row.file,
          .length = row.length,
          .trained_tokens = row.trained_tokens,
          .straddling_tokens = row.straddling_tokens,
          .trained_stops = row.trained_stops,
          .dangling_stops = row.dangling_stops,
          .prompt_differs = row.prompt_differs};
}

}  // namespace hone::datasets
