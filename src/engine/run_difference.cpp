#include "engine/run_difference.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "checkpoint/checkpoints.h"
#include "checkpoint/state.h"
#include "model/weights.h"
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

double difference_of_weights(const fs::path& a, const fs::path& b, std::int64_t step) {
  const checkpoint::State left = checkpoint::load_state(
                              checkpoint::verify(checkpoint::folder_of_step(a, step))),
                          right = checkpoint::load_state(
                              checkpoint::verify(checkpoint::folder_of_step(b, step)));
  HONE_CHECK(DataError, left.trainable.tensors().size() == right.trainable.tensors().size(),
             "{} and {}: have trained {} and {} tensors", a.string(), b.string(),
             left.trainable.tensors().size(), right.trainable.tensors().size());
  double apart = 0, size = 0;
  for (const io::TensorView& view : left.trainable.tensors()) {
    const io::TensorView* other = right.trainable.find(view.name);
    HONE_CHECK(DataError, other != nullptr && other->shape == view.shape,
               "{}: {} is missing or of another shape", b.string(), view.name);
    const Tensor x = model::to_tensor(view).to(torch::kFloat64),
                 y = model::to_tensor(*other).to(torch::kFloat64);
    apart += (x - y).square().sum().item<double>();
    size += x.square().sum().item<double>();
  }
  return size > 0 ? std::sqrt(apart / size) : 0.0;
}

}  // namespace

RunDifference difference(const fs::path& a, const fs::path& b, std::int64_t first_step,
                         std::int64_t step) {
  const report::RunHistory left = report::read_run(a), right = report::read_run(b);
  RunDifference found;
  found.loss = largest(left, right, "loss", first_step, step);
  for (const auto& [metric, curve] : left.curves)
    if (metric.starts_with("grad_norm"))
      found.grad_norm = std::max(found.grad_norm, largest(left, right, metric, first_step, step));
  found.weights = difference_of_weights(a, b, step);
  return found;
}

}  // namespace hone::engine
