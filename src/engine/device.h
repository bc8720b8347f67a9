#pragma once

#include <torch/types.h>

#include <string>

namespace hone::engine {

/// What a run computes on and in.
struct Placement {
  torch::Device device = torch::kCPU;
  torch::Dtype compute_dtype = torch::kFloat32;  ///< products and activations
  torch::Dtype weight_dtype = torch::kFloat32;   ///< frozen weights at rest
  torch::Dtype master_dtype = torch::kFloat32;   ///< trained weights of the model
};

/// @param device    "cpu", "cuda" or "cuda:N"; loads LibTorch's CUDA side only for the latter two
/// @param precision "auto", "fp32", "bf16", "fp16" or "pure_bf16", which is bf16 without masters in
///                  fp32; auto is bf16 where the device multiplies it natively, else fp32
/// @param dtype     the first four for frozen weights; auto follows the precision, and the
/// precision
///                  follows it where only it is given
/// @throws ConfigError for a device that is not there or another name
Placement place(const std::string& device, const std::string& precision, const std::string& dtype);

/// "bf16", "fp16" or "fp32".
std::string dtype_label(torch::Dtype dtype);

/// Keeps oneDNN from holding the code of 1,024 products, each number of tokens being one of its
/// own: a step needs some fifty, and the rest costs 85 MiB on a model of 135 M weights. To be
/// called before the first product; what ONEDNN_PRIMITIVE_CACHE_CAPACITY says stays.
void bound_product_cache();

/// Threads for everything that follows; 0 takes OMP_NUM_THREADS, else as many as this process may
/// use.
void set_threads(int threads);

}  // namespace hone::engine
