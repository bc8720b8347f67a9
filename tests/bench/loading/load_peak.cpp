#include <fmt/format.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "model/load.h"
#include "model/weights.h"
#include "report/process.h"

// Loads a model and says what memory that took: `load_peak MODEL fp32|bf16` prints one JSON object.
// The baseline is the process before it opens the model, with LibTorch started.

namespace {

using namespace hone;

void start_libtorch() {
  const torch::Tensor some = torch::ones({1 << 16}).to(torch::kBFloat16);
  torch::isfinite(some.to(torch::kFloat32)).all().item<bool>();
}

void measure(const std::string& path, torch::Dtype dtype) {
  start_libtorch();
  const auto baseline = report::process_memory().peak_bytes;
  const auto begin = std::chrono::steady_clock::now();
  model::Decoder decoder = model::load_decoder(path, {dtype, dtype, torch::kCPU});
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  const auto peak = report::process_memory().peak_bytes;
  std::size_t model_bytes = 0, largest_bytes = 0;
  for (const model::WeightSlot& slot : model::weight_slots(decoder)) {
    model_bytes += slot.tensor->nbytes();
    largest_bytes = std::max(largest_bytes, slot.tensor->nbytes());
  }
  fmt::print(
      "{{\"baseline_bytes\": {}, \"peak_bytes\": {}, \"model_bytes\": {}, "
      "\"largest_tensor_bytes\": {}, \"seconds\": {:.3f}}}\n",
      baseline, peak, model_bytes, largest_bytes, taken.count());
}

}  // namespace

int main(int argc, char** argv) {
  const std::string dtype = argc == 3 ? argv[2] : "";
  if (dtype != "fp32" && dtype != "bf16") {
    std::fputs("usage: load_peak MODEL fp32|bf16\n", stderr);
    return 2;
  }
  try {
    measure(argv[1], dtype == "fp32" ? torch::kFloat32 : torch::kBFloat16);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
