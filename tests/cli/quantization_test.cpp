#include <cmath>

#include "io/json.h"
#include "support/tiny_run.h"

// Quantised bases from the command line.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

TEST(Quantization, ALoraIsTrainedOnAPackedBase) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished trained =
      run_hone(run.train({"model.quantization=nf4", "model.quantization_skip=[down_proj]",
                          "train.precision=fp32", "train.max_steps=3"}));
  ASSERT_EQ(trained.exit_code, 0) << trained.err;
  EXPECT_TRUE(contains(trained.err, "layers nf4 in blocks of 64, scales packed again"));
  EXPECT_TRUE(contains(trained.err, "layers fp32"));
  EXPECT_EQ(test::read_jsonl(run.output() / "metrics.jsonl").size(), 3u);
  EXPECT_TRUE(std::filesystem::exists(run.output() / "adapter" / "adapter_model.safetensors"));
}

TEST(Quantization, ADoraIsTrainedOnAPackedBaseAndPutsNothingInItsPlace) {
  const TinyRun run("{method: dora, r: 4}");
  const Finished trained = run_hone(run.train({"model.quantization=nf4", "train.max_steps=2"}));
  EXPECT_EQ(trained.exit_code, 0) << trained.err;
  const TinyRun pissa("{method: lora, r: 4, init_lora_weights: pissa}");
  const Finished refused = run_hone(pissa.train({"model.quantization=nf4", "train.max_steps=2"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "the base's is quantised"));
}

TEST(Quantization, WhatIsTrainedIsNotPacked) {
  const TinyRun run("{method: full}");
  const Finished refused = run_hone(run.train({"model.quantization=nf4"}));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "a quantised weight cannot be trained"));
}

TEST(Quantization, OptionsWithoutEffectAreRefused) {
  const TinyRun run("{method: lora, r: 4}");
  for (const auto& [first, second, reason] :
       {std::tuple{"model.quantization=int8", "model.double_quantization=false",
                   "nf4 and fp4 only"},
        std::tuple{"model.quantization=nf4", "model.quantization_block_size=96", "power of two"},
        std::tuple{"model.quantization=none", "model.quantization_skip=[q_proj]",
                   "has no effect without"},
        std::tuple{"model.quantization=nf4", "model.quantization_skip=[query]",
                   "matches no layer"}}) {
    const Finished refused = run_hone(run.train({first, second}));
    EXPECT_EQ(refused.exit_code, 2) << second;
    EXPECT_TRUE(contains(refused.err, reason));
  }
}

// That they are exactly those of the dequantised weights is tested in unit/model.
TEST(Quantization, LogprobsOfAPackedModelAreTheNearerTheMoreBitsItHas) {
  const test::TempFolder folder;
  const std::string rows =
      folder.write("rows.jsonl", "{\"input_ids\": [5, 6, 7, 8, 9, 300, 200, 100]}\n").string();
  const auto first = [&](const std::string& quantization) {
    const Finished done =
        run_hone({"logprobs", "--model", test::fixture("models/llama").string(), "--dtype", "fp32",
                  "--quantization", quantization, "--input", rows});
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return json::parse(done.out)["logprobs"];
  };
  const json exact = first("none");
  const auto mean_difference = [&](const std::string& format) {
    const json packed = first(format);
    double sum = 0;
    for (std::size_t t = 0; t < exact.size(); ++t)
      sum += std::abs(packed[t].get<double>() - exact[t].get<double>());
    return sum / double(exact.size());
  };
  const double int8 = mean_difference("int8"), nf4 = mean_difference("nf4"),
               fp4 = mean_difference("fp4");
  EXPECT_GT(int8, 0);
  EXPECT_LT(int8, 0.05);
  EXPECT_LT(5 * int8, nf4);
  EXPECT_LT(5 * int8, fp4);
}

TEST(QuantizeVerb, TellsWhatEachLayerLost) {
  const test::TempFolder folder;
  const std::string rows =
      folder.write("rows.jsonl", "{\"input_ids\": [5, 6, 7, 8], \"labels\": [-100, 6, 7, 8]}\n")
          .string();
  const auto report = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "quantize", "--model", test::fixture("models/llama").string(), "--dtype", "fp32", "--json",
        "--data",   rows};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished done = run_hone(arguments);
    EXPECT_EQ(done.exit_code, 0) << done.err;
    return json::parse(done.out);
  };
  const json nf4 = report({}), int8 = report({"--format", "int8", "--skip", "down_proj"});
  ASSERT_EQ(nf4["layers"].size() % 7, 0u);
  EXPECT_EQ(int8["layers"].size(), nf4["layers"].size() / 7 * 6);
  for (const json& layer : nf4["layers"]) {
    EXPECT_GT(layer["relative_error"], 0.02) << layer["name"];
    EXPECT_LT(layer["relative_error"], 0.15) << layer["name"];
  }
  for (const json& layer : int8["layers"]) EXPECT_LT(layer["relative_error"], 0.02);
  EXPECT_LT(nf4["bytes_after"].get<double>() / nf4["bytes_before"].get<double>(), 0.14);
  EXPECT_EQ(nf4["eval_loss_before"], int8["eval_loss_before"]);
  EXPECT_NE(nf4["eval_loss_after"], nf4["eval_loss_before"]);
}

}  // namespace
}  // namespace hone
