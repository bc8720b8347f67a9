#include "engine/tensor_classes.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace hone::engine {
namespace {

using torch::Tensor;

/// The tensors of a class, by what they are kept in.
class Class {
 public:
  void add(const Tensor& tensor) {
    // 8-bit codes are all that a run keeps as bytes.
    const std::string label =
        tensor.scalar_type() == torch::kUInt8 ? "8 bits" : dtype_label(tensor.scalar_type());
    if (std::ranges::find(labels_, label) == labels_.end()) labels_.push_back(label);
    bytes_ += static_cast<std::int64_t>(tensor.nbytes());
  }
  std::string label() const { return fmt::format("{}", fmt::join(labels_, " and ")); }
  std::string text() const {
    if (labels_.empty()) return "none";
    return fmt::format("{}, {:.1f} MB", label(), double(bytes_) / 1e6);
  }

 private:
  std::vector<std::string> labels_;
  std::int64_t bytes_ = 0;
};

}  // namespace

std::int64_t gradient_bytes(const Session& session) {
  std::int64_t all = 0, largest = 0;
  for (const optim::Parameter& parameter : session.trainable.parameters) {
    const auto bytes = static_cast<std::int64_t>(parameter.tensor.nbytes());
    all += bytes;
    largest = std::max(largest, bytes);
  }
  return session.options.optim.step_in_backward ? largest : all;
}

std::string tensor_classes(const Session& session) {
  const RunOptions& options = session.options;
  Class trained, moments;
  for (const optim::Parameter& parameter : session.trainable.parameters)
    trained.add(parameter.tensor);
  for (const auto& [name, tensor] : session.optimizer.state()) moments.add(tensor);
  const bool masters = session.placement.master_dtype == torch::kFloat32;
  std::string text = fmt::format(
      "trained weights {} ({}); gradients {}, {:.1f} MB{}; moments {}{}; activations {}{}; sums, "
      "norms and losses fp32",
      trained.text(), masters ? "masters" : "no masters, rounded by chance", trained.label(),
      double(gradient_bytes(session)) / 1e6, options.optim.step_in_backward ? " at a time" : "",
      moments.text(), options.optim.name.starts_with("paged_") ? ", in host memory" : "",
      dtype_label(session.placement.compute_dtype),
      options.train.activation_offload ? ", layers' inputs in host memory" : "");
  if (const auto& scale = session.progress.loss_scale)
    text += fmt::format("; the loss is scaled by {}", scale->factor);
  return text;
}

}  // namespace hone::engine
