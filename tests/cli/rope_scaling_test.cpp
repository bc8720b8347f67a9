#include <nlohmann/json.hpp>

#include "base/file.h"
#include "io/json.h"
#include "support/tiny_run.h"

// model.rope_scaling through the command line: what is trained, saved, recorded and said.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

const std::vector<std::string> kYarn = {
    "train.max_steps=2", "train.precision=fp32", "model.rope_scaling.rope_type=yarn",
    "model.rope_scaling.factor=4", "model.rope_scaling.original_max_position_embeddings=16"};
const json kYarnConfig = {{"rope_type", "yarn"},
                          {"factor", 4.0},
                          {"original_max_position_embeddings", 16},
                          {"rope_theta", 10000.0}};

/// The tiny base model, with the scaling in its own config.json.
fs::path scaled_base(const test::TempFolder& folder) {
  json config = io::read_json(test::fixture("train/_base") / "config.json");
  config["rope_parameters"] = kYarnConfig;
  fs::create_directory(folder / "base");
  folder.write("base/config.json", config.dump());
  fs::copy_file(test::fixture("train/_base") / "model.safetensors",
                folder / "base/model.safetensors");
  return folder / "base";
}

std::string logprobs(const std::vector<std::string>& model) {
  const test::TempFolder folder;
  const fs::path rows = folder.write("rows.jsonl", "{\"input_ids\": [5, 9, 44, 13, 200, 17, 8]}\n");
  std::vector<std::string> arguments{"logprobs", "--dtype", "fp32", "--input", rows};
  arguments.insert(arguments.end(), model.begin(), model.end());
  const Finished finished = run_hone(arguments);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return finished.out;
}

TEST(RopeScaling, AFullRunIsThatOfAModelWhoseConfigSaysTheSame) {
  const TinyRun asked("{method: full}"), stated("{method: full}");
  const test::TempFolder folder;
  ASSERT_EQ(run_hone(asked.train(kYarn)).exit_code, 0);
  ASSERT_EQ(run_hone(stated.train({"train.max_steps=2", "train.precision=fp32",
                                   "model.base=" + scaled_base(folder).string()}))
                .exit_code,
            0);
  const fs::path a = asked.output() / "model", b = stated.output() / "model";
  EXPECT_EQ(read_file(a / "model.safetensors"), read_file(b / "model.safetensors"));
  EXPECT_EQ(logprobs({"--model", a}), logprobs({"--model", b}));
  const json rope = io::read_json(a / "config.json")["rope_parameters"];
  for (const auto& [key, value] : kYarnConfig.items()) EXPECT_EQ(rope[key], value) << rope;
}

TEST(RopeScaling, AnAdapterSaysWhichRopeItsBaseHad) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(run.train(kYarn));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "serve it on a base whose config.json has"));
  const fs::path adapter = run.output() / "adapter";
  const json about = io::read_json(adapter / "manifest.json")["about"];
  EXPECT_EQ(about["rope_parameters"]["rope_type"], "yarn") << about;

  // hone itself puts the same rope under it again.
  const test::TempFolder folder;
  const std::string base = test::fixture("train/_base");
  const std::string alone = logprobs({"--model", base, "--adapter", adapter});
  EXPECT_EQ(alone, logprobs({"--model", scaled_base(folder), "--adapter", adapter}));
  fs::remove(adapter / "manifest.json");
  EXPECT_NE(alone, logprobs({"--model", base, "--adapter", adapter}));
}

TEST(RopeScaling, WrongKeysAreNamedWithWhatTheTypeReads) {
  const TinyRun run("{method: lora, r: 4}");
  const auto refused = [&](const std::vector<std::string>& more, const std::string& part) {
    const Finished finished = run_hone(run.train(more));
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_TRUE(contains(finished.err, part));
  };
  refused({"model.rope_scaling.rope_type=ntk"}, "one of default, linear, dynamic");
  refused({"model.rope_scaling.factor=2"}, "model.rope_scaling.rope_type");
  refused({"model.rope_scaling.rope_type=linear", "model.rope_scaling.factor=2",
           "model.rope_scaling.beta_fast=3"},
          "is nothing that rope_type linear reads");
  refused({"model.rope_scaling.rope_type=linear"}, "the key `factor` is missing");
}

TEST(RopeScaling, ALimitBeyondTheContextIsWarnedAboutUnlessItIsStretched) {
  const TinyRun run("{method: lora, r: 4}");
  const std::vector<std::string> limit = {"data.max_length=300", "train.max_steps=1",
                                          "train.overwrite_output_dir=true"};
  EXPECT_TRUE(contains(run_hone(run.train(limit)).err, "model.rope_scaling stretches it"));
  std::vector<std::string> stretched = limit;
  stretched.insert(stretched.end(),
                   {"model.rope_scaling.rope_type=linear", "model.rope_scaling.factor=4"});
  EXPECT_FALSE(contains(run_hone(run.train(stretched)).err, "beyond the model's context"));
}

TEST(RopeScaling, IsExplained) {
  const Finished finished = run_hone({"explain", "model.rope_scaling"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  for (const char* part : {"rope_type", "original_max_position_embeddings", "longrope"})
    EXPECT_TRUE(contains(finished.out, part));
}

}  // namespace
}  // namespace hone
