#pragma once

#include <cstdint>
#include <vector>

#include "model/decoder.h"

namespace hone::engine {

/// What one optimizer step has to do with a model.
struct StepWork {
  std::vector<std::int64_t> document_lengths;  ///< tokens of each
  std::int64_t head_rows = 0;                  ///< tokens whose prediction is looked at
};

/// What of a model a run's arithmetic is in, counted once.
struct ModelWork {
  double layer_weights = 0;  ///< of the layers' matrices that a token meets: of experts, the chosen
  double trained_layer_weights = 0;  ///< those of them that are trained
  double head_weights = 0;
  bool trains_head = false;
  double adapter_weights = 0;         ///< trained beside the model's own
  std::vector<std::int64_t> windows;  ///< tokens that each layer's attention sees; 0: all before
  double attention_width = 0;         ///< heads · head_dim
};

/// @param trained_parameters of the run, adapters' or the model's own
ModelWork model_work(model::Decoder& decoder, std::int64_t trained_parameters);

/// Floating-point operations that a step cannot do without: a multiplication and an addition for
/// each weight and token in the forward pass, the same for the gradient of what comes in, the same
/// again for that of the weight where it is trained; of attention two products forward and four
/// backward. Norms, activations, recomputation and reference models are left out, as is usual.
/// @source PaLM, arXiv:2204.02311, appendix B, with causal attention counted by its pairs, and
///         without the weight gradients that a frozen base does not need
double step_flops(const ModelWork& model, const StepWork& step);

/// Those of one forward pass alone: what a layer that is computed again, or a reference model,
/// adds.
double forward_flops(const ModelWork& model, const StepWork& step);

/// The most floating-point operations a second that this machine showed in a product of matrices of
/// this dtype, on this device with the threads of now. Measured in some tens of milliseconds when
/// it is asked for first, and kept.
double matrix_peak_flops(torch::Device device, torch::Dtype dtype);

}  // namespace hone::engine
