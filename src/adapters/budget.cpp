#include "adapters/budget.h"

#include <algorithm>
#include <set>

#include "model/weights.h"

namespace hone::adapters {
namespace {

constexpr std::int64_t kRanks[] = {256, 128, 64, 32, 16, 8, 4, 2, 1};
constexpr std::int64_t kHighestAdvised = 64;

struct TargetSet {
  const char* name;
  /// @param module a linear layer's name
  bool (*takes)(const std::string& module);
};

bool is_attention(const std::string& module) {
  return module.find(".self_attn.") != std::string::npos;
}
bool is_feedforward(const std::string& module) { return !is_attention(module); }

/// In the order of the advice.
constexpr TargetSet kSets[] = {
    {"all linear layers", [](const std::string&) { return true; }},
    {"feed-forward", is_feedforward},
    {"attention", is_attention},
    {"attention: queries and values",
     [](const std::string& module) {
       return module.ends_with(".q_proj") || module.ends_with(".v_proj") ||
              module.ends_with(".qkv_proj");
     }},
};

struct Layer {
  std::string module;
  std::int64_t out, in;
};

std::vector<Layer> linear_layers(const model::Spec& spec) {
  model::Decoder decoder;
  decoder.spec = spec;
  std::vector<Layer> layers;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    const bool inside =
        slot.name.starts_with("model.layers.") && slot.name.ends_with("_proj.weight");
    if (inside && slot.shape.size() == 2)
      layers.push_back({slot.name.substr(0, slot.name.size() - 7), slot.shape[0], slot.shape[1]});
  }
  return layers;
}

}  // namespace

std::vector<BudgetRow> plan_budget(const model::Spec& spec, std::int64_t max_parameters) {
  const std::vector<Layer> layers = linear_layers(spec);
  std::vector<BudgetRow> rows;
  bool advised = false;
  for (const TargetSet& set : kSets) {
    std::int64_t per_rank = 0, smallest = 0;
    std::set<std::string> names;
    for (const Layer& layer : layers) {
      if (!set.takes(layer.module)) continue;
      per_rank += layer.in + layer.out;
      const std::int64_t most = std::min(layer.in, layer.out);
      smallest = smallest == 0 ? most : std::min(smallest, most);
      names.insert(layer.module.substr(layer.module.rfind('.') + 1));
    }
    for (const std::int64_t rank : kRanks) {
      if (per_rank == 0 || rank > smallest || rank * per_rank > max_parameters) continue;
      const bool is_advised = !advised && rank <= kHighestAdvised && rank >= 4;
      advised |= is_advised;
      rows.push_back({set.name, {names.begin(), names.end()}, rank, rank * per_rank, is_advised});
    }
  }
  std::stable_sort(rows.begin(), rows.end(), [](const BudgetRow& a, const BudgetRow& b) {
    return a.parameters > b.parameters;
  });
  return rows;
}

}  // namespace hone::adapters
