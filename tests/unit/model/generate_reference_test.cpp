#include <gtest/gtest.h>

#include <numeric>

#include "io/json.h"
#include "model/generate.h"
#include "model/generate_stream.h"
#include "model/load.h"
#include "support/support.h"

// Generation against transformers: tests/data/generate/README.md says how the fixtures were made.

namespace hone::model {
namespace {

using nlohmann::json;

TEST(GenerateReference, GreedyIsThatOfTransformersForBatchesOfDifferentLengths) {
  const json greedy = io::read_json(test::fixture("generate/greedy.json"));
  for (const json& one : greedy["models"]) {
    const std::string name = one["model"];
    const Decoder decoder = load_decoder(test::fixture("models/" + name), {});
    for (const double penalty : {1.0, 1.3}) {
      std::vector<std::vector<std::int64_t>> prompts, expected;
      for (const json& row : one["cases"]) {
        if (row["repetition_penalty"] != penalty) continue;
        prompts.push_back(row["prompt"]);
        expected.push_back(row["ids"]);
      }
      ASSERT_EQ(prompts.size(), 6u);
      const SamplingOptions sampling{.max_new_tokens = std::ssize(expected[0]),
                                     .repetition_penalty = penalty};
      for (const std::size_t batch_size : {1, 2, 4, 6}) {
        std::size_t next = 0, taken = 0;
        generate_stream(
            decoder,
            [&] { return next < prompts.size() ? std::optional(prompts[next++]) : std::nullopt; },
            sampling, {.batch_size = batch_size},
            [&](const std::vector<Generated>& made) {
              EXPECT_EQ(made.at(0).ids, expected[taken])
                  << name << ", prompt " << taken << ", penalty " << penalty;
              ++taken;
            });
        EXPECT_EQ(taken, prompts.size());
      }
    }
  }
}

TEST(GenerateReference, FiltersLeaveWhatTransformersLeave) {
  const json filters = io::read_json(test::fixture("generate/filters.json"));
  for (const json& row : filters["cases"]) {
    Tensor logits = torch::tensor(row["logits"].get<std::vector<float>>());
    const SamplingOptions options{.repetition_penalty = row["repetition_penalty"],
                                  .temperature = row["temperature"],
                                  .top_k = row["top_k"],
                                  .top_p = row["top_p"],
                                  .min_p = row["min_p"]};
    if (options.repetition_penalty != 1)
      penalise_repetition(logits, row["seen"], options.repetition_penalty);
    const TokenShares left = filter_tokens(logits, options);
    const auto expected = row["probabilities"].get<std::vector<double>>();
    const auto kept = std::ranges::count_if(expected, [](double p) { return p > 0; });
    json about = row;
    about.erase("logits");
    about.erase("probabilities");
    ASSERT_EQ(std::ssize(left.ids), kept) << about;
    for (std::size_t i = 0; i < left.ids.size(); ++i)
      EXPECT_NEAR(left.probabilities[i], expected[static_cast<std::size_t>(left.ids[i])], 1e-6)
          << about;  // transformers filters in fp32
  }
}

TEST(GenerateStream, KeepsTheOrderAndReadsNoFurtherAheadThanItHolds) {
  const Decoder decoder = load_decoder(test::fixture("models/llama"), {});
  constexpr std::int64_t kPrompts = 70;
  std::int64_t read = 0, taken = 0, most_held = 0;
  const auto prompt = [](std::int64_t i) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(1 + i * 7 % 11), 3 + i);
  };
  const SamplingOptions sampling{.max_new_tokens = 2, .temperature = 1, .seed = 4};
  generate_stream(
      decoder,
      [&]() -> std::optional<std::vector<std::int64_t>> {
        if (read == kPrompts) return std::nullopt;
        most_held = std::max(most_held, read + 1 - taken);
        return prompt(read++);
      },
      sampling, {.batch_size = 2},
      [&](const std::vector<Generated>& made) {
        const auto number = static_cast<std::uint64_t>(taken);
        EXPECT_EQ(made[0].ids, generate(decoder, {prompt(taken)}, sampling, number)[0].ids);
        ++taken;
      });
  EXPECT_EQ(taken, kPrompts);
  EXPECT_LE(most_held, 32) << "16 batches of 2";
}

TEST(GenerateCopies, AreSequencesOfTheirOwnAndThoseOfThePromptRepeated) {
  const Decoder decoder = load_decoder(test::fixture("models/llama"), {});
  const std::vector<std::int64_t> first = {5, 6, 7}, second = {101, 3, 44, 45, 46};
  // A penalty changes logits in place, so copies must not share them.
  const SamplingOptions sampling{
      .max_new_tokens = 8, .repetition_penalty = 1.2, .temperature = 1.0, .seed = 9};
  const auto copies = generate_copies(decoder, {{first, 0}, {second, 1}}, sampling, 3);
  ASSERT_EQ(copies.size(), 6u);
  const auto plain = generate(decoder, {first, first, first, second, second, second}, sampling, 0);
  for (std::size_t i = 0; i < copies.size(); ++i) EXPECT_EQ(copies[i].ids, plain[i].ids) << i;
  EXPECT_NE(copies[0].ids, copies[1].ids);
}

}  // namespace
}  // namespace hone::model
