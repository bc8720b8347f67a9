#include "engine/device.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <sched.h>

#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "kernels/cuda_library.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

torch::Device parse_device(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  const bool cuda = name == "cuda" || name.starts_with("cuda:");
  HONE_CHECK(ConfigError, cuda, "--device {}: expected cpu, cuda or cuda:N", name);
  int index = 0;
  if (name != "cuda") {
    const char* end = name.data() + name.size();
    const auto [last, error] = std::from_chars(name.data() + 5, end, index);
    HONE_CHECK(ConfigError, error == std::errc() && last == end && index >= 0,
               "--device {}: expected cuda:N with N from 0", name);
  }
  kernels::load_cuda();
  const int found = at::getNumGPUs();
  HONE_CHECK(ConfigError, index < found, "--device {}: this machine shows {} GPU(s)", name, found);
  const torch::Device device(torch::kCUDA, static_cast<torch::DeviceIndex>(index));
  // What asks for "the current GPU" means this one: a rank of several leaves the first to its own.
  c10::impl::getDeviceGuardImpl(torch::kCUDA)->setDevice(device);
  return device;
}

/// On the CPU this means AVX512-BF16 (every processor with AMX has it too); emulated, bf16 is
/// slower than fp32.
bool multiplies_bf16(torch::Device device) {
#if defined(__x86_64__)
  return device.is_cuda() || __builtin_cpu_supports("avx512bf16");
#else
  return device.is_cuda();
#endif
}

torch::Dtype parse_dtype(const std::string& name) {
  if (name == "fp16") return torch::kFloat16;
  return name == "fp32" ? torch::kFloat32 : torch::kBFloat16;
}

}  // namespace

Placement place(const std::string& device, const std::string& precision, const std::string& dtype) {
  Placement placement;
  placement.device = parse_device(device);
  const std::string& stated = precision != "auto" ? precision : dtype;
  if (stated != "auto") {
    placement.compute_dtype = parse_dtype(stated);
  } else {
    placement.compute_dtype =
        multiplies_bf16(placement.device) ? torch::kBFloat16 : torch::kFloat32;
  }
  if (precision == "pure_bf16") placement.master_dtype = torch::kBFloat16;
  placement.weight_dtype = dtype == "auto" ? placement.compute_dtype : parse_dtype(dtype);
  return placement;
}

std::string dtype_label(torch::Dtype dtype) { return model::dtype_label(dtype); }

void bound_product_cache() {
  // oneDNN reads it at its first product; LibTorch hides the function that would do the same.
  setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128", 0);
}

void set_threads(int threads) {
  if (threads == 0 && std::getenv("OMP_NUM_THREADS") != nullptr) return;  // the user has said
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  const int available = known ? CPU_COUNT(&allowed) : 1;
  at::set_num_threads(threads > 0 ? threads : available);
}

}  // namespace hone::engine
