#include "kernels/optimizer_step/optimizer_step.h"

#include <algorithm>

#include "kernels/launch.h"
#include "kernels/optimizer_step/arithmetic.h"

namespace hone::kernels {
namespace {

constexpr const char* kOp = "optimizer_step";

void check(const SteppedTensor& tensor, const at::Tensor& like, std::size_t states) {
  check_device(kOp, tensor.parameter);
  check_like(kOp, "parameter", tensor.parameter, like);
  check_sizes(kOp, "gradient", tensor.gradient, tensor.parameter.sizes());
  check_like(kOp, "gradient", tensor.gradient, tensor.parameter);
  HONE_CHECK(ShapeError, like.scalar_type() == at::kFloat, "{}: takes float32 parameters, got {}",
             kOp, c10::toString(like.scalar_type()));
  HONE_CHECK(ShapeError, tensor.parameter.is_contiguous() && tensor.gradient.is_contiguous(),
             "{}: parameters and gradients must be contiguous", kOp);
  HONE_CHECK(ShapeError, tensor.states.size() == states, "{}: takes {} state tensors, got {}", kOp,
             states, tensor.states.size());
}

/// Cuts tensors into chunks; `fill(chunk, tensor, begin)` adds the states from that element on.
template <class Fill>
std::vector<StepChunk> chunks_of(std::span<const SteppedTensor> tensors, const Fill& fill) {
  std::vector<StepChunk> chunks;
  for (const SteppedTensor& tensor : tensors) {
    const std::int64_t elements = tensor.parameter.numel();
    for (std::int64_t begin = 0; begin < elements; begin += kStepChunk) {
      StepChunk chunk{};
      chunk.parameter = mutable_data<float>(tensor.parameter) + begin;
      chunk.gradient = data<float>(tensor.gradient) + begin;
      chunk.size = std::min(kStepChunk, elements - begin);
      chunk.rates = tensor.rates;
      fill(chunk, tensor, begin);
      chunks.push_back(chunk);
    }
  }
  return chunks;
}

}  // namespace

template <class Rule>
void optimizer_step(std::span<const SteppedTensor> tensors, const Rule& rule) {
  if (tensors.empty()) return;
  const at::Tensor& like = tensors.front().parameter;
  for (const SteppedTensor& tensor : tensors) {
    check(tensor, like, Rule::kStates);
    for (const at::Tensor& state : tensor.states) {
      check_sizes(kOp, "state", state, tensor.parameter.sizes());
      check_like(kOp, "state", state, tensor.parameter);
    }
  }
  const std::vector<StepChunk> chunks =
      chunks_of(tensors, [](StepChunk& chunk, const SteppedTensor& tensor, std::int64_t begin) {
        for (std::size_t s = 0; s < tensor.states.size(); ++s)
          chunk.states[s] = mutable_data<float>(tensor.states[s]) + begin;
      });
  launch(like, OptimizerStep<Rule>{chunks.data(), std::int64_t(chunks.size()), rule});
}

template <class Rule>
void blockwise_optimizer_step(std::span<const SteppedTensor> tensors, const Rule& rule,
                              const std::vector<at::Tensor>& maps) {
  if (tensors.empty()) return;
  const at::Tensor& like = tensors.front().parameter;
  HONE_ASSERT(maps.size() == Rule::kStates, "{} maps", maps.size());
  for (const SteppedTensor& tensor : tensors) {
    check(tensor, like, 2 * Rule::kStates);
    const std::int64_t blocks = (tensor.parameter.numel() + kStepBlock - 1) / kStepBlock;
    for (std::size_t s = 0; s < tensor.states.size(); s += 2) {
      check_sizes(kOp, "codes", tensor.states[s], tensor.parameter.sizes());
      check_sizes(kOp, "absmax", tensor.states[s + 1], {blocks});
    }
  }
  const std::vector<StepChunk> chunks =
      chunks_of(tensors, [](StepChunk& chunk, const SteppedTensor& tensor, std::int64_t begin) {
        for (int s = 0; s < Rule::kStates; ++s) {
          chunk.codes[s] = mutable_data<std::uint8_t>(tensor.states[2 * s]) + begin;
          chunk.absmax[s] = mutable_data<float>(tensor.states[2 * s + 1]) + begin / kStepBlock;
        }
      });
  BlockwiseStep<Rule> args{chunks.data(), std::int64_t(chunks.size()), rule, {}};
  for (int s = 0; s < Rule::kStates; ++s) args.maps[s] = data<float>(maps[s]);
  launch(like, args);
}

template void optimizer_step(std::span<const SteppedTensor>, const AdamRule&);
template void optimizer_step(std::span<const SteppedTensor>, const AmsgradRule&);
template void optimizer_step(std::span<const SteppedTensor>, const AdagradRule&);
template void optimizer_step(std::span<const SteppedTensor>, const PlainRmspropRule&);
template void optimizer_step(std::span<const SteppedTensor>, const CentredRmspropRule&);
template void optimizer_step(std::span<const SteppedTensor>, const MomentumRmspropRule&);
template void optimizer_step(std::span<const SteppedTensor>, const CentredMomentumRmspropRule&);
template void optimizer_step(std::span<const SteppedTensor>, const PlainSgdRule&);
template void optimizer_step(std::span<const SteppedTensor>, const SgdRule&);
template void optimizer_step(std::span<const SteppedTensor>, const LionRule&);
template void blockwise_optimizer_step(std::span<const SteppedTensor>, const AdamRule&,
                                       const std::vector<at::Tensor>&);
template void blockwise_optimizer_step(std::span<const SteppedTensor>, const LionRule&,
                                       const std::vector<at::Tensor>&);

}  // namespace hone::kernels
