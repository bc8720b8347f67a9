#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "distributed/rank_process.h"
#include "io/safetensors.h"

// What ranks divide among themselves changes no number: over Gloo, by the command line.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;
using Texts = std::vector<std::string>;

struct Kind {
  const char* name;
  const char* adapter;
  const char* method;
  const char* rows;
  const char* product;
  double rate;  // the highest that its steps have
  Texts more;
};

const Kind kKinds[] = {
    {"SftLora",
     "{method: lora, r: 4, lora_dropout: 0.1}",
     "sft",
     "sft",
     "adapter/adapter_model.safetensors",
     1e-3,
     {}},
    {"SftFull",
     "{method: full}",
     "sft",
     "sft",
     "model/model.safetensors",
     1e-4,
     {"optim.learning_rate=1e-4"}},
    {"DpoLora",
     "{method: lora, r: 4}",
     "dpo",
     "pref",
     "adapter/adapter_model.safetensors",
     1e-3,
     {}},
    {"QLora",
     "{method: lora, r: 4}",
     "sft",
     "sft",
     "adapter/adapter_model.safetensors",
     1e-3,
     {"model.quantization=nf4"}},
};

const Texts kStrategies[] = {
    {"ddp"}, {"zero1"}, {"zero2"}, {"fsdp"}, {"hybrid", "distributed.shard_size=2"}};

constexpr int kSteps = 5;
constexpr int kMicroBatches = 4;  // of a step, over all ranks

Texts overrides_of(const Kind& kind, int ranks, const fs::path& output) {
  Texts all = {
      fmt::format("train.method={}", kind.method),
      "data.train=" + test::fixture(fmt::format("train/data/{}.jsonl", kind.rows)).string(),
      "data.shuffle=true",
      fmt::format("train.max_steps={}", kSteps),
      fmt::format("train.gradient_accumulation_steps={}", kMicroBatches / ranks),
      "train.output_dir=" + output.string()};
  all.insert(all.end(), kind.more.begin(), kind.more.end());
  return all;
}

/// @param tolerance of a loss, of its size where that is above 1
void expect_same_losses(const fs::path& alone, const fs::path& shared, double tolerance = 1e-6) {
  const auto one = test::steps_in(alone), several = test::steps_in(shared);
  ASSERT_EQ(one.size(), std::size_t{kSteps});
  ASSERT_EQ(several.size(), one.size());
  const auto expect_near = [&](std::size_t i, const char* key, double within) {
    const double a = one[i].at(key), b = several[i].at(key);
    EXPECT_NEAR(a, b, within * std::max(1.0, std::abs(a))) << key << " of step " << i + 1;
  };
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i]["tokens"], several[i]["tokens"]) << "step " << i + 1;
    expect_near(i, "loss", tolerance);
    expect_near(i, "grad_norm", 100 * tolerance);
  }
}

/// Adam moves a weight by about the rate whatever its gradient's size is, so that where a gradient
/// is all rounding the weights differ by as much: few do.
/// @param rate the run's highest
void expect_same_numbers(const fs::path& one, const fs::path& other, double rate) {
  const io::SafetensorsFile a(one), b(other);
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const io::TensorView& view : a.tensors()) {
    const io::TensorView* found = b.find(view.name);
    ASSERT_TRUE(found != nullptr && found->shape == view.shape) << view.name;
    ASSERT_EQ(view.dtype, io::DType::kF32) << view.name;
    double squares = 0;
    for (std::size_t at = 0; at < view.size_bytes; at += sizeof(float)) {
      float x = 0, y = 0;
      std::memcpy(&x, view.data + at, sizeof x);
      std::memcpy(&y, found->data + at, sizeof y);
      squares += (double(x) - double(y)) * (double(x) - double(y));
    }
    const double count = double(view.size_bytes) / sizeof(float);
    EXPECT_LT(std::sqrt(squares / count), 0.01 * rate) << view.name;
  }
}

using Case = std::tuple<Kind, Texts, int>;
class Strategies : public testing::TestWithParam<Case> {};

TEST_P(Strategies, TakeTheStepsOfOneRankAndMakeItsProduct) {
  const auto& [kind, strategy, ranks] = GetParam();
  const TinyRun run(kind.adapter);
  const fs::path alone = run.folder / "alone", shared = run.folder / "shared";
  const Finished first = run_hone(run.train(overrides_of(kind, 1, alone)));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  Texts overrides = overrides_of(kind, ranks, shared);
  overrides.push_back("distributed.strategy=" + strategy[0]);
  overrides.insert(overrides.end(), strategy.begin() + 1, strategy.end());
  const Finished finished = run_hone(test::launch(run, ranks, overrides));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  expect_same_losses(alone, shared);
  expect_same_numbers(alone / kind.product, shared / kind.product, kind.rate);
}

