#include "engine/sharding.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "distributed/exchange.h"
#include "engine/sharding_options.h"
#include "kernels/optimizer_step/rules.h"
#include "kernels/packed/packed.h"
#include "kernels/stochastic_round/stochastic_round.h"
#include "model/residency.h"
#include "model/weights.h"
#include "optim/method.h"

namespace hone::engine {
namespace {

using distributed::Divided;
using distributed::Divides;
using distributed::OwnPart;
using distributed::Shards;

/// The place of what is whole always.
constexpr std::size_t kStays = static_cast<std::size_t>(-1);

/// The number of the layer in a weight's name; none outside the layers.
std::optional<std::size_t> layer_of(const std::string& name) {
  constexpr std::string_view kLayers = ".layers.";
  const std::size_t at = name.find(kLayers);
  if (at == std::string::npos) return std::nullopt;
  return std::stoul(name.substr(at + kLayers.size()));
}

bool has_tied_head(const model::Decoder& decoder) {
  return decoder.spec.num_labels == 0 && decoder.spec.tie_word_embeddings;
}

/// Borders within a parameter leave its 8-bit moments' blocks whole, and the groups of elements
/// that random numbers are drawn for.
std::int64_t grain_of(const optim::Parameter& parameter, const optim::OptimOptions& options) {
  const optim::Rule& rule = optim::method_named(options.name).rule_for(parameter, options);
  if (!rule.by_element) return Divided::kNever;
  return parameter.tensor.scalar_type() == torch::kBFloat16 ? kernels::kRoundingPortion
                                                            : kernels::kStepBlock;
}

/// Gives a leaf that lies among others a storage of its own.
void move_out(Tensor leaf) {
  if (!leaf.is_contiguous() || leaf.storage().nbytes() != leaf.nbytes())
    leaf.set_data(leaf.detach().clone(at::MemoryFormat::Contiguous));
}

/// All that a storage holds, as bytes.
Tensor bytes_of_storage(const Tensor& tensor) {
  const auto size = static_cast<std::int64_t>(tensor.storage().nbytes());
  return torch::empty({0}, tensor.options().dtype(torch::kUInt8).requires_grad(false))
      .set_(tensor.storage(), 0, {size});
}

std::vector<Tensor> tensors_of(const model::WeightSlot& slot) {
  if (slot.linear == nullptr || slot.linear->packed == nullptr) return {*slot.tensor};
  const kernels::PackedMatrix& packed = *slot.linear->packed;
  return {packed.codes, packed.absmax, packed.nested_absmax, packed.offset, packed.zeros};
}

}  // namespace

/// What belongs to the places of one decoder.
class Sharding::Stage final : public model::Residency {
 public:
  Stage(Sharding& sharding, const model::Decoder& decoder)
      : sharding_(sharding),
        layers_(decoder.spec.layers.size()),
        is_tied_(has_tied_head(decoder)),
        at_(layers_ + 2) {}

  std::size_t embedding() const { return layers_; }
  /// With a tied head all that stands outside the layers is one place.
  std::size_t end() const { return is_tied_ ? layers_ : layers_ + 1; }
  std::size_t place_of(const std::string& name) const {
    if (const auto layer = layer_of(name)) return *layer;
    return name == "model.embed_tokens.weight" ? embedding() : end();
  }
  void add(std::size_t place, const std::shared_ptr<Unit>& unit) {
    if (std::ranges::find(at_[place], unit) == at_[place].end()) at_[place].push_back(unit);
  }

  void enter_embedding() const override {
    sharding_.rest();
    gather(embedding());
    gather_ahead(0);
  }
  void leave_embedding() const override { release(embedding()); }
  void enter_layer(std::size_t layer) const override {
    gather(layer);
    gather_ahead(layer + 1 < layers_ ? layer + 1 : end());
  }
  void leave_layer(std::size_t layer) const override { release(layer); }
  void enter_end() const override { gather(end()); }

