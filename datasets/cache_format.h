#pragma once

#include <cstdint>
#include <vector>

#include "datasets/row_facts.h"
#include "io/hdf5.h"

namespace hone::datasets {

// The records of a cache file (see TokenCacheWriter). They lie in it as they do in memory, so
// nothing stands between their fields.

/// A stretch of a document's tokens that weigh alike and are all of responses or all of the prompt,
/// from the end of the one before.
struct Run {
  std::int32_t end;
  float weight;
  std::int32_t is_response;
  std::int32_t document;  ///< which one of the row, from 0
};

struct StoredRow {
  std::int64_t first_id, first_run, first_value, row;
  double weight;
  std::int32_t file, length, trained_tokens, straddling_tokens;
  std::int32_t trained_stops, dangling_stops, prompt_differs, untrained_documents;
  std::int32_t runs, values;
};

static_assert(sizeof(Run) == 16 && sizeof(StoredRow) == 80);

io::Hdf5Type run_type();
io::Hdf5Type value_type();
io::Hdf5Type row_type();
/// @param is_narrow ids are u16, else i32
io::Hdf5Type id_type(bool is_narrow);

std::vector<Run> runs_of(const Example& example);
/// Gives an example the weights, responses and documents that runs_of made of it.
void set_runs(const std::vector<Run>& runs, Example& example);

StoredRow stored_row(const RowFacts& facts);
RowFacts facts_of(const StoredRow& row);

}  // namespace hone::datasets
