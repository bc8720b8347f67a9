#include "datasets/cache_format.h"

#include <cstddef>

namespace hone::datasets {

using io::Hdf5Number;
using io::Hdf5Type;

Hdf5Type run_type() {
  return {sizeof(Run),
          {{"end", Hdf5Number::kI32, offsetof(Run, end)},
           {"weight", Hdf5Number::kF32, offsetof(Run, weight)},
           {"is_response", Hdf5Number::kI32, offsetof(Run, is_response)},
           {"document", Hdf5Number::kI32, offsetof(Run, document)}}};
}

Hdf5Type value_type() { return Hdf5Type::of(Hdf5Number::kF32); }

Hdf5Type row_type() {
  const auto at = [](const char* name, Hdf5Number number, std::size_t offset) {
    return Hdf5Type::Field{name, number, offset};
  };
  return {sizeof(StoredRow),
          {at("first_id", Hdf5Number::kI64, offsetof(StoredRow, first_id)),
           at("first_run", Hdf5Number::kI64, offsetof(StoredRow, first_run)),
           at("first_value", Hdf5Number::kI64, offsetof(StoredRow, first_value)),
           at("row", Hdf5Number::kI64, offsetof(StoredRow, row)),
           at("weight", Hdf5Number::kF64, offsetof(StoredRow, weight)),
           at("file", Hdf5Number::kI32, offsetof(StoredRow, file)),
           at("length", Hdf5Number::kI32, offsetof(StoredRow, length)),
           at("trained_tokens", Hdf5Number::kI32, offsetof(StoredRow, trained_tokens)),
           at("straddling_tokens", Hdf5Number::kI32, offsetof(StoredRow, straddling_tokens)),
           at("trained_stops", Hdf5Number::kI32, offsetof(StoredRow, trained_stops)),
           at("dangling_stops", Hdf5Number::kI32, offsetof(StoredRow, dangling_stops)),
           at("prompt_differs", Hdf5Number::kI32, offsetof(StoredRow, prompt_differs)),
           at("untrained_documents", Hdf5Number::kI32, offsetof(StoredRow, untrained_documents)),
           at("runs", Hdf5Number::kI32, offsetof(StoredRow, runs)),
           at("values", Hdf5Number::kI32, offsetof(StoredRow, values))}};
}

Hdf5Type id_type(bool is_narrow) {
  return Hdf5Type::of(is_narrow ? Hdf5Number::kU16 : Hdf5Number::kI32);
}

std::vector<Run> runs_of(const Example& example) {
  std::vector<Run> runs;
  std::int32_t document = 0;
  for (std::size_t t = 0; t < example.weights.size(); ++t) {
    while (static_cast<std::int64_t>(t) >= example.document_end(document)) ++document;
    const Run next = {runs.empty() ? 0 : runs.back().end, example.weights[t], example.responses[t],
                      document};
    const bool goes_on = !runs.empty() && runs.back().weight == next.weight &&
                         runs.back().is_response == next.is_response &&
                         runs.back().document == next.document;
    if (!goes_on) runs.push_back(next);
    ++runs.back().end;
  }
  return runs;
}

void set_runs(const std::vector<Run>& runs, Example& example) {
  for (const Run& run : runs) {
    example.weights.resize(static_cast<std::size_t>(run.end), run.weight);
    example.responses.resize(static_cast<std::size_t>(run.end),
                             static_cast<std::uint8_t>(run.is_response));
    example.document_ends.resize(static_cast<std::size_t>(run.document) + 1);
    example.document_ends.back() = run.end;
  }
  if (example.document_ends.size() == 1) example.document_ends.clear();
}

StoredRow stored_row(const RowFacts& facts) {
  return {.first_id = 0,
          .first_run = 0,
          .first_value = 0,
          .row = facts.row,
          .weight = facts.weight,
          .file = facts.file,
          .length = facts.length,
          .trained_tokens = facts.trained_tokens,
          .straddling_tokens = facts.straddling_tokens,
          .trained_stops = facts.trained_stops,
          .dangling_stops = facts.dangling_stops,
          .prompt_differs = facts.prompt_differs,
          .untrained_documents = facts.untrained_documents,
          .runs = 0,
          .values = 0};
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
          .prompt_differs = row.prompt_differs,
          .untrained_documents = row.untrained_documents};
}

}  // namespace hone::datasets