  void turn_to_layer(std::size_t layer) const override {
    leave_backward(layer + 1 < layers_ ? layer + 1 : end());
    gather(layer);
    if (layer > 0) gather_ahead(layer - 1);
  }

 private:
  void gather(std::size_t place) const {
    for (const auto& unit : at_[place]) unit->shards.gather();
  }
  void gather_ahead(std::size_t place) const {
    if (!sharding_.gathers_ahead_ || place >= at_.size()) return;
    for (const auto& unit : at_[place]) unit->shards.begin_gather();
  }
  void release(std::size_t place) const {
    for (const auto& unit : at_[place]) unit->shards.release();
  }
  void leave_backward(std::size_t place) const {
    // A tied head's gradient is complete when the embedding has added its own.
    if (place != embedding())
      for (const auto& unit : at_[place]) sharding_.finish(*unit);
    release(place);
  }

  Sharding& sharding_;
  std::size_t layers_;
  bool is_tied_;
  std::vector<Units> at_;  // by place: the layers, the embedding, the end
};

Sharding::Sharding(const RunOptions& options, const distributed::Group& group,
                   model::Decoder& decoder, model::Decoder* base, Trainable& trainable)
    : strategy_(distributed::strategy_named(options.distributed.strategy)),
      group_(group),
      gathers_ahead_(options.distributed.gather_ahead) {
  check_goes_with_sharding(options, trainable);
  if (strategy_.in_groups) {
    const int size = group_size(options.distributed, group);
    group_ = group.split(group.rank() / size, "shards");
    replicas_ = group.split(group.rank() % size, "replicas");
  }
  policy_ = std::make_shared<Stage>(*this, decoder);
  divide_trained(options, decoder, trainable, *policy_);
  if (!passes_are_shared()) return;
  divide_frozen(decoder, *policy_);
  decoder.residency = policy_;
  if (base != nullptr) divide(*base);
  rest();
}

bool Sharding::passes_are_shared() const { return strategy_.divides == Divides::kWeights; }

void Sharding::divide_trained(const RunOptions& options, model::Decoder& decoder,
                              Trainable& trainable, Stage& stage) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, Tensor*> slots;
  for (const model::WeightSlot& slot : model::weight_slots(decoder))
    if (slot.tensor->defined()) slots[slot.name] = slot.tensor;

  // What is cut or dealt, of another dtype, or of another place is divided on its own.
  using Key = std::tuple<std::size_t, torch::Dtype, bool, std::int64_t>;
  std::map<Key, std::vector<std::size_t>> members;
  std::vector<Divided> divided;
  std::int64_t bytes = 0;
  for (optim::Parameter& parameter : trainable.parameters) {
    Trained trained{parameter.name, parameter.tensor, nullptr, 0};
    const auto slot = slots.find(parameter.name);
    const bool is_weight = slot != slots.end() && slot->second->is_same(parameter.tensor);
    // A leaf in the dtype of the products: a cast would be a second copy, which autograd keeps. The
    // scoring head's product is fp32 always.
    trained.is_cast = passes_are_shared() && is_weight &&
                      parameter.tensor.scalar_type() != decoder.compute_dtype &&
                      !parameter.name.starts_with("score");
    const std::int64_t grain = grain_of(parameter, options.optim);
    move_out(parameter.tensor);
    divided.push_back({parameter.tensor, grain});
    if (trained.is_cast) {
      divided.back().master = std::exchange(parameter.tensor, Tensor()).detach();
      trained.leaf = divided.back().master.to(decoder.compute_dtype).requires_grad_();
      *slot->second = divided.back().whole = trained.leaf;
    }
    const bool has_place = is_weight || layer_of(parameter.name).has_value();
    const std::size_t place =
        passes_are_shared() && has_place ? stage.place_of(parameter.name) : kStays;
    const bool is_dealt = grain == Divided::kNever;
    const std::int64_t bucket =
        place == kStays && !is_dealt ? bytes / distributed::kBucketBytes : 0;
    bytes += static_cast<std::int64_t>(trained.leaf.nbytes());
    members[{place, trained.leaf.scalar_type(), is_dealt, bucket}].push_back(trained_.size());
    trained_.push_back(std::move(trained));
  }
  model::tie_head(decoder);

