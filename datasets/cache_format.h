#pragma once

#include <cstdint>
#include <vector>

#include "datasets/row_facts.h"
#include "io/hdf5.h"

namespace hone::datasets {

// The records of a cache file (see TokenCacheWriter). They lie in it as they do in memory, so
// nothing stands between their fields.

/// A stretch of a row's tokens that weigh alike, from the end of the one before.
struct Run {
  std::int32_t end;
  float weight;
};

struct StoredRow {
  std::int64_t first_id, first_run, row;
  double weight;
  std::int32_t file, length, trained_tokens, straddling_tokens;
  std::int32_t trained_stops, dangling_stops, prompt_differs, runs;
};

static_assert(sizeof(Run) == 8 && sizeof(StoredRow) == 64);

io::Hdf5Type run_type();
io::Hdf5Type row_type();
/// @param is_narrow ids are u16, else i32
io::Hdf5Type id_type(bool is_narrow);

std::vector<Run> runs_of(const std::vector<float>& weights);
std::vector<float> weights_of(const std::vector<Run>& runs);

StoredRow stored_row(const RowFacts& facts);
RowFacts facts_of(const StoredRow& row);

}  // namespace hone::datasets
