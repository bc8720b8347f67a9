#include "model/stored_weights.h"

#include "base/error.h"
#include "model/load.h"

namespace hone::model {

StoredWeights::StoredWeights(const std::filesystem::path& model) : model_(model), reader_(model) {
  shape_.spec = load_spec(model);
  slots_ = weight_slots(shape_);
  reader_.check(slots_, shape_.spec);
}

Tensor StoredWeights::read(const std::string& name) const {
  const torch::NoGradGuard no_grad;
  for (const WeightSlot& slot : slots_)
    if (slot.name == name) return reader_.read(slot, torch::kFloat32);
  throw DataError(fmt::format("{}: has no weight {}", model_.string(), name));
}

}  // namespace hone::model