  for (const auto& [key, indices] : members) {
    std::vector<Divided> tensors;
    for (const std::size_t i : indices) tensors.push_back(std::exchange(divided[i], {}));
    const auto unit =
        std::make_shared<Unit>(Unit{Shards(group_, std::move(tensors), "the trained weights"), {}});
    unit->stays = std::get<0>(key) == kStays;
    for (std::size_t m = 0; m < indices.size(); ++m) {
      Trained& trained = trained_[indices[m]];
      trained.unit = unit;
      trained.index = m;
      unit->leaves.push_back(trained.leaf);
    }
    units_.push_back(unit);
    if (unit->stays) {
      unit->shards.settle();
    } else {
      unit->shards.release();
      stage.add(std::get<0>(key), unit);
    }
  }
  for (std::size_t i = 0; i < trained_.size(); ++i) {
    optim::Parameter& parameter = trainable.parameters[i];
    const OwnPart& part = trained_[i].unit->shards.parts()[trained_[i].index];
    parameter.part = optim::Part{trained_[i].leaf.sizes().vec(), part.begin};
    parameter.tensor = part.tensor;
  }
}

void Sharding::divide(model::Decoder& frozen) {
  if (!passes_are_shared()) return;
  const auto stage = std::make_shared<Stage>(*this, frozen);
  divide_frozen(frozen, *stage);
  frozen.residency = stage;
}

void Sharding::divide_frozen(model::Decoder& decoder, Stage& stage) {
  // Storages by place; what several places have (the maps of packed weights) stays whole.
  std::map<void*, std::pair<std::size_t, Tensor>> found;
  std::set<void*> shared;
  std::vector<void*> order;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    const std::size_t place = stage.place_of(slot.name);
    for (const Tensor& tensor : tensors_of(slot)) {
      if (!tensor.defined() || tensor.requires_grad()) continue;
      void* storage = tensor.storage().unsafeGetStorageImpl();
      if (const auto known = by_storage_.find(storage); known != by_storage_.end()) {
        stage.add(place, known->second);
        continue;
      }
      if (tensor.storage().nbytes() == 0) continue;
      const auto [entry, is_new] = found.try_emplace(storage, place, tensor);
      if (is_new) order.push_back(storage);
      if (entry->second.first != place) shared.insert(storage);
    }
  }
  std::map<std::size_t, std::vector<Divided>> by_place;
  std::map<std::size_t, std::vector<void*>> storages;
  for (void* storage : order) {
    if (shared.count(storage) > 0) continue;
    const auto& [place, tensor] = found.at(storage);
    by_place[place].push_back({bytes_of_storage(tensor)});
    storages[place].push_back(storage);
  }
  for (auto& [place, tensors] : by_place) {
    const auto unit =
        std::make_shared<Unit>(Unit{Shards(group_, std::move(tensors), "the frozen weights"), {}});
    unit->shards.release();
    for (const OwnPart& part : unit->shards.parts())
      frozen_bytes_ += static_cast<std::int64_t>(part.tensor.nbytes());
    for (void* storage : storages[place]) by_storage_[storage] = unit;
    units_.push_back(unit);
    stage.add(place, unit);
  }
}

void Sharding::finish(Unit& unit) {
  if (unit.leaves.empty()) return;
  unit.is_summed = true;
  std::vector<Tensor> gradients;
  for (Tensor& leaf : unit.leaves) {
    Tensor gradient = std::exchange(leaf.mutable_grad(), Tensor());
    gradients.push_back(drops_ ? Tensor() : std::move(gradient));
  }
  unit.shards.sum_gradients(gradients);
}

