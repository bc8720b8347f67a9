#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "distributed/rank_process.h"
#include "io/json.h"

// How ranks of a full fine-tuning exchange its gradients: while they are computed, in fp32 or bf16,
// with micro-batches of about as many tokens each.

namespace hone {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::contains;
using test::Finished;
using test::run_hone;
using test::TinyRun;
using Texts = std::vector<std::string>;

constexpr const char* kFull = "{method: full}";

/// @param more come last, so that they count
std::vector<json> steps_of(const TinyRun& run, int ranks, const Texts& more) {
  const fs::path output = run.folder / fmt::format("{}-{}", ranks, more.back());
  Texts overrides = {"optim.learning_rate=1e-4", "data.shuffle=true",
                     "train.output_dir=" + output.string()};
  overrides.insert(overrides.end(), more.begin(), more.end());
  const Finished finished =
      run_hone(ranks == 1 ? run.train(overrides) : test::launch(run, ranks, overrides));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  return test::steps_in(output);
}

double largest_difference(const std::vector<json>& one, const std::vector<json>& other,
                          const char* key) {
  EXPECT_EQ(one.size(), other.size());
  double largest = 0;
  for (std::size_t i = 0; i < std::min(one.size(), other.size()); ++i) {
    const double a = one[i].at(key), b = other[i].at(key);
    largest = std::max(largest, std::abs(a - b) / std::max(1.0, std::abs(a)));
  }
  return largest;
}

struct Span {
  double begin, end;
};

/// Spans of a trace whose names begin so.
std::vector<Span> spans_of(const json& trace, const std::string& name) {
  std::vector<Span> spans;
  for (const json& event : trace.at("traceEvents")) {
    if (event.at("ph") != "X") continue;
    if (!event.at("name").get<std::string>().starts_with(name)) continue;
    const double begin = event.at("ts"), duration = event.at("dur");
    spans.push_back({begin, begin + duration});
  }
  return spans;
}

TEST(Overlap, BeginsToReduceBeforeTheBackwardPassEnds) {
  const TinyRun run(kFull);
  const Finished finished = run_hone(test::launch(
      run, 2,
      {"train.max_steps=7", "train.per_device_train_batch_size=8",
       "train.gradient_accumulation_steps=2", "distributed.bucket_mb=0.05", "--profile", "5"}));
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const json trace = io::read_json(run.output() / "trace.json");
  const std::vector<Span> reductions = spans_of(trace, "reduction of the gradients"),
                          passes = spans_of(trace, "backward"),
                          nodes = spans_of(trace, "autograd::engine::evaluate_function");
  ASSERT_GT(reductions.size(), 10u) << "several buckets a step";
  ASSERT_FALSE(nodes.empty());
  const auto is_during_a_pass = [&](const Span& reduction) {
    return std::ranges::any_of(passes, [&](const Span& pass) {
      // What follows the last of autograd's nodes is waiting.
      return pass.begin < reduction.begin && std::ranges::any_of(nodes, [&](const Span& node) {
               return node.begin > reduction.begin && node.end < pass.end;
             });
    });
  };
  EXPECT_TRUE(std::ranges::any_of(reductions, is_during_a_pass));
}

TEST(Overlap, TakesTheStepsOfOneRankWhereSomeHaveNothingToDo) {
  const TinyRun run(kFull);
  // Ten micro-batches an epoch: of every fourth step only one is left for three ranks.
  const Texts common = {"train.per_device_train_batch_size=16", "distributed.bucket_mb=0.02",
                        "train.max_steps=9"};
  const auto with = [&](int accumulation) {
    Texts all = common;
    all.push_back(fmt::format("train.gradient_accumulation_steps={}", accumulation));
    return all;
  };
  const auto alone = steps_of(run, 1, with(3)), shared = steps_of(run, 3, with(1));
  ASSERT_EQ(alone.size(), 9u);
  EXPECT_LT(largest_difference(alone, shared, "loss"), 1e-6);
  EXPECT_LT(largest_difference(alone, shared, "grad_norm"), 1e-4);
}

TEST(ReduceDtype, Bf16IsNearAndNotTheSame) {
  for (const char* adapter : {kFull, "{method: lora, r: 4}"}) {
    const TinyRun run(adapter);
    const auto with = [&](const char* dtype) {
      return steps_of(run, 2,
                      {"train.max_steps=6", "train.gradient_accumulation_steps=2",
                       fmt::format("distributed.reduce_dtype={}", dtype)});
    };
    const auto exact = with("fp32"), rounded = with("bf16");
    ASSERT_EQ(exact.size(), 6u);
    EXPECT_EQ(exact[0]["loss"], rounded[0]["loss"]) << "nothing has been learnt yet";
    // Each number is off by less than 2⁻⁸ of its parts' sizes, to both sides.
    const double norm = exact[0]["grad_norm"], other = rounded[0]["grad_norm"];
    const double difference = std::abs(norm - other) / norm;
    EXPECT_GT(difference, 0);
    EXPECT_LT(difference, 1.0 / 256);
    EXPECT_LT(largest_difference(exact, rounded, "loss"), 1e-3);
  }
}

TEST(Balance, ChangesNoLoss) {
  const TinyRun run(kFull);
  const auto with = [&](int ranks, const char* balance) {
    return steps_of(
        run, ranks,
        {"train.max_steps=6", fmt::format("train.gradient_accumulation_steps={}", 4 / ranks),
         fmt::format("distributed.balance={}", balance)});
  };
  const auto as_they_come = with(1, "never"), alone = with(1, "always"), shared = with(2, "always");
  ASSERT_EQ(as_they_come.size(), 6u);
  EXPECT_LT(largest_difference(as_they_come, alone, "loss"), 1e-6);
  EXPECT_LT(largest_difference(alone, shared, "loss"), 1e-6);
  for (std::size_t i = 0; i < alone.size(); ++i)
    EXPECT_EQ(alone[i]["tokens"], as_they_come[i]["tokens"]) << "the same rows";
}

TEST(Balance, LeavesDropoutWhereItWasUnlessToldTo) {
  const TinyRun run("{method: lora, r: 4, lora_dropout: 0.3}");
  const auto with = [&](const char* balance) {
    return steps_of(run, 1, {"train.max_steps=4", fmt::format("distributed.balance={}", balance)});
  };
  const auto never = with("never"), by_default = with("auto"), always = with("always");
  EXPECT_EQ(largest_difference(never, by_default, "loss"), 0);
  EXPECT_GT(largest_difference(never, always, "loss"), 0) << "drawn anew";
}

TEST(Balance, IsPartOfWhatARunGoesOnWith) {
  const TinyRun run("{method: lora, r: 4}");
  ASSERT_EQ(run_hone(run.train({"train.max_steps=2", "checkpoint.save_steps=1"})).exit_code, 0);
  const auto resumed =
      run_hone(run.train({"train.max_steps=2", "--resume", "auto", "distributed.balance=never"}));
  EXPECT_NE(resumed.exit_code, 0);
  EXPECT_TRUE(contains(resumed.err, "distributed.balance"));
}

TEST(DistributedOptions, RefuseWhatCannotBe) {
  const TinyRun run(kFull);
  for (const char* wrong : {"distributed.reduce_dtype=fp16", "distributed.bucket_mb=0",
                            "distributed.backend=mpi", "distributed.balance=maybe"})
    EXPECT_EQ(run_hone({"check", run.config, wrong}).exit_code, 2) << wrong;
}

}  // namespace
}  // namespace hone
