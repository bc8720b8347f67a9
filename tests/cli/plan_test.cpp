#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/file.h"
#include "io/json.h"
#include "support/tiny_run.h"

// `hone plan` beside runs: what it says before is what the run's record says after.

namespace hone {
namespace {

using nlohmann::json;
using test::contains;
using test::rows_of;
using test::run_hone;
using test::TinyRun;

/// What a verb that says one thing says; nothing where it fails, as the test does then.
json only_row(const std::vector<std::string>& arguments) {
  const std::vector<json> rows = rows_of(run_hone(arguments));
  EXPECT_EQ(rows.size(), 1u);
  return rows.empty() ? json::object() : rows.front();
}

std::vector<std::string> plan_of(const std::string& config, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {"plan", config, "--json", "--device-tflops", "1"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

json memory_of_run(const TinyRun& run, const std::vector<std::string>& overrides) {
  const test::Finished finished = run_hone(run.train(overrides));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return io::read_json(run.output() / "run.json").at("memory");
}

struct Case {
  const char* name;
  const char* adapter;
  std::vector<std::string> overrides;
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class PlannedMemory : public testing::TestWithParam<Case> {};

TEST_P(PlannedMemory, IsThatOfTheRun) {
  const TinyRun run(GetParam().adapter);
  std::vector<std::string> overrides = GetParam().overrides;
  overrides.emplace_back("train.max_steps=4");
  const json planned = only_row(plan_of(run.config, overrides))["memory"];
  const json measured = memory_of_run(run, overrides);
  for (const char* key : {"weights_bytes", "trained_bytes", "moments_bytes", "gradients_bytes"})
    EXPECT_EQ(planned[key], measured[key]) << key;
  // Of so small a model a step holds little beside the layers' tensors, and all the same up to half
  // of its activations is what operations need for a moment: the bound is on the peak of it all.
  std::int64_t peak = 0;
  for (const auto& [key, bytes] : measured.items()) peak += bytes.get<std::int64_t>();
  EXPECT_NEAR(planned["total_bytes"].get<double>() / double(peak), 1, 0.15)
      << planned.dump() << " planned, " << measured.dump() << " measured";
}

INSTANTIATE_TEST_SUITE_P(
    Methods, PlannedMemory,
    testing::Values(
        Case{"lora", "{method: lora, r: 8}", {}},
        Case{"lora_bf16", "{method: lora, r: 8}", {"train.precision=bf16"}},
        Case{"lora_on_attention", "{method: lora, r: 8, target_modules: [q_proj, v_proj]}", {}},
        Case{"lora_8bit", "{method: lora, r: 8}", {"optim.name=adamw_8bit"}},
        Case{"lora_recomputed",
             "{method: lora, r: 8}",
             {"train.gradient_checkpointing=every_layer"}},
        Case{"qlora", "{method: lora, r: 8}", {"model.quantization=nf4"}},
        Case{"int8", "{method: lora, r: 8}", {"model.quantization=int8"}},
        Case{"pissa", "{method: lora, r: 8, init_lora_weights: pissa}", {}},
        Case{"full", "{method: full}", {"train.gradient_accumulation_steps=1"}},
        Case{"full_bf16",
             "{method: full}",
             {"train.precision=bf16", "train.gradient_accumulation_steps=1"}},
        Case{"full_large_batch",
             "{method: full}",
             {"train.gradient_accumulation_steps=1", "train.per_device_train_batch_size=16"}},
        Case{"lora_large_batch",
             "{method: lora, r: 32}",
             {"train.gradient_accumulation_steps=1", "train.per_device_train_batch_size=16"}}),
    [](const auto& one) { return std::string(one.param.name); });

/// Every method of the table has a plan, and it counts what the method trains.
TEST(Plan, CountsWhatEveryMethodTrains) {
  for (const char* adapter :
       {"{method: lora, r: 4, use_dora: true}",
        "{method: adalora, r: 6, target_r: 2, tinit: 2, tfinal: 3, deltaT: 2}", "{method: ia3}",
        "{method: vera, r: 8}", "{method: loha, r: 4}", "{method: lokr, r: 4}",
        "{method: oft, oft_block_size: 4}", "{method: boft, boft_block_size: 4}",
        "{method: ln_tuning}", "{method: prompt_tuning}", "{method: prefix_tuning}",
        "{method: p_tuning}", "{method: full}"}) {
    const TinyRun run(adapter);
    const json planned = only_row(plan_of(run.config, {}));
    const json measured = memory_of_run(run, {});
    EXPECT_EQ(planned["memory"]["trained_bytes"], measured["trained_bytes"]) << adapter;
    EXPECT_EQ(planned["memory"]["moments_bytes"], measured["moments_bytes"]) << adapter;
    EXPECT_EQ(planned["trained_parameters"].get<std::int64_t>() * 4, measured["trained_bytes"])
        << adapter;
  }
}

TEST(Plan, CountsWorkAsTheRunDoes) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train({"train.max_steps=5"})).exit_code, 0);
  const json planned = only_row(plan_of(run.config, {"train.max_steps=5"}));
  double tokens = 0, flops = 0;
  const double peak = io::read_json(run.output() / "run.json")["matrix_peak_flops"];
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl")) {
    if (!line.contains("loss")) continue;
    tokens += line["tokens"].get<double>();
    flops += line["mfu"].get<double>() * line["time_s"].get<double>() * peak;
  }
  EXPECT_EQ(planned["steps"], 5);
  EXPECT_DOUBLE_EQ(planned["tokens_per_step"].get<double>() * 5, tokens);
  EXPECT_NEAR(planned["flops"]["run"].get<double>() / flops, 1, 1e-9);
}

TEST(Plan, NeedsNoWeightsAndReadsNoRows) {
  const test::TempFolder folder;
  const auto base = test::fixture("models/llama");
  std::filesystem::create_directories(folder / "model");
  std::filesystem::copy_file(base / "config.json", folder / "model" / "config.json");
  const std::string rows = folder.write("rows.jsonl", "no row");
  const std::string config =
      folder
          .write("config.yaml", "model: {base: '" + (folder / "model").string() +
                                    "'}\nadapter: {method: lora, r: 4}\n"
                                    "data: {train: " +
                                    rows + "}\ntrain: {max_steps: 10}\n")
          .string();
  const json planned = only_row(plan_of(config, {"--tokens", "4096", "--documents", "4"}));
  EXPECT_EQ(planned["longest_micro_batch"]["tokens"], 4096);
  EXPECT_GT(planned["memory"]["weights_bytes"], 0);
}

TEST(Plan, AdvisesWhatMakesItFitCheapestFirst) {
  const TinyRun run("{method: full}");
  const std::vector<std::string> batch = {"train.per_device_train_batch_size=8"};
  const json whole = only_row(plan_of(run.config, batch));
  const auto total = whole["memory"]["total_bytes"].get<std::int64_t>();
  std::vector<std::string> asked = batch;
  asked.insert(asked.end(), {"--memory", fmt::format("{}", total * 2 / 3)});
  const json planned = only_row(plan_of(run.config, asked));
  EXPECT_FALSE(planned["fits"]);
  ASSERT_FALSE(planned["advice"].empty());
  EXPECT_EQ(planned["advice"][0]["overrides"][0], "train.per_device_train_batch_size=4");
  std::int64_t before = total;
  std::vector<std::string> taken = batch;
  for (const json& one : planned["advice"]) {
    EXPECT_LT(one["total_bytes"], before);
    before = one["total_bytes"];
    for (const json& text : one["overrides"]) taken.push_back(text.get<std::string>());
  }
  EXPECT_LE(before, total * 2 / 3);
  // What is advised is a config that plans as promised.
  const json smaller = only_row(plan_of(run.config, taken));
  EXPECT_EQ(smaller["memory"]["total_bytes"], before);
  asked.back() = "1GiB";
  EXPECT_TRUE(only_row(plan_of(run.config, asked))["fits"]);
  for (const char* no_size : {"lots", "1e11TB", "0.1", "-1GB", "inf"}) {
    asked.back() = no_size;
    EXPECT_EQ(run_hone(plan_of(run.config, asked)).exit_code, 2) << no_size;
  }
}

TEST(Plan, SharesARunAmongRanks) {
  const TinyRun run("{method: full}");
  const json planned = only_row(plan_of(run.config, {"--ranks", "4"}));
  const json &ranks = planned["ranks"], &whole = planned["memory"];
  EXPECT_EQ(ranks["ddp"]["total_bytes"], whole["total_bytes"]);
  EXPECT_EQ(ranks["zero1"]["moments_bytes"], whole["moments_bytes"].get<std::int64_t>() / 4);
  EXPECT_EQ(ranks["zero2"]["gradients_bytes"], whole["gradients_bytes"].get<std::int64_t>() / 4);
  EXPECT_EQ(ranks["zero2"]["trained_bytes"], whole["trained_bytes"]);
  EXPECT_EQ(ranks["fsdp"]["trained_bytes"], whole["trained_bytes"].get<std::int64_t>() / 4);
}

TEST(Plan, LeavesOutWhatSoManyRanksCannotBeDividedBy) {
  const TinyRun run("{method: full}");
  const std::vector<std::string> nodes = {"--ranks", "6", "--gpus-per-node", "4"};
  const json ranks = only_row(plan_of(run.config, nodes))["ranks"];
  EXPECT_FALSE(ranks.contains("hybrid"));
  EXPECT_TRUE(ranks.contains("fsdp"));
  EXPECT_TRUE(
      only_row(plan_of(run.config, {"--ranks", "8", "--gpus-per-node", "4"}))["ranks"].contains(
          "hybrid"));
}

TEST(Plan, EndsNoLineWithBlanks) {
  const TinyRun run("{method: full}");
  const test::Finished told = run_hone({"plan", run.config, "--device-tflops", "1"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_FALSE(contains(told.out, " \n")) << told.out;
}

/// Predictions of a full fine-tuning whose numbers are round.
class Scale : public testing::Test {
 protected:
  json predict(const std::map<std::string, std::string>& more) {
    std::map<std::string, std::string> flags = more;
    flags.merge(std::map<std::string, std::string>{{"--device-tflops", "1"},
                                                   {"--step-time", "1"},
                                                   {"--intra-node", "100"},
                                                   {"--inter-node", "10"},
                                                   {"--intra-latency", "0"},
                                                   {"--inter-latency", "0"},
                                                   {"--reached", "1"}});
    std::vector<std::string> arguments = {"plan", run.config, "--json", "--scale"};
    for (const auto& [flag, value] : flags) arguments.insert(arguments.end(), {flag, value});
    return only_row(arguments);
  }
  static json at(const json& document, const std::string& strategy, int gpus) {
    for (const json& one : document["predictions"])
      if (one["strategy"] == strategy && one["gpus"] == gpus) return one;
    ADD_FAILURE() << strategy << " on " << gpus;
    return {};
  }
  const TinyRun run{"{method: full}"};
};

TEST_F(Scale, SendsWhatRingsSend) {
  const json document = predict({});
  const json plan = only_row(plan_of(run.config, {}));
  const auto gradients = plan["memory"]["gradients_bytes"].get<double>();
  for (const int n : {8, 64, 1024}) {
    const double share = double(n - 1) / n;
    EXPECT_NEAR(at(document, "ddp", n)["sent_bytes"], 2 * share * gradients, 1);
    EXPECT_NEAR(at(document, "zero1", n)["sent_bytes"], 3 * share * gradients, 1);
    // Four micro-batches: scattered in each, and the updated weights gathered.
    EXPECT_NEAR(at(document, "zero2", n)["sent_bytes"], (4 + 1) * share * gradients, 1);
    // Four micro-batches: gathered twice and scattered once in each.
    EXPECT_NEAR(at(document, "fsdp", n)["sent_bytes"], 4 * 3 * share * gradients, 1);
  }
  // Eight to a node: nothing but a part's sum leaves it.
  const double inside = 4 * 3 * 7.0 / 8 * gradients;
  EXPECT_NEAR(at(document, "hybrid", 8)["sent_bytes"], inside, 1);
  EXPECT_NEAR(at(document, "hybrid", 64)["sent_bytes"], inside + 2 * 7.0 / 8 * gradients / 8, 1);
}

TEST_F(Scale, TakesTheSlowerLinkBeyondANode) {
  const json document = predict({});
  const json inside = at(document, "ddp", 8), outside = at(document, "ddp", 16);
  const auto seconds = [](const json& one, double bandwidth) {
    return one["sent_bytes"].get<double>() / bandwidth;
  };
  EXPECT_NEAR(inside["exchange_s"], seconds(inside, 100e9), 1e-12);
  EXPECT_NEAR(outside["exchange_s"], seconds(outside, 10e9), 1e-12);
  EXPECT_NEAR(outside["step_without_overlap_s"], 1 + seconds(outside, 10e9), 1e-12);
  EXPECT_LE(outside["step_s"], outside["step_without_overlap_s"]);
}

TEST_F(Scale, HidesExchangesBehindComputingAndNoMore) {
  // So slow that computing covers little of it: as long as it takes itself.
  const json document = predict({{"--intra-node", "1e-6"}});
  const json layers = at(document, "fsdp", 8), device = document["single_device"];
  const double covered = device["forward_s"].get<double>() + device["backward_s"].get<double>();
  EXPECT_NEAR(layers["step_without_overlap_s"].get<double>() - layers["step_s"].get<double>(),
              covered, 1e-6);
  // One piece of gradients is complete when the backward pass is.
  const json whole = at(document, "ddp", 8);
  EXPECT_DOUBLE_EQ(whole["step_s"], whole["step_without_overlap_s"]);
  // And so fast that it takes no time.
  EXPECT_NEAR(at(predict({{"--intra-node", "1e6"}}), "fsdp", 8)["efficiency"], 1, 1e-3);
}

TEST_F(Scale, SaysWhatWasCheckedAndWhatIsStated) {
  std::set<std::string> statuses;
  const json predicted = predict({});
  for (const json& one : predicted["assumptions"]) {
    statuses.insert(one["status"].get<std::string>());
    EXPECT_EQ(one["status"] == "checked", !one["checked_by"].get<std::string>().empty());
  }
  EXPECT_EQ(statuses, (std::set<std::string>{"checked", "stated"}));
}

TEST_F(Scale, KnowsLinksByNameAndRefusesOthers) {
  EXPECT_EQ(predict({{"--intra-node", "nvlink4"}})["intra_node_bytes_per_s"], 450e9);
  EXPECT_EQ(predict({{"--inter-node", "ndr"}})["inter_node_bytes_per_s"], 50e9);
  const test::Finished refused =
      run_hone({"plan", run.config, "--scale", "--intra-node", "string"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "nvlink4"));
}

TEST_F(Scale, TakesTheTimesOfARun) {
  ASSERT_EQ(run_hone(run.train({"train.max_steps=4"})).exit_code, 0);
  const json document = rows_of(run_hone({"plan", "--measured", run.output().string(), "--scale",
                                          "--json", "--device-tflops", "1"}))
                            .front();
  std::vector<double> times;
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl"))
    if (line.contains("loss")) times.push_back(line["time_s"].get<double>());
  std::sort(times.begin() + 1, times.end());
  EXPECT_NEAR(document["single_device"]["step_s"], times[2], 0.5 * times[2]);
  EXPECT_EQ(document["assumptions"][0]["status"], "checked");
  const test::Finished refused = run_hone({"plan", "--measured", run.folder.path().string()});
  EXPECT_EQ(refused.exit_code, 2);
}

TEST_F(Scale, TakesNoTimesOfARunOfSeveralRanks) {
  ASSERT_EQ(run_hone(run.train({"train.max_steps=3"})).exit_code, 0);
  json record = io::read_json(run.output() / "run.json");
  EXPECT_EQ(record["ranks"], 1);
  record["ranks"] = 2;
  write_file_atomically(run.output() / "run.json", record.dump());
  const test::Finished refused = run_hone({"plan", "--measured", run.output(), "--scale"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_TRUE(contains(refused.err, "is a run of 2 ranks"));
}

}  // namespace
}  // namespace hone
