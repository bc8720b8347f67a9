#include "io/json.h"
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
  std::vector<std::string> command = {
      "logprobs",
      "--model",
      model,
      "--dtype",
      "fp32",
      "--input",
      folder.write("rows.jsonl", "{\"input_ids\": [3, 5, 17, 300, 8, 9, 10]}\n").string()};
  command.insert(command.end(), more.begin(), more.end());
  const Finished finished = run_hone(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return json::parse(finished.out)["logprobs"].get<std::vector<double>>();
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
                                         "trainable_tokens"));

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
    if (row["targets"] == "all linear layers")
      EXPECT_EQ(row["parameters"], 2 * (128 + 96 + 96 + 128 + 3 * 144) * row["r"].get<int>());
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