std::string name_of(const testing::TestParamInfo<Case>& one) {
  return fmt::format("{}{}On{}", std::get<0>(one.param).name, std::get<1>(one.param).front(),
                     std::get<2>(one.param));
}

INSTANTIATE_TEST_SUITE_P(Fast, Strategies,
                         testing::Values(Case{kKinds[1], kStrategies[1], 2},
                                         Case{kKinds[0], kStrategies[2], 2},
                                         Case{kKinds[1], kStrategies[3], 2},
                                         Case{kKinds[2], kStrategies[3], 2},
                                         Case{kKinds[3], kStrategies[3], 2}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(SlowTwo, Strategies,
                         testing::Combine(testing::ValuesIn(kKinds),
                                          testing::Values(kStrategies[1], kStrategies[2],
                                                          kStrategies[3]),
                                          testing::Values(2)),
                         name_of);
INSTANTIATE_TEST_SUITE_P(SlowFour, Strategies,
                         testing::Combine(testing::ValuesIn(kKinds), testing::ValuesIn(kStrategies),
                                          testing::Values(4)),
                         name_of);

/// Full fine-tuning by an optimizer whose numbers have few bits somewhere (Muon multiplies in bf16,
/// moments of 8 bits), so that sums in another order show earlier.
void expect_like_alone(int ranks, const Texts& more) {
  Kind kind = kKinds[1];
  kind.more.insert(kind.more.end(), more.begin(), more.end());
  const TinyRun run(kind.adapter);
  const fs::path alone = run.folder / "alone", shared = run.folder / "shared";
  const Finished first = run_hone(run.train(overrides_of(kind, 1, alone)));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  Texts overrides = overrides_of(kind, ranks, shared);
  overrides.emplace_back("distributed.strategy=fsdp");
  const Finished finished = run_hone(test::launch(run, ranks, overrides));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  expect_same_losses(alone, shared, 1e-5);
  expect_same_numbers(alone / kind.product, shared / kind.product, kind.rate);
}

TEST(Fsdp, DealsMatricesWholeToRanksForMuon) { expect_like_alone(2, {"optim.name=muon"}); }

TEST(Fsdp, SlowKeepsBlocksOf8BitMomentsWholeAndComputesLayersAgain) {
  expect_like_alone(4,
                    {"optim.name=adamw_8bit", "optim.min_8bit_size=1",
                     "train.gradient_checkpointing=every_layer", "distributed.gather_ahead=false"});
}

TEST(Fsdp, GoesAlongWhereARankHasFewerMicroBatches) {
  // Of the 80 micro-batches the last step has 8, for three ranks: each pass of a decoder takes all.
  const TinyRun run("{method: lora, r: 4}");
  const auto overrides = [&](const char* output, int accumulation) {
    return Texts{"train.method=kto",
                 "data.train=" + test::fixture("train/data/kto.jsonl").string(),
                 "data.shuffle=true",
                 "train.max_steps=0",
                 "train.num_train_epochs=1",
                 fmt::format("train.gradient_accumulation_steps={}", accumulation),
                 "distributed.strategy=fsdp",
                 "train.output_dir=" + (run.folder / output).string()};
  };
  const Finished first = run_hone(run.train(overrides("alone", 9)));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const Finished finished = run_hone(test::launch(run, 3, overrides("shared", 3)));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto one = test::steps_in(run.folder / "alone"),
             two = test::steps_in(run.folder / "shared");
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    EXPECT_NEAR(one[i]["loss"].get<double>(), two[i]["loss"].get<double>(), 1e-6);
}

TEST(Strategy, RefusesWhatItDoesNotGoWith) {
  const TinyRun run("{method: adalora, r: 6, target_r: 3, tinit: 1, tfinal: 2, deltaT: 1}");
  const Finished finished = run_hone(test::launch(run, 2, {"distributed.strategy=zero1"}));
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "adapter.method: adalora and distributed.strategy: zero1"))
      << finished.err;
}

TEST(Hybrid, RefusesGroupsThatDoNotDivideTheRanks) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished =
      run_hone(test::launch(run, 3, {"distributed.strategy=hybrid", "distributed.shard_size=2"}));
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "distributed.shard_size: 2 ranks")) << finished.err;
}

}  // namespace
}  // namespace hone
