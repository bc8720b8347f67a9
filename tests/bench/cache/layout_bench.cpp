// How ids should lie in the cache: rows of 300 tokens, read at random places, as a shuffled epoch
// reads them, out of 20 million ids that the operating system holds in memory.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "io/hdf5.h"

namespace hone::io {
namespace {

constexpr std::int64_t kRow = 300, kIds = 20'000'000;

/// Few ids are very common, as in text: what a compressor can use.
std::vector<std::uint16_t> natural_ids() {
  std::mt19937 random(20261121);
  std::uniform_real_distribution<double> uniform(0, std::log(49152.0));
  std::vector<std::uint16_t> ids(kIds);
  for (std::uint16_t& id : ids) id = static_cast<std::uint16_t>(std::exp(uniform(random)));
  return ids;
}

/// @param chunk items of a chunk; 0: one for all, so that they lie as in a contiguous dataset
void read_rows(benchmark::State& state, std::int64_t chunk, int deflate) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("hone-layout-" + std::to_string(::getpid()) + ".h5");
  const Hdf5Type type = Hdf5Type::of(Hdf5Number::kU16);
  {
    static const std::vector<std::uint16_t> ids = natural_ids();
    Hdf5File file = Hdf5File::create(path);
    const std::int64_t items = chunk == 0 ? kIds : chunk;
    Hdf5Dataset dataset = file.add_dataset("ids", type, {items, deflate});
    for (std::int64_t first = 0; first < kIds; first += items)
      dataset.append(ids.data() + first, std::min(items, kIds - first));
    file.close();
  }
  const Hdf5File file = Hdf5File::open(path);
  const Hdf5Dataset dataset = file.dataset("ids", type);
  std::mt19937_64 random(1);
  std::vector<std::uint16_t> row(kRow);
  for (auto _ : state) {
    dataset.read(static_cast<std::int64_t>(random() % (kIds - kRow)), kRow, row.data());
    benchmark::DoNotOptimize(row.data());
  }
  state.SetItemsProcessed(state.iterations() * kRow);
  state.counters["file_mb"] = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  std::filesystem::remove(path);
}

BENCHMARK_CAPTURE(read_rows, contiguous, 0, 0);
BENCHMARK_CAPTURE(read_rows, chunks_of_16Ki, 1 << 14, 0);
BENCHMARK_CAPTURE(read_rows, chunks_of_64Ki, 1 << 16, 0);
BENCHMARK_CAPTURE(read_rows, chunks_of_1Mi, 1 << 20, 0);
BENCHMARK_CAPTURE(read_rows, chunks_of_4Ki_deflated, 1 << 12, 1);
BENCHMARK_CAPTURE(read_rows, chunks_of_64Ki_deflated, 1 << 16, 1);

}  // namespace
}  // namespace hone::io

BENCHMARK_MAIN();
