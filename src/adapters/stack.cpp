#include "adapters/stack.h"

#include <ATen/ops/embedding.h>

#include "adapters/site.h"
#include "base/error.h"

namespace hone::adapters {
namespace {

template <class T>
struct Weighted {
  std::shared_ptr<const T> adapter;
  double weight;
};

/// Σ wᵢ fᵢ + (1 − Σ wᵢ) f₀ in fp32.
template <class T, class Changed, class Base>
Tensor blend(const std::vector<Weighted<T>>& layers, const Changed& changed, const Base& base) {
  Tensor sum;
  double left = 1;
  for (const Weighted<T>& layer : layers) {
    const Tensor part = changed(*layer.adapter).to(torch::kFloat32) * layer.weight;
    sum = sum.defined() ? sum + part : part;
    left -= layer.weight;
  }
  return left == 0 ? sum : sum + base().to(torch::kFloat32) * left;
}

class LinearStack final : public model::LinearAdapter {
 public:
  explicit LinearStack(std::vector<Weighted<model::LinearAdapter>> layers)
      : layers_(std::move(layers)) {}

  Tensor forward(const Tensor& x, const model::Linear& base) const override {
    return blend(
               layers_, [&](const model::LinearAdapter& one) { return one.forward(x, base); },
               [&] { return base.base_forward(x); })
        .to(x.scalar_type());
  }
  Tensor merged_weight(const model::Linear& base) const override {
    return blend(
        layers_, [&](const model::LinearAdapter& one) { return one.merged_weight(base); },
        [&] { return base_weight(base, torch::kFloat32); });
  }
  Tensor merged_bias(const model::Linear& base) const override {
    if (base.bias.defined())
      return blend(
          layers_, [&](const model::LinearAdapter& one) { return one.merged_bias(base); },
          [&] { return base.bias; });
    // Without a bias of the base none of them has one: it would have refused.
    for (const auto& layer : layers_) layer.adapter->merged_bias(base);
    return {};
  }

 private:
  std::vector<Weighted<model::LinearAdapter>> layers_;
};

class EmbeddingStack final : public model::EmbeddingAdapter {
 public:
  explicit EmbeddingStack(std::vector<Weighted<model::EmbeddingAdapter>> layers)
      : layers_(std::move(layers)) {}

  Tensor rows(const Tensor& ids_N, const Tensor& weight) const override {
    return blend(
        layers_, [&](const model::EmbeddingAdapter& one) { return one.rows(ids_N, weight); },
        [&] { return at::embedding(weight, ids_N); });
  }
  Tensor merged_weight(const Tensor& weight) const override {
    return blend(
        layers_, [&](const model::EmbeddingAdapter& one) { return one.merged_weight(weight); },
        [&] { return weight; });
  }

 private:
  std::vector<Weighted<model::EmbeddingAdapter>> layers_;
};

/// What is attached to each place of a model, adapter upon adapter.
struct Layers {
  std::vector<std::vector<Weighted<model::LinearAdapter>>> linears;  ///< in the model's order
  std::vector<Weighted<model::LinearAdapter>> head;
  std::vector<Weighted<model::EmbeddingAdapter>> embedding;
};

/// Takes what is attached off the model and onto the layers.
void collect(model::Decoder& decoder, double weight, Layers& layers) {
  std::size_t place = 0;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (layers.linears.size() == place) layers.linears.emplace_back();
    if (linear.adapter) layers.linears[place].push_back({std::move(linear.adapter), weight});
    linear.adapter.reset();
    ++place;
  });
  if (decoder.head_adapter) layers.head.push_back({std::move(decoder.head_adapter), weight});
  if (decoder.embedding_adapter)
    layers.embedding.push_back({std::move(decoder.embedding_adapter), weight});
  decoder.head_adapter.reset();
  decoder.embedding_adapter.reset();
}

void check_adds_up(const Adapter& adapter) {
  HONE_CHECK(ConfigError,
             adapter.method->virtual_tokens == nullptr && adapter.replaced.empty() &&
                 adapter.token_rows.empty(),
             "{}: this adapter puts {} into the model, which cannot be weighted or added to "
             "another's; use it alone, or merge it first",
             adapter.settings.where(),
             adapter.method->virtual_tokens != nullptr ? "tokens before every document"
             : adapter.replaced.empty()                ? "rows of its own"
                                                       : "weights of its own");
}

}  // namespace

void attach_weighted(std::vector<Adapter>& adapters, const std::vector<double>& weights,
                     model::Decoder& decoder) {
  HONE_CHECK(ConfigError, weights.size() == adapters.size(),
             "{} weights for {} adapters; expected one each", weights.size(), adapters.size());
  if (adapters.size() == 1 && weights.front() == 1) return attach(adapters.front(), decoder);
  Layers layers;
  for (std::size_t i = 0; i < adapters.size(); ++i) {
    if (weights[i] == 0) continue;
    check_adds_up(adapters[i]);
    attach(adapters[i], decoder);
    collect(decoder, weights[i], layers);
  }
  std::size_t place = 0;
  model::for_each_linear(decoder, [&](model::Linear& linear) {
    if (place < layers.linears.size() && !layers.linears[place].empty())
      linear.adapter = std::make_shared<LinearStack>(std::move(layers.linears[place]));
    ++place;
  });
  if (!layers.head.empty()) decoder.head_adapter = std::make_shared<LinearStack>(layers.head);
  if (!layers.embedding.empty())
    decoder.embedding_adapter = std::make_shared<EmbeddingStack>(layers.embedding);
}

}  // namespace hone::adapters
