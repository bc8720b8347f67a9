#include <algorithm>

#include "base/file.h"
#include "io/json.h"
#include "support/logprobs.h"
#include "support/tiny_run.h"

// Adapters as other programs see them: merge, adapters plan, and what is refused.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;

std::string base() { return test::fixture("adapters/_base_llama").string(); }
std::string adapter(const std::string& name) { return test::fixture("adapters/" + name).string(); }

std::vector<double> logprobs(const test::TempFolder& folder, const std::string& model,
                             const std::vector<std::string>& more) {
  return test::logprobs_of({3, 5, 17, 300, 8, 9, 10}, folder, model, more);
}

class MergeVerb : public testing::TestWithParam<const char*> {};

TEST_P(MergeVerb, TheMergedFolderGivesWhatTheAdapterGave) {
  const test::TempFolder folder;
  const std::string merged = (folder / "merged").string();
  const Finished finished = run_hone(
      {"merge", "--model", base(), "--adapter", adapter(GetParam()), "--output", merged, "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json report = json::parse(finished.out);
  EXPECT_LT(report["largest_change_of_logits"].get<double>(), 1e-3);
  EXPECT_LT(report["kl_nats"].get<double>(), 1e-8);
  const auto with = logprobs(folder, base(), {"--adapter", adapter(GetParam())});
  const auto after = logprobs(folder, merged, {});
  const auto without = logprobs(folder, base(), {});
  double change = 0;
  ASSERT_EQ(with.size(), after.size());
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_NEAR(with[i], after[i], 1e-4);
    change = std::max(change, std::abs(with[i] - without[i]));
  }
  EXPECT_GT(change, 1e-2) << "the adapter does something";
}

INSTANTIATE_TEST_SUITE_P(Methods, MergeVerb,
                         testing::Values("lora", "dora_rslora", "ia3", "ln_tuning", "oft", "vera",
                                         "trainable_tokens"),
                         [](const auto& one) { return std::string(one.param); });

TEST(Merge, ReportsWhatBf16Costs) {
  const test::TempFolder folder;
  const Finished finished = run_hone({"merge", "--model", base(), "--adapter", adapter("lora"),
                                      "--output", (folder / "merged").string(), "--dtype", "bf16"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json report = json::parse(finished.out);
  EXPECT_GT(report["kl_nats"].get<double>(), 1e-7);
  EXPECT_GT(report["largest_change_of_logits"].get<double>(),
            report["mean_change_of_logits"].get<double>());
}

// The adapter of a packed base is merged into the numbers that it was trained on.
TEST(Merge, TellsWhatEachWayToServeAnAdapterOfAPackedBaseCosts) {
  const test::TempFolder folder;
  const std::string merged = (folder / "merged").string();
  const Finished finished = run_hone({"merge", "--model", base(), "--adapter", adapter("lora"),
                                      "--quantization", "nf4", "--output", merged});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json costs = json::parse(finished.out)["costs"];
  const auto kl = [&](const char* way) { return costs[way]["kl_nats"].get<double>(); };
  EXPECT_LT(kl("merged_fp32"), 1e-8);
  EXPECT_GT(kl("merged_bf16"), 1e-8);
  EXPECT_GT(kl("unmerged_bf16"), 1e-8);
  EXPECT_GT(kl("merged_requantized"), 10 * kl("merged_bf16")) << costs;
  for (const auto& [way, cost] : costs.items())
    EXPECT_GE(cost["largest_change_of_logits"], cost["mean_change_of_logits"]) << way;

  const auto unmerged =
      logprobs(folder, base(), {"--adapter", adapter("lora"), "--quantization", "nf4"});
  const auto written = logprobs(folder, merged, {});
  for (std::size_t i = 0; i < written.size(); ++i) EXPECT_NEAR(unmerged[i], written[i], 1e-4);
  const json plain = json::parse(run_hone({"merge", "--model", base(), "--adapter", adapter("lora"),
                                           "--output", (folder / "plain").string()})
                                     .out);
  EXPECT_FALSE(plain["costs"].contains("merged_requantized"));
}

TEST(SeveralAdapters, AreAddedUpByWeight) {
  const test::TempFolder folder;
  const auto one = logprobs(folder, base(), {"--adapter", adapter("lora")});
  const auto halves = logprobs(
      folder, base(),
      {"--adapter", adapter("lora"), "--adapter", adapter("lora"), "--weights", "0.25,0.75"});
  const auto off = logprobs(folder, base(), {"--adapter", adapter("lora"), "--weights", "0"});
  const auto alone = logprobs(folder, base(), {});
  const auto two =
      logprobs(folder, base(), {"--adapter", adapter("lora"), "--adapter", adapter("vera")});
  double change = 0;
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_NEAR(one[i], halves[i], 1e-5);
    EXPECT_EQ(off[i], alone[i]);
    change = std::max(change, std::abs(two[i] - one[i]));
  }
  EXPECT_GT(change, 1e-3);
}

TEST(SeveralAdapters, AreRefusedWhereTheyDoNotAddUp) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", "{\"input_ids\": [1, 2]}\n").string();
  const auto refused = [&](const std::vector<std::string>& more, const char* reason) {
    std::vector<std::string> command = {"logprobs", "--model", base(), "--input", rows};
    command.insert(command.end(), more.begin(), more.end());
    const Finished finished = run_hone(command);
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_TRUE(contains(finished.err, reason));
  };
  refused({"--adapter", adapter("lora"), "--adapter", adapter("prompt_tuning")},
          "cannot be weighted or added");
  refused({"--adapter", adapter("lora"), "--weights", "1,2"}, "2 weights for 1 adapters");
  refused({"--weights", "1"}, "name one with --adapter");
}

// The ranks that are left, and what they were judged by, are in the checkpoint.
TEST(AdaLora, ResumedEndsWithTheSameBits) {
  const test::TinyRun run("{method: adalora, r: 6, target_r: 2, tinit: 2, tfinal: 3, deltaT: 2}");
  const std::vector<std::string> steps = {"train.max_steps=12", "checkpoint.save_steps=5",
                                          "checkpoint.keep_last=9"};
  const Finished through = run_hone(run.train(steps));
  ASSERT_EQ(through.exit_code, 0) << through.err;
  std::vector<std::string> rest = steps;
  const std::filesystem::path second = run.folder / "second";
  rest.insert(rest.end(), {"train.output_dir=" + second.string(), "--resume",
                           (run.output() / "checkpoints/step-5").string()});
  const Finished resumed = run_hone(run.train(rest));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  for (const char* name : {"adapter_model.safetensors", "adapter_config.json"})
    EXPECT_EQ(read_file(run.output() / "adapter" / name), read_file(second / "adapter" / name));
  const json config = io::read_json(second / "adapter/adapter_config.json");
  std::int64_t left = 0;
  for (const auto& [module, kept] : config["rank_pattern"].items())
    left += std::count(kept.begin(), kept.end(), json(true));
  EXPECT_EQ(left, 2 * std::ssize(config["rank_pattern"]));
}

// PEFT drops ranks and modules in training; hone does not.
TEST(InitFrom, IsRefusedWhereTheFolderIsTrainedInAnotherWay) {
  for (const auto& [name, key] :
       {std::pair{"loha", "rank_dropout"}, std::pair{"loha", "module_dropout"},
        std::pair{"oft", "module_dropout"}, std::pair{"boft", "boft_dropout"}}) {
    const test::TempFolder folder;
    const std::filesystem::path copy = folder / "adapter";
    std::filesystem::copy(adapter(name), copy);
    json config = io::read_json(copy / "adapter_config.json");
    config[key] = 0.1;
    folder.write("adapter/adapter_config.json", config.dump());
    const test::TinyRun run("{method: " + std::string(name) + ", init_from: '" + copy.string() +
                            "'}");
    const Finished finished = run_hone(run.train({"model.base=" + base(), "train.max_steps=1"}));
    EXPECT_EQ(finished.exit_code, 2) << name;
    EXPECT_TRUE(contains(finished.err, std::string("is trained with ") + key + " = 0.1"));
    EXPECT_EQ(logprobs(folder, base(), {"--adapter", copy}),
              logprobs(folder, base(), {"--adapter", adapter(name)}));
  }
}

// A folder holds the prefix, not the network that its training went through.
TEST(InitFrom, IsRefusedWhereTheNetworkWasLeftBehind) {
  const test::TinyRun run("{method: prefix_tuning, init_from: '" + adapter("prefix_projection") +
                          "'}");
  const Finished finished = run_hone(run.train({"model.base=" + base(), "train.max_steps=1"}));
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "not the projection"));
}

