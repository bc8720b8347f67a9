#include "kernels/cuda_library.h"

#include <dlfcn.h>

#include "base/error.h"
#include "base/plugin.h"

namespace hone::kernels {
namespace {

constexpr const char* kName = "libhone_cuda.so";

const CudaTable* table = nullptr;

}  // namespace

void load_cuda() {
  if (table) return;
  void* const library = open_plugin(
      kName, RTLD_NOW | RTLD_GLOBAL,
      "So no GPU can be used. Build with HONE_CUDA=ON where a CUDA toolkit is installed, or choose "
      "--device cpu.");
  const auto function =
      reinterpret_cast<CudaTableFunction>(plugin_symbol(library, kName, kCudaTableSymbol));
  table = function();
}

bool cuda_is_loaded() { return table != nullptr; }

const CudaTable& cuda_table() {
  HONE_CHECK(Error, table, "a tensor is on a GPU, but {} has not been loaded (load_cuda)", kName);
  return *table;
}

}  // namespace hone::kernels
