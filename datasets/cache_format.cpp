#include "datasets/cache_format.h"

#include <cstddef>

namespace hone::datasets {

using io::Hdf5Number;
using io::Hdf5Type;

Hdf5Type run_type() {
  return {sizeof(Run),
          {{"end", Hdf5Number::kI32, offsetof(Run, end)},
           {"weight", Hdf5Number::kF32, offsetof(Run, weight)}}};
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

std::vector<Run> runs_of(const std::vector<float>& weights) {
  std::vector<Run> runs;
  for (const float weight : weights) {
    if (runs.empty() || runs.back().weight != weight)
      runs.push_back({runs.empty() ? 0 : runs.back().end, weight});
    ++runs.back().end;
  }
  return runs;
}

std::vector<float> weights_of(const std::vector<Run>& runs) {
  std::vector<float> weights;
  for (const Run& run : runs) weights.resize(static_cast<std::size_t>(run.end), run.weight);
  return weights;
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