// Both of a layer's stacked weights, by the command line: unmerged as merged.
TEST(Experts, AreMergedIntoTheModelThatPeftGives) {
  const test::TempFolder folder;
  const std::string model = test::fixture("adapters/_base_mixtral").string();
  const std::string merged = (folder / "merged").string();
  const Finished finished = run_hone(
      {"merge", "--model", model, "--adapter", adapter("experts_both"), "--output", merged});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto unmerged = logprobs(folder, model, {"--adapter", adapter("experts_both")});
  const auto with = logprobs(folder, merged, {}), without = logprobs(folder, model, {});
  double effect = 0;
  for (std::size_t i = 0; i < with.size(); ++i) {
    EXPECT_NEAR(unmerged[i], with[i], 1e-4);
    effect = std::max(effect, std::abs(with[i] - without[i]));
  }
  EXPECT_GT(effect, 0.1);
}

TEST(Merge, CombinesAdaptersAndCanKeepThemOne) {
  const test::TempFolder folder;
  const std::string both = (folder / "both").string();
  const Finished finished = run_hone({"merge", "--model", base(), "--adapter", adapter("lora"),
                                      "--adapter", adapter("lora"), "--weights", "0.25", "0.75",
                                      "--combination", "cat", "--as-adapter", "--output", both});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto one = logprobs(folder, base(), {"--adapter", adapter("lora")});
  const auto same = logprobs(folder, base(), {"--adapter", both});
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], same[i], 1e-4);
}

