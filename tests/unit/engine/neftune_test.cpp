#include "engine/neftune.h"

#include <cmath>

#include "model/load.h"
#include "unit/engine/scripted_run.h"

namespace hone::engine {
namespace {

using torch::Tensor;

/// A decoder that trains step 4 with alpha 5, and what its noise is.
struct Noisy {
  model::Decoder decoder = model::load_decoder(test::fixture("train/_base"), {});
  std::shared_ptr<adapters::DropoutState> state = std::make_shared<adapters::DropoutState>();

  Noisy() {
    state->training = true;
    state->seed = 42;
    state->step = 4;
    add_neftune(decoder, 5, state);
  }
  Tensor noise(std::int64_t rows, const std::vector<std::int64_t>& cu_seqlens) const {
    return decoder.embedding_noise(torch::zeros({rows, decoder.spec.hidden_size}), cu_seqlens);
  }
};

// arXiv:2310.05914, algorithm 1: even numbers in [-1, 1] times alpha / sqrt(L d).
TEST(Neftune, IsEvenAndOfThePapersSizeInEachDocument) {
  const Noisy noisy;
  const std::int64_t H = noisy.decoder.spec.hidden_size;
  const Tensor noise = noisy.noise(500, {0, 100, 500});
  for (const auto& [begin, length] : {std::pair{0, 100}, {100, 400}}) {
    const double size = 5 / std::sqrt(double(length) * double(H));
    const Tensor part = noise.narrow(0, begin, length).to(torch::kFloat64) / size;
    const double count = double(part.numel());
    EXPECT_LE(part.abs().max().item<double>(), 1.0 + 1e-6);
    EXPECT_GT(part.abs().max().item<double>(), 0.99);
    // The mean of n such numbers has a standard deviation of 1/sqrt(3 n), that of squares
    // sqrt(4/45 / n).
    EXPECT_LT(std::abs(part.mean().item<double>()), 5 / std::sqrt(3 * count));
    EXPECT_LT(std::abs(part.square().mean().item<double>() - 1.0 / 3),
              5 * std::sqrt(4.0 / 45 / count));
  }
}

TEST(Neftune, DependsOnThePlaceInTheStepAndNotOnMicroBatches) {
  const Noisy noisy;
  const Tensor whole = noisy.noise(30, {0, 10, 20, 30});
  const Tensor first = noisy.noise(10, {0, 10});
  noisy.state->first_row = 10;
  const Tensor rest = noisy.noise(20, {0, 10, 20});
  EXPECT_TRUE(whole.equal(torch::cat({first, rest})));
  noisy.state->step = 5;
  EXPECT_FALSE(noisy.noise(20, {0, 10, 20}).equal(rest));
  noisy.state->step = 4;
  noisy.state->seed = 43;
  EXPECT_FALSE(noisy.noise(20, {0, 10, 20}).equal(rest));
}

TEST(Neftune, IsOffInEvaluationAndWithoutGradients) {
  const Noisy noisy;
  {
    const torch::NoGradGuard no_grad;
    EXPECT_EQ(noisy.noise(10, {0, 10}).abs().max().item<double>(), 0);
  }
  noisy.state->training = false;
  EXPECT_EQ(noisy.noise(10, {0, 10}).abs().max().item<double>(), 0);
}

TEST(Neftune, ReachesARunAndNotItsEvaluation) {
  test::ScriptedRun plain, noisy;
  // The first step runs at rate 0, so that the weights evaluated are the same.
  const std::vector<std::string> more = {"train.max_steps=1", "schedule.warmup_steps=1"};
  ASSERT_EQ(plain.train(more), ExitCode::kDone);
  auto with = more;
  with.push_back("train.neftune_noise_alpha=5");
  ASSERT_EQ(noisy.train(with), ExitCode::kDone);
  EXPECT_NE(noisy.metric("loss"), plain.metric("loss"));
  EXPECT_EQ(noisy.metric("eval_loss"), plain.metric("eval_loss"));
}

}  // namespace
}  // namespace hone::engine
