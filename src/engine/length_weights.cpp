#include "engine/length_weights.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "loss/dpo.h"

namespace hone::engine {
namespace {

using datasets::Dataset;
using datasets::Example;

std::int64_t weighed_tokens(const Example& example, std::int64_t document) {
  return std::count_if(example.weights.begin() + example.document_begin(document),
                       example.weights.begin() + example.document_end(document),
                       [](float weight) { return weight > 0; });
}

class LengthWeights : public datasets::RowStore {
 public:
  LengthWeights(Dataset pairs, double ld_alpha) : pairs_(std::move(pairs)), ld_alpha_(ld_alpha) {}

  Example example(std::int64_t i) const override {
    Example pair = pairs_.example(i);
    const torch::Tensor weights = loss::length_desensitised_weights(
        {weighed_tokens(pair, 0)}, {weighed_tokens(pair, 1)}, ld_alpha_);
    const auto* next = weights.const_data_ptr<float>();
    for (float& weight : pair.weights)
      if (weight > 0) weight *= *next++;
    return pair;
  }
  datasets::RowFacts facts(std::int64_t i) const override { return pairs_.facts(i); }

 private:
  Dataset pairs_;
  double ld_alpha_;
};

}  // namespace

Dataset with_length_weights(const Dataset& pairs, double ld_alpha) {
  return {pairs.info(), pairs.totals(), pairs.lengths(),
          std::make_shared<const LengthWeights>(pairs, ld_alpha)};
}

}  // namespace hone::engine
