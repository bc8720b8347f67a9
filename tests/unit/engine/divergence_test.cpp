#include "engine/divergence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/load.h"
#include "support/support.h"

namespace hone::engine {
namespace {

TEST(Divergence, OfAModelThatComputesNaNIsNaNWhateverFollows) {
  const torch::NoGradGuard no_grad;
  const model::Decoder decoder = model::load_decoder(test::fixture("models/llama"), {});
  const Documents documents = {{1, 2, 3}, {4, 5}};
  const auto before = logits_of(decoder, documents);
  EXPECT_EQ(divergence(before, decoder, documents).largest, 0);
  model::Decoder broken = decoder;
  broken.embed_tokens = decoder.embed_tokens.clone();
  broken.embed_tokens[2].fill_(std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(std::isnan(divergence(before, broken, documents).largest));
}

}  // namespace
}  // namespace hone::engine
