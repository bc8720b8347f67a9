#include "engine/divergence.h"

#include <ATen/ops/log_softmax.h>

#include <algorithm>
#include <cmath>

#include "model/head.h"

namespace hone::engine {
namespace {

using torch::Tensor;

Tensor logits_of_one(const model::Decoder& decoder, const std::vector<std::int64_t>& document) {
  const std::int64_t count = std::ssize(document);
  const Tensor ids = torch::tensor(document, torch::kInt64).to(decoder.device());
  const Tensor hidden =
      model::hidden_states(decoder, {ids, torch::arange(count, ids.options()), {0, count}});
  if (decoder.spec.num_labels > 0)
    return model::scores(decoder, hidden, torch::arange(count, ids.options()));
  return model::logits(decoder, hidden);
}

}  // namespace

std::vector<Tensor> logits_of(const model::Decoder& decoder, const Documents& documents) {
  std::vector<Tensor> all;
  for (const auto& document : documents) all.push_back(logits_of_one(decoder, document));
  return all;
}

Divergence divergence(const std::vector<Tensor>& before, const model::Decoder& after,
                      const Documents& documents) {
  Divergence found;
  double tokens = 0;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    const Tensor now = logits_of_one(after, documents[d]);
    const Tensor change = (now - before[d]).abs();
    const Tensor p = at::log_softmax(before[d].to(torch::kFloat64), 1),
                 q = at::log_softmax(now.to(torch::kFloat64), 1);
    const double count = double(now.size(0));
    // A NaN stays what it is: std::max would pass it over.
    if (const double here = change.max().item<double>(); std::isnan(here) || here > found.largest)
      found.largest = here;
    found.mean += change.mean().item<double>() * count;
    found.kl += (p.exp() * (p - q)).sum().item<double>();
    found.same_greedy += now.argmax(1).eq(before[d].argmax(1)).sum().item<double>();
    tokens += count;
  }
  found.mean /= tokens;
  found.kl /= tokens;
  found.same_greedy /= tokens;
  return found;
}

}  // namespace hone::engine