void Sharding::run_backward(const std::function<void()>& backward) {
  if (!passes_are_shared()) return backward();
  for (const auto& unit : units_) unit->is_summed = unit->stays;
  policy_->enter_end();
  backward();
  for (const auto& unit : units_)
    if (!unit->is_summed) finish(*unit);
  for (const Trained& trained : trained_) {
    HONE_ASSERT(trained.unit->stays || !trained.leaf.grad().defined(),
                "{}: its gradient came when its layer had been left", trained.name);
    // What was cut of a leaf in one pass (adapters/parts.h) would belong to no layer of the next.
    trained.leaf.unsafeGetTensorImpl()->bump_version();
  }
  rest();
}

void Sharding::stand_in(const model::Decoder& decoder, const model::TokenStream& tokens) {
  const Tensor hidden = model::hidden_states(decoder, tokens);
  std::vector<Tensor> gradients;  // of the micro-batches before, where they wait for the others
  for (Trained& trained : trained_)
    gradients.push_back(std::exchange(trained.leaf.mutable_grad(), Tensor()));
  drops_ = true;
  run_backward([&] {
    if (hidden.requires_grad()) hidden.sum().backward();
  });
  drops_ = false;
  for (std::size_t i = 0; i < trained_.size(); ++i)
    trained_[i].leaf.mutable_grad() = std::move(gradients[i]);
}

void Sharding::sum_gradients() {
  if (strategy_.divides == Divides::kStates) {
    std::vector<Tensor> leaves;
    for (const Trained& trained : trained_) leaves.push_back(trained.leaf);
    strategy_.reduce_gradients(group_, leaves);
    for (const Trained& trained : trained_) {
      OwnPart part = trained.unit->shards.parts()[trained.index];
      part.tensor.mutable_grad() = trained.leaf.grad()
                                       .reshape({-1})
                                       .narrow(0, part.begin, part.tensor.numel())
                                       .view(part.tensor.sizes());
    }
  } else {
    for (const auto& unit : units_)
      if (unit->stays) finish(*unit);
  }
  std::vector<Tensor> gradients;
  for (const Trained& trained : trained_)
    gradients.push_back(trained.unit->shards.parts()[trained.index].tensor.grad());
  distributed::sum_tensors(replicas_, gradients, "the replicas' gradients");
}

void Sharding::drop_gradients() {
  for (Trained& trained : trained_) trained.leaf.mutable_grad().reset();
}

void Sharding::follow_parts() {
  rest();  // what is whole has the numbers of before
  for (const auto& unit : units_)
    if (unit->stays) unit->shards.share();
  for (const Trained& trained : trained_) trained.leaf.unsafeGetTensorImpl()->bump_version();
}

void Sharding::gather() {
  for (const auto& unit : units_) unit->shards.gather();
}

void Sharding::rest() {
  for (const auto& unit : units_)
    if (!unit->stays) unit->shards.release();
}

void Sharding::dissolve(model::Decoder& decoder) {
  const torch::NoGradGuard no_grad;
  gather();
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    const auto found = std::ranges::find_if(trained_, [&](const Trained& trained) {
      return trained.is_cast && trained.leaf.is_same(*slot.tensor);
    });
    if (found == trained_.end()) continue;
    const OwnPart& part = found->unit->shards.parts()[found->index];
    const Tensor master = torch::zeros({found->leaf.numel()}, part.tensor.options());
    master.narrow(0, part.begin, part.tensor.numel()).copy_(part.tensor.view({-1}));
    group_.all_reduce(master, "the trained weights", distributed::Patience::kPhase);
    *slot.tensor = master.view(found->leaf.sizes());
  }
  model::tie_head(decoder);
  decoder.residency = nullptr;
}

std::shared_ptr<Sharding> divide_among_ranks(const RunOptions& options,
                                             const distributed::Group& group,
                                             model::Decoder& decoder, model::Decoder* base,
                                             Trainable& trainable) {
  const auto& strategy = distributed::strategy_named(options.distributed.strategy);
  if (group.is_alone() || strategy.divides == Divides::kNothing) return nullptr;
  return std::make_shared<Sharding>(options, group, decoder, base, trainable);
}

}  // namespace hone::engine
