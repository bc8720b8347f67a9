#include <limits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "datasets/cache_blocks.h"
#include "datasets/cache_format.h"
#include "datasets/cache_manifest.h"
#include "datasets/token_cache.h"

namespace hone::datasets {

struct TokenCacheWriter::State {
  State(const std::filesystem::path& path, bool has_narrow_ids, std::vector<std::int32_t> stops)
      : file(io::Hdf5File::create(path)),
        is_narrow(has_narrow_ids),
        stop_ids(std::move(stops)),
        ids(file, "ids", id_type(has_narrow_ids)),
        runs(file, "runs", run_type()),
        values(file, "values", value_type()),
        rows(file, "rows", row_type()) {}

  void add_ids(const std::vector<std::int32_t>& more) {
    if (!is_narrow) return ids.append(more.data(), std::ssize(more));
    narrow_ids.assign(more.begin(), more.end());
    ids.append(narrow_ids.data(), std::ssize(narrow_ids));
  }

  io::Hdf5File file;
  bool is_narrow;
  std::vector<std::int32_t> stop_ids;
  BlockWriter ids, runs, values, rows;
  RowTotals totals;
  std::vector<std::uint16_t> narrow_ids;  // room for one row
};

TokenCacheWriter::TokenCacheWriter(const std::filesystem::path& path, std::int64_t vocab_size,
                                   std::vector<std::int32_t> stop_ids) {
  const bool is_narrow =
      vocab_size > 0 && vocab_size - 1 <= std::numeric_limits<std::uint16_t>::max();
  state_ = std::make_unique<State>(path, is_narrow, std::move(stop_ids));
}

TokenCacheWriter::~TokenCacheWriter() = default;

std::int64_t TokenCacheWriter::rows() const { return state_->rows.size(); }

void TokenCacheWriter::add(const Example& example) {
  State& s = *state_;
  HONE_ASSERT(example.ids.size() == example.weights.size(), "{} ids, {} weights",
              example.ids.size(), example.weights.size());
  const RowFacts facts = facts_of(example, s.stop_ids);
  const std::vector<Run> runs = runs_of(example);
  StoredRow row = stored_row(facts);
  row.first_id = s.ids.size();
  row.first_run = s.runs.size();
  row.first_value = s.values.size();
  row.runs = static_cast<std::int32_t>(runs.size());
  row.values = static_cast<std::int32_t>(example.values.size());
  s.add_ids(example.ids);
  s.runs.append(runs.data(), std::ssize(runs));
  s.values.append(example.values.data(), std::ssize(example.values));
  s.rows.append(&row, 1);
  s.totals.add(facts);
}

void TokenCacheWriter::finish(const std::string& key, const DatasetInfo& info) {
  State& s = *state_;
  CacheManifest manifest = {.key = key, .info = info, .totals = s.totals};
  manifest.info.stop_ids = s.stop_ids;
  manifest.is_narrow = s.is_narrow;
  manifest.sizes = {s.ids.size(), s.runs.size(), s.values.size(), s.rows.size()};
  manifest.hashes = {s.ids.finish(), s.runs.finish(), s.values.finish(), s.rows.finish()};
  write_manifest(manifest, s.file);
  s.file.close();
}

}  // namespace hone::datasets
