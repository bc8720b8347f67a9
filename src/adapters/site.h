#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "model/decoder.h"

namespace hone::adapters {

using torch::Tensor;

enum class SiteKind { kLinear, kHead, kEmbedding, kNorm, kRouter, kExperts };

/// A module of the model, by transformers' name.
struct Site {
  std::string name;
  SiteKind kind;
  std::int64_t out = 0, in = 0;  ///< of its weight; an embedding is [V, H], a norm has in = 1
  std::uint32_t index = 0;       ///< its number: no two sites share random numbers
  std::int64_t experts = 0;      ///< how many matrices are stacked in it (experts.h); 0: it is one
  std::string wrapper = {};      ///< what PEFT's files call it, where not by its name

  const std::string& file_name() const { return wrapper.empty() ? name : wrapper; }
};

/// Every module of the model that has a weight, in the model's order. The experts' layers are
/// modules of their own; stacked they are expert_sites_of().
std::vector<Site> sites_of(model::Decoder& decoder);

/// The layer of a linear site. @throws InternalError for another
model::Linear& linear_at(model::Decoder& decoder, const Site& site);

/// A base layer's weight, dequantised where it is packed: the one place where adapters read it.
/// @return [out, in] in `dtype`
Tensor base_weight(const model::Linear& linear, torch::Dtype dtype);

/// A module's weight. @return f32, sizes as the site says
/// @throws InternalError for experts' stacked weights, which are no module
Tensor weight_at(model::Decoder& decoder, const Site& site);

/// The tensor of a weight or bias by its name in the model's files (`model.norm.weight`).
/// @return nullptr where the model has none of that name
Tensor* find_weight(model::Decoder& decoder, const std::string& name);

}  // namespace hone::adapters
