#include "engine/kept_tensors.h"

#include <c10/util/accumulate.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "distributed/exchange.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

using checkpoint::StoredTensor;
using checkpoint::StoredTensors;

std::vector<std::int64_t> shape_of(const KeptTensor& kept) {
  return kept.part ? kept.part->shape : kept.tensor.sizes().vec();
}

/// What of a checkpoint's tensors do not fit those that are there.
std::vector<std::string> misfits(const std::vector<KeptTensor>& tensors,
                                 const StoredTensors& stored) {
  std::vector<std::string> problems;
  for (const KeptTensor& kept : tensors) {
    const StoredTensor* found = stored.find(kept.name);
    if (found == nullptr || found->shape != shape_of(kept))
      problems.push_back(kept.name + (found == nullptr ? " is missing" : " has another shape"));
  }
  return problems;
}

}  // namespace

std::vector<KeptTensor> trained_of(const Session& session) {
  std::vector<KeptTensor> kept;
  const std::vector<optim::Parameter>& parameters = session.trainable.parameters;
  // state() begins with the parameters.
  for (const auto& [name, tensor] : session.trainable.state()) {
    const std::size_t i = kept.size();
    const auto part = i < parameters.size() ? parameters[i].part : std::nullopt;
    kept.push_back({name, tensor, part, i});
  }
  for (const auto& [name, tensor] : session.state) kept.push_back({name, tensor});
  return kept;
}

std::vector<KeptTensor> moments_of(const Session& session) {
  const optim::NamedTensors states = session.optimizer.state();
  const std::vector<optim::StatePlace> places = session.optimizer.state_places();
  HONE_ASSERT(states.size() == places.size(), "{} states, {} places", states.size(), places.size());
  std::vector<KeptTensor> kept;
  for (std::size_t i = 0; i < states.size(); ++i) {
    const optim::StatePlace& place = places[i];
    const Tensor& of = session.optimizer.parameters()[place.parameter].tensor;
    if (place.part && of.numel() == 0) continue;
    kept.push_back({states[i].first, states[i].second, place.part, place.parameter});
  }
  return kept;
}

std::vector<bool> first_with_part(const distributed::Group& group,
                                  const std::vector<optim::Parameter>& parameters) {
  std::vector<double> own;
  for (const optim::Parameter& parameter : parameters) {
    own.push_back(parameter.part ? static_cast<double>(parameter.part->begin) : 0);
    own.push_back(static_cast<double>(parameter.tensor.numel()));
  }
  const std::vector<double> all = distributed::gather_numbers(group, own, "the parts' places");
  std::vector<bool> is_first(parameters.size(), group.is_first());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].part) continue;
    std::map<std::pair<double, double>, int> keepers;  // of a part: the first rank
    for (int rank = 0; rank < group.world(); ++rank) {
      const std::size_t at = static_cast<std::size_t>(rank) * own.size() + 2 * i;
      if (all[at + 1] > 0) keepers.try_emplace({all[at], all[at + 1]}, rank);
    }
    double next = 0;
    bool joined = true;
    for (const auto& [part, rank] : keepers) {
      joined = joined && part.first == next;
      next = part.first + part.second;
    }
    const auto elements = static_cast<double>(c10::multiply_integers(parameters[i].part->shape));
    HONE_ASSERT(joined && next == elements, "{}: the ranks' parts are not its {} elements",
                parameters[i].name, elements);
    const auto mine = keepers.find({own[2 * i], own[2 * i + 1]});
    is_first[i] = mine != keepers.end() && mine->second == group.rank();
  }
  return is_first;
}

Tensor read_elements(const StoredTensor& stored, std::int64_t begin, std::int64_t count) {
  const Tensor tensor = torch::empty({count}, model::to_torch(stored.dtype));
  stored.read(begin, count, tensor.mutable_data_ptr());
  return tensor;
}

Tensor read_whole(const StoredTensor& stored) {
  return read_elements(stored, 0, stored.elements()).view(stored.shape);
}

void restore(const std::vector<KeptTensor>& tensors, const StoredTensors& stored) {
  const torch::NoGradGuard no_grad;
  const std::vector<std::string> problems = misfits(tensors, stored);
  // Of tensors that other ranks alone keep nothing is known here.
  const bool is_all =
      std::ranges::none_of(tensors, [](const auto& t) { return t.part.has_value(); });
  HONE_CHECK(
      CheckpointError, problems.empty() && (!is_all || stored.tensors().size() == tensors.size()),
      "{}: does not fit what is trained: {} tensors, expected {}. {}", stored.path().string(),
      stored.tensors().size(), tensors.size(), fmt::join(problems, "; "));
  for (const KeptTensor& kept : tensors) {
    const std::int64_t begin = kept.part ? kept.part->begin : 0;
    Tensor destination = kept.tensor;
    destination.copy_(read_elements(*stored.find(kept.name), begin, destination.numel())
                          .view(destination.sizes()));
  }
}

}  // namespace hone::engine
