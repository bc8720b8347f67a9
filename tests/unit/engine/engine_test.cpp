#include "base/error.h"
#include "config/load.h"
#include "engine/batch.h"
#include "engine/device.h"
#include "engine/options.h"
#include "engine/run_book.h"
#include "support/support.h"

namespace hone::engine {
namespace {

TEST(ToDevice, TakesOnlyTheTokensThatCarryWeight) {
  datasets::Batch batch;
  batch.ids = {5, 6, 7, 8, 9};
  batch.positions = {0, 1, 2, 0, 1};
  batch.targets = {6, 7, 0, 9, 0};
  batch.weights = {0, 1, 0, 0.5f, 0};
  batch.cu_seqlens = {0, 3, 5};
  const DeviceBatch on_device = to_device(batch, torch::kCPU);
  EXPECT_TRUE(on_device.rows_M.equal(torch::tensor({1, 3}, torch::kInt64)));
  EXPECT_TRUE(on_device.targets_M.equal(torch::tensor({7, 9}, torch::kInt64)));
  EXPECT_TRUE(on_device.weights_M.equal(torch::tensor({1.0f, 0.5f})));
  EXPECT_TRUE(on_device.counts_D.equal(torch::tensor({1, 1}, torch::kInt64)));
  EXPECT_EQ(on_device.tokens.cu_seqlens, batch.cu_seqlens);
}

TEST(Place, WhatIsStatedDecidesAndAutoFollowsIt) {
  EXPECT_EQ(place("cpu", "fp32", "auto").weight_dtype, torch::kFloat32);
  EXPECT_EQ(place("cpu", "auto", "bf16").compute_dtype, torch::kBFloat16);
  const Placement mixed = place("cpu", "bf16", "fp32");
  EXPECT_EQ(mixed.compute_dtype, torch::kBFloat16);
  EXPECT_EQ(mixed.weight_dtype, torch::kFloat32);
  for (const char* device : {"gpu", "cuda:x", "cuda:-1", ""})
    EXPECT_THROW(place(device, "auto", "auto"), ConfigError) << device;
}

TEST(RunOptions, EveryConfigInConfigsIsRight) {
  int found = 0;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(test::source_folder() / "configs")) {
    if (entry.path().extension() != ".yaml") continue;
    ++found;
    const auto loaded = config::load<RunOptions>(entry.path());
    // A resolved config is a config, and says the same.
    const std::string resolved = config::dump(loaded.options);
    EXPECT_EQ(config::dump(config::parse<RunOptions>(resolved, "resolved").options), resolved);
  }
  EXPECT_GT(found, 0);
}

TEST(RunOptions, AnAdaptersOptionsWithoutAnAdapterAreRefused) {
  const std::string text = "model: {base: x}\ndata: {train: CMakeLists.txt}\nadapter: {r: 8}\n";
  EXPECT_TRUE(test::contains(
      test::message_of<ConfigError>([&] { config::parse<RunOptions>(text, "c.yaml"); }),
      "c.yaml:3: adapter.r"));
}

}  // namespace
}  // namespace hone::engine
