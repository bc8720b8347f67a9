#include "engine/run_difference.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "engine/kept_tensors.h"
#include "report/history.h"

namespace hone::engine {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

double relative(double a, double b) {
  const double size = std::max(std::abs(a), std::abs(b));
  return size > 0 ? std::abs(a - b) / size : 0.0;
}

std::vector<double> values_of(const report::RunHistory& run, const std::string& metric,
                              std::int64_t first_step, std::int64_t last_step) {
  std::vector<double> values;
  if (const report::Curve* curve = run.curve(metric))
    for (const report::Point& point : *curve)
      if (point.step >= first_step && point.step <= last_step) values.push_back(point.value);
  HONE_CHECK(DataError, std::ssize(values) == last_step - first_step + 1,
             "{}: has {} values of {} for steps {} to {}", run.folder.string(), values.size(),
             metric, first_step, last_step);
  return values;
}

double largest(const report::RunHistory& a, const report::RunHistory& b, const std::string& metric,
               std::int64_t first_step, std::int64_t last_step) {
  const std::vector<double> left = values_of(a, metric, first_step, last_step),
                            right = values_of(b, metric, first_step, last_step);
  double most = 0;
  for (std::size_t i = 0; i < left.size(); ++i) most = std::max(most, relative(left[i], right[i]));
  return most;
}

checkpoint::State state_of(const fs::path& run, std::int64_t step) {
  return checkpoint::load_state(checkpoint::verify(checkpoint::folder_of_step(run, step)));
}

/// Squares, summed.
struct Apart {
  double difference = 0, size = 0;

  double relative() const { return size > 0 ? std::sqrt(difference / size) : difference; }
};

/// The largest difference of any kind of tensor. Codes of a few bits are left out: they jump where
/// what they stand for rounds.
double difference_of(const checkpoint::StoredTensors& a, const checkpoint::StoredTensors& b,
                     std::string (*kind_of)(const std::string& name)) {
  HONE_CHECK(DataError, a.tensors().size() == b.tensors().size(),
             "{} and {}: have {} and {} tensors", a.path().string(), b.path().string(),
             a.tensors().size(), b.tensors().size());
  std::map<std::string, Apart> kinds;
  for (const auto& [name, stored] : a.tensors()) {
    const checkpoint::StoredTensor* other = b.find(name);
    HONE_CHECK(DataError, other != nullptr && other->shape == stored.shape,
               "{}: {} is missing or of another shape", b.path().string(), name);
    const Tensor x = read_whole(stored), y = read_whole(*other);
    if (!x.is_floating_point()) continue;
    Apart& apart = kinds[kind_of(name)];
    apart.difference +=
        (x.to(torch::kFloat64) - y.to(torch::kFloat64)).square().sum().item<double>();
    apart.size += x.to(torch::kFloat64).square().sum().item<double>();
  }
  double most = 0;
  for (const auto& [kind, apart] : kinds) most = std::max(most, apart.relative());
  return most;
}

std::string all_alike(const std::string&) { return {}; }

/// "….q_proj.lora_A.weight.exp_avg" is an exp_avg.
std::string last_part(const std::string& name) { return name.substr(name.rfind('.') + 1); }

}  // namespace

RunDifference difference(const fs::path& a, const fs::path& b, std::int64_t first_step,
                         std::int64_t last_step) {
  const report::RunHistory left = report::read_run(a), right = report::read_run(b);
  RunDifference found;
  found.loss = largest(left, right, "loss", first_step, last_step);
  for (const auto& [metric, curve] : left.curves)
    if (metric.starts_with("grad_norm"))
      found.grad_norm =
          std::max(found.grad_norm, largest(left, right, metric, first_step, last_step));
  found.gradients = difference_of(state_of(a, first_step).optimizer,
                                  state_of(b, first_step).optimizer, last_part);
  found.weights =
      difference_of(state_of(a, last_step).trainable, state_of(b, last_step).trainable, all_alike);
  return found;
}

}  // namespace hone::engine
