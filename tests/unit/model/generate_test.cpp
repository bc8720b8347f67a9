#include "model/generate.h"

#include <set>

#include "model/head.h"
#include "model/kv_cache.h"
#include "model/load.h"
#include "model/session.h"
#include "support/support.h"

namespace hone::model {
namespace {

Decoder tiny() { return load_decoder(test::fixture("models/llama"), {}); }

TokenStream stream(const std::vector<std::vector<std::int64_t>>& documents, std::int64_t from = 0) {
  std::vector<std::int64_t> ids, positions, borders{0};
  for (const auto& document : documents) {
    for (std::size_t i = 0; i < document.size(); ++i) {
      ids.push_back(document[i]);
      positions.push_back(from + std::int64_t(i));
    }
    borders.push_back(std::ssize(ids));
  }
  return {torch::tensor(ids), torch::tensor(positions), borders};
}

/// The plain way: run the whole prefix again for every token.
std::vector<std::int64_t> greedy_without_cache(const Decoder& decoder,
                                               std::vector<std::int64_t> ids, int count) {
  std::vector<std::int64_t> made;
  for (int i = 0; i < count; ++i) {
    const Tensor hidden = hidden_states(decoder, stream({ids}));
    made.push_back(
        logits(decoder, hidden.narrow(0, std::ssize(ids) - 1, 1)).argmax(1).item<std::int64_t>());
    ids.push_back(made.back());
  }
  return made;
}

const std::vector<std::vector<std::int64_t>> kPrompts = {
    {5, 6, 7}, {101, 3, 44, 45, 46, 300, 12, 9}, {77}};

TEST(KvCache, GivesTheHiddenStatesOfTheWholeInOnePass) {
  const torch::NoGradGuard no_grad;
  const Decoder decoder = tiny();
  const std::vector<std::int64_t> ids = {9, 8, 7, 6, 5, 4, 3, 2, 1, 10, 11};
  const Tensor whole = hidden_states(decoder, stream({ids}));
  // 4 tokens, then 6 more at once (a mask between), then 1.
  KvCache cache(decoder.spec, 1);
  std::vector<Tensor> parts;
  for (const auto& [from, count] : {std::pair{0, 4}, {4, 6}, {10, 1}})
    parts.push_back(
        extend(decoder, stream({{ids.begin() + from, ids.begin() + from + count}}, from), cache));
  EXPECT_TRUE(torch::allclose(torch::cat(parts), whole, 1e-5, 1e-5));
  EXPECT_EQ(cache.length(0), 11);
}

TEST(Generate, GreedyIsThatOfTheUncachedModelForPromptsOfAnyLengths) {
  const torch::NoGradGuard no_grad;
  const Decoder decoder = tiny();
  const auto together = generate(decoder, kPrompts, {.max_new_tokens = 12});
  for (std::size_t i = 0; i < kPrompts.size(); ++i)
    EXPECT_EQ(together[i].ids, greedy_without_cache(decoder, kPrompts[i], 12));
}

TEST(Generate, StopsAtAStopTokenAndLetsTheOthersGoOn) {
  const torch::NoGradGuard no_grad;
  const Decoder decoder = tiny();
  const auto free = generate(decoder, kPrompts, {.max_new_tokens = 10});
  const std::int64_t stop = free[1].ids[3];
  const auto stopped = generate(decoder, kPrompts, {.max_new_tokens = 10, .stop_ids = {stop}});
  for (std::size_t i = 0; i < kPrompts.size(); ++i) {
    std::vector<std::int64_t> expected = free[i].ids;
    const auto found = std::find(expected.begin(), expected.end(), stop);
    EXPECT_EQ(stopped[i].stopped, found != expected.end());
    if (found != expected.end()) expected.erase(found + 1, expected.end());
    EXPECT_EQ(stopped[i].ids, expected);
  }
}

TEST(Generate, SamplingIsAFunctionOfTheSeedAndNotOfTheCompany) {
  const Decoder decoder = tiny();
  const SamplingOptions options{.max_new_tokens = 8, .temperature = 1.0, .top_p = 0.9, .seed = 3};
  const auto together = generate(decoder, kPrompts, options);
  EXPECT_EQ(generate(decoder, {kPrompts[2]}, options, 2)[0].ids, together[2].ids);
  SamplingOptions other = options;
  other.seed = 4;
  EXPECT_NE(generate(decoder, kPrompts, other)[1].ids, together[1].ids);
}

Tensor four_logits() { return torch::log(torch::tensor({0.1, 0.5, 0.1, 0.3})); }

TEST(Session, AnswersAsGenerateDoesAndRunsNoPrefixTwice) {
  const Decoder decoder = tiny();
  const SamplingOptions options{.max_new_tokens = 6, .temperature = 0.8, .seed = 5};
  Session session(decoder);
  std::vector<std::int64_t> prompt = kPrompts[1];
  for (int turn = 0; turn < 3; ++turn) {
    std::vector<std::int64_t> streamed;
    const Generated made =
        session.reply(prompt, options, [&](std::int64_t id) { streamed.push_back(id); });
    EXPECT_EQ(made.ids, generate(decoder, {prompt}, options)[0].ids);
    EXPECT_EQ(streamed, made.ids);
    EXPECT_EQ(session.reused_tokens(), turn == 0 ? 0 : std::ssize(prompt) - 3);
    // The next prompt goes on behind all but the answer's last token, whose keys are not held.
    prompt.insert(prompt.end(), made.ids.begin(), made.ids.end());
    prompt.insert(prompt.end(), {21, 22});
  }
  // A prompt that parts from the last one early has the rest run anew.
  std::vector<std::int64_t> other = kPrompts[1];
  other[3] = 99;
  EXPECT_EQ(session.reply(other, options).ids, generate(decoder, {other}, options)[0].ids);
  EXPECT_EQ(session.reused_tokens(), 3);
}

TEST(SampleToken, FollowsTheDistributionInsideTheNucleus) {
  const auto sampled = [](double temperature, double top_p, double uniform) {
    return sample_token(four_logits(), {.temperature = temperature, .top_p = top_p}, uniform);
  };
  EXPECT_EQ(sampled(1.0, 1.0, 0.0), 1);
  EXPECT_EQ(sampled(1.0, 1.0, 0.49), 1);
  EXPECT_EQ(sampled(1.0, 1.0, 0.51), 3);
  EXPECT_EQ(sampled(1.0, 1.0, 0.79), 3);
  // Half of the mass is token 1's alone; with 0.6, token 3 joins it and they share 5 : 3.
  EXPECT_EQ(sampled(1.0, 0.5, 0.999), 1);
  EXPECT_EQ(sampled(1.0, 0.6, 0.62), 1);
  EXPECT_EQ(sampled(1.0, 0.6, 0.63), 3);
  // A low temperature sharpens: 0.5² : 0.3² : …
  EXPECT_EQ(sampled(0.5, 1.0, 0.69), 1);
  EXPECT_EQ(sampled(0.5, 1.0, 0.70), 3);
}

TEST(SampleToken, FiltersInTheOrderThatTransformersHas) {
  const auto sampled = [](const SamplingOptions& options, double uniform) {
    return sample_token(four_logits(), options, uniform);
  };
  // The two likeliest share 5 : 3.
  EXPECT_EQ(sampled({.temperature = 1, .top_k = 2}, 0.62), 1);
  EXPECT_EQ(sampled({.temperature = 1, .top_k = 2}, 0.999), 3);
  // top-p counts what top-k has left: 0.6 of 0.8 is within token 1's 0.5.
  EXPECT_EQ(sampled({.temperature = 1, .top_k = 2, .top_p = 0.6}, 0.999), 1);
  // 0.3 is more than half of 0.5, 0.1 is not.
  EXPECT_EQ(sampled({.temperature = 1, .min_p = 0.5}, 0.999), 3);
  EXPECT_EQ(sampled({.temperature = 1, .min_p = 0.7}, 0.999), 1);
}

TEST(Generate, ThePenaltyTouchesEachSeenTokenOnce) {
  Tensor logits = torch::tensor({2.0f, -2.0f, 1.0f, -1.0f});
  penalise_repetition(logits, {0, 1, 0, 0}, 2.0);
  EXPECT_TRUE(at::equal(logits, torch::tensor({1.0f, -4.0f, 1.0f, -1.0f})));
}

TEST(Generate, AHugePenaltyRepeatsNothing) {
  const Decoder decoder = tiny();
  const auto made = generate(decoder, kPrompts, {.max_new_tokens = 20, .repetition_penalty = 1e6});
  for (std::size_t i = 0; i < kPrompts.size(); ++i) {
    std::vector<std::int64_t> all = kPrompts[i];
    all.insert(all.end(), made[i].ids.begin(), made[i].ids.end());
    const std::set<std::int64_t> distinct(all.begin(), all.end());
    EXPECT_EQ(distinct.size(), all.size());
  }
}

TEST(Generate, AsksWhetherItIsDoneAfterEachToken) {
  const Decoder decoder = tiny();
  const auto free = generate(decoder, kPrompts, {.max_new_tokens = 10});
  const auto cut =
      generate(decoder, kPrompts,
               {.max_new_tokens = 10, .is_done = [](const auto& ids) { return ids.size() >= 4; }});
  for (std::size_t i = 0; i < kPrompts.size(); ++i) {
    EXPECT_TRUE(cut[i].stopped);
    EXPECT_EQ(cut[i].ids, std::vector<std::int64_t>(free[i].ids.begin(), free[i].ids.begin() + 4));
  }
}

}  // namespace
}  // namespace hone::model
