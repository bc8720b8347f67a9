#include <fmt/format.h>

#include <cmath>
#include <map>
#include <set>

#include "base/file.h"
#include "io/json.h"
#include "support/tiny_run.h"

// What a run's record says of its steps: time by phase, memory by class, the share of the machine's
// peak, gradient norms by group, and the trace of some of them.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;

TEST(StepRecord, SaysWhereTimeAndMemoryWent) {
  const TinyRun run("{method: lora, r: 4}");
  const std::string eval = "data.eval=" + test::fixture("train/data/sft.jsonl").string();
  const Finished finished = run_hone(
      run.train({"train.max_steps=6", "checkpoint.save_steps=2", eval, "eval.eval_steps=3"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::map<std::string, double> sums;
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl")) {
    if (!line.contains("loss")) continue;
    double phases = 0;
    for (const char* phase :
         {"time_data_s", "time_forward_s", "time_backward_s", "time_optimizer_s"})
      phases += line[phase].get<double>();
    EXPECT_GT(line["time_forward_s"], 0);
    EXPECT_LE(phases, line["time_s"]) << "parts of the step";
    EXPECT_GE(phases, 0.5 * line["time_s"].get<double>()) << "and most of it";
    // At least the hidden states of the step's tokens in each of two layers.
    EXPECT_GT(line["activations_peak_bytes"], 2 * 64 * 4 * line["tokens"].get<int>() / 4);
    EXPECT_GT(line["mfu"], 0);
    EXPECT_LT(line["mfu"], 1.5) << "a peak is a peak, but for the noise of its measurement";
    for (const auto& [key, value] : line.items())
      if (value.is_number()) sums[key] += value.get<double>();
  }
  EXPECT_GT(sums["time_evaluation_s"], 0);
  EXPECT_GT(sums["time_checkpoint_s"], 0);

  const json record = io::read_json(run.output() / "run.json");
  for (const char* phase : {"data", "forward", "backward", "optimizer"})
    EXPECT_NEAR(record["seconds_by_phase"][phase].get<double>(),
                sums[std::string("time_") + phase + "_s"], 1e-9);
  const json& memory = record["memory"];
  // 7,424 trained weights (r 4 on all fourteen layers), each with two moments.
  EXPECT_EQ(memory["trained_bytes"], 7424 * 4);
  EXPECT_GE(memory["moments_bytes"], 2 * 7424 * 4);
  EXPECT_GT(memory["weights_bytes"],
            fs::file_size(test::fixture("train/_base") / "model.safetensors") * 9 / 10);
  EXPECT_GT(record["matrix_peak_flops"], 1e8);
  EXPECT_GT(record["mfu"], 0);
  const std::string page = read_file(run.output() / "report.html");
  for (const char* part :
       {"time by phase", "activations, at most", "waiting for rows", "of the matrix peak"})
    EXPECT_TRUE(contains(page, part));
}

TEST(StepRecord, MeasuresTheStartOnDemandAndTrainsNoOtherwise) {
  const TinyRun run("{method: lora, r: 4}");
  const std::vector<std::string> options = {
      "train.max_steps=2", "data.eval=" + test::fixture("train/data/sft.jsonl").string()};
  std::map<bool, std::vector<json>> lines;
  for (const bool on_start : {false, true}) {
    std::vector<std::string> all = options;
    all.push_back(fmt::format("eval.eval_on_start={}", on_start));
    ASSERT_EQ(run_hone(run.train(all)).exit_code, 0);
    lines[on_start] = test::read_jsonl(run.output() / "metrics.jsonl");
    fs::remove_all(run.output());
  }
  ASSERT_EQ(lines[true].size(), lines[false].size() + 1);
  EXPECT_EQ(lines[true][0]["step"], 0);
  EXPECT_GT(lines[true][0]["eval_loss"], lines[true].back()["eval_loss"]);
  for (const std::size_t step : {0, 1})
    EXPECT_EQ(lines[true][step + 1]["loss"], lines[false][step]["loss"]);
}

TEST(StepRecord, SplitsTheGradientsNormByGroupOnDemand) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train({"train.max_steps=3", "report.grad_norm_groups=true"})).exit_code,
            0);
  for (const json& line : test::read_jsonl(run.output() / "metrics.jsonl")) {
    double squares = 0;
    int groups = 0;
    for (const auto& [key, value] : line.items()) {
      if (!key.starts_with("grad_norm/")) continue;
      squares += std::pow(value.get<double>(), 2);
      ++groups;
    }
    EXPECT_EQ(groups, 14) << "seven matrices of a layer, A and B of each";
    EXPECT_NEAR(std::sqrt(squares) / line["grad_norm"].get<double>(), 1, 1e-5);
  }
}