TEST(Merge, RefusesWhatNoWeightCanHold) {
  const test::TempFolder folder;
  for (const auto& [name, reason] : {std::pair{"prompt_tuning", "tokens before every document"},
                                     std::pair{"lora_bias", "has no bias"}}) {
    const Finished finished = run_hone({"merge", "--model", base(), "--adapter", adapter(name),
                                        "--output", (folder / name).string()});
    EXPECT_EQ(finished.exit_code, 2) << name;
    EXPECT_TRUE(contains(finished.err, reason));
    EXPECT_FALSE(std::filesystem::exists(folder / name));
  }
}

TEST(Adapters, PlanStaysWithinTheBudgetAndAdvises) {
  const Finished finished =
      run_hone({"adapters", "plan", "--model", base(), "--max-parameters", "9000", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::istringstream lines(finished.out);
  int rows = 0, advised = 0;
  for (std::string line; std::getline(lines, line); ++rows) {
    const json row = json::parse(line);
    EXPECT_LE(row["parameters"].get<int>(), 9000);
    advised += row["advised"].get<bool>() ? 1 : 0;
    // q, k, v, o, gate, up, down of two layers: in + out of each, times the rank.
    if (row["targets"] == "all linear layers") {
      EXPECT_EQ(row["parameters"], 2 * (128 + 96 + 96 + 128 + 3 * 144) * row["r"].get<int>());
    }
  }
  EXPECT_GT(rows, 4);
  EXPECT_EQ(advised, 1);
  EXPECT_EQ(run_hone({"adapters", "plan", "--model", base(), "--max-parameters", "10"}).exit_code,
            2);
}

class AdapterRefusal : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(AdapterRefusal, ByTheCommandLine) {
  const test::TinyRun run(GetParam().first);
  const Finished finished = run_hone(run.train());
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, GetParam().second));
  EXPECT_FALSE(std::filesystem::exists(run.output() / "run.json"));
}

INSTANTIATE_TEST_SUITE_P(
    Configs, AdapterRefusal,
    testing::Values(
        std::pair{"{method: lora, target_modules: q_prj}", "did you mean q_proj"},
        std::pair{"{method: lora, target_modules: ['.*']}", "reaches the head lm_head"},
        std::pair{"{method: lora, r: 1000}", "above that of its matrix"},
        std::pair{"{method: lora, rank_pattern: {nothing: 2}}", "matches none of the adapted"},
        std::pair{"{method: lora, target_modules: [q_proj, '.*v_proj']}", "stands alone"},
        std::pair{"{method: lora, boft_block_size: 8}", "has no such option"},
        std::pair{"{method: full, r: 8}", "has no effect without an adapter"},
        std::pair{"{method: lora, target_parameters: mlp.experts.down_proj}", "has no experts"},
        std::pair{"{method: oft, eps: 0.1}", "has no effect without adapter.coft: true"},
        std::pair{"{method: p_tuning, encoder_dropout: 0.1}", "encoder_reparameterization_type"},
        std::pair{"{method: prefix_tuning, encoder_hidden_size: 64}", "prefix_projection: true"},
        std::pair{"{method: lora, init_lora_weights: svd}", "got \"svd\""}));

TEST(AdapterForAnotherBase, IsRefusedWithTheSizes) {
  const test::TempFolder folder;
  const std::string rows = folder.write("rows.jsonl", "{\"input_ids\": [1, 2]}\n").string();
  const Finished finished = run_hone({"logprobs", "--model", test::fixture("models/llama").string(),
                                      "--adapter", adapter("lora"), "--input", rows});
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_TRUE(contains(finished.err, "adapter for another base"));
}

}  // namespace
}  // namespace hone