/// The events of a trace, held to what Chrome's format asks of each.
/// @source Trace Event Format: complete events ("X") have name, ts, dur, pid and tid
std::vector<json> events_of(const fs::path& trace) {
  const json document = io::read_json(trace);
  std::vector<json> complete;
  for (const json& event : document.at("traceEvents")) {
    EXPECT_TRUE(event.at("ph").is_string());
    EXPECT_TRUE(event.contains("pid"));
    if (event["ph"] != "X") continue;
    EXPECT_TRUE(event.at("name").is_string());
    EXPECT_TRUE(event.at("ts").is_number());
    EXPECT_GE(event.at("dur").get<double>(), 0);
    EXPECT_TRUE(event.contains("tid"));
    complete.push_back(event);
  }
  return complete;
}

TEST(Profile, TracesStepsWithTheirPhasesAndOperations) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(run.train({"train.max_steps=5", "--profile", "2"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "steps 2 to 3"));
  std::map<std::string, std::vector<json>> by_name;
  for (const json& event : events_of(run.output() / "trace.json"))
    by_name[event["name"]].push_back(event);
  // Two steps of four micro-batches.
  EXPECT_EQ(by_name["forward"].size(), 8u);
  EXPECT_EQ(by_name["backward"].size(), 8u);
  EXPECT_EQ(by_name["optimizer"].size(), 2u);
  ASSERT_FALSE(by_name["aten::mm"].empty());
  const auto is_inside = [](const json& event, const json& outer) {
    return event["ts"].get<double>() >= outer["ts"].get<double>() &&
           event["ts"].get<double>() + event["dur"].get<double>() <=
               outer["ts"].get<double>() + outer["dur"].get<double>() + 1;
  };
  bool is_in_a_phase = false;
  for (const json& forward : by_name["forward"])
    is_in_a_phase = is_in_a_phase || is_inside(by_name["aten::mm"].front(), forward);
  EXPECT_TRUE(is_in_a_phase);
}

TEST(Profile, AddsUpWhatEachOperationTookInEachPhase) {
  const TinyRun run("{method: lora, r: 4}");
  const Finished finished = run_hone(run.train({"train.max_steps=5", "--profile", "2"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(contains(finished.err, "calls"));
  const json table = io::read_json(run.output() / "profile.json");
  EXPECT_EQ(table["steps"], json({2, 3}));
  double traced_ms = 0, told_s = 0;
  for (const json& event : events_of(run.output() / "trace.json"))
    for (const char* phase : {"forward", "backward", "optimizer"})
      if (event["name"] == phase) traced_ms += event["dur"].get<double>() * 1e-3;
  std::map<std::pair<std::string, std::string>, int> calls;
  for (const json& row : table["host"]) {
    calls[{row["phase"], row["operation"]}] = row["calls"];
    if (!row["phase"].get<std::string>().empty()) told_s += row["self_s"].get<double>();
  }
  EXPECT_NEAR(told_s * 1e3 / traced_ms, 1, 0.02) << "what operations took is what phases took";
  EXPECT_EQ((calls[{"forward", "forward"}]), 8);
  EXPECT_GT((calls[{"forward", "aten::mm"}]), 0);
  EXPECT_GT((calls[{"backward", "aten::mm"}]), (calls[{"forward", "aten::mm"}]));
}

TEST(Profile, OfARunOfOneStepIsOfThatStep) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train({"train.max_steps=1", "--profile", "3"})).exit_code, 0);
  EXPECT_FALSE(events_of(run.output() / "trace.json").empty());
  EXPECT_EQ(run_hone(run.train({"--profile", "-1"})).exit_code, 2);
}

TEST(Mlflow, IsWrittenBesideTheRunsOrWhereTheConfigSays) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train({"train.max_steps=2", "report.report_to=mlflow"})).exit_code, 0);
  std::vector<fs::path> runs;
  for (const auto& entry : fs::directory_iterator(run.folder / "mlruns" / "0"))
    if (entry.is_directory()) runs.push_back(entry.path());
  ASSERT_EQ(runs.size(), 1u);
  const std::string losses = read_file(runs[0] / "metrics" / "loss");
  EXPECT_EQ(std::count(losses.begin(), losses.end(), '\n'), 2);
  EXPECT_EQ(read_file(runs[0] / "params" / "train.max_steps"), "2");
  EXPECT_TRUE(contains(read_file(runs[0] / "meta.yaml"), "status: 3"));
  const fs::path elsewhere = run.folder / "elsewhere";
  ASSERT_EQ(run_hone(run.train({"train.max_steps=1", "report.report_to=mlflow",
                                "train.overwrite_output_dir=true",
                                "report.mlflow_dir=" + elsewhere.string()}))
                .exit_code,
            0);
  EXPECT_TRUE(fs::exists(elsewhere / "0" / "meta.yaml"));
}

}  // namespace
}  // namespace hone
