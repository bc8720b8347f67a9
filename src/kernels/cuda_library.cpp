#include "kernels/cuda_library.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace hone::kernels {
namespace {

constexpr const char* kName = "libhone_cuda.so";

const CudaTable* table = nullptr;

/// Where to look, in order. A name without a folder is the loader's to find.
std::vector<std::string> candidates() {
  std::vector<std::string> paths;
  std::error_code unknown;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", unknown);
  if (!unknown) {
    const std::filesystem::path folder = program.parent_path();
    for (const std::filesystem::path& path : {folder / kName, folder / "../lib" / kName})
      if (std::filesystem::exists(path, unknown)) paths.push_back(path.string());
  }
  paths.emplace_back(kName);
  return paths;
}

std::string loader_message() {
  const char* const message = dlerror();
  return message ? message : "no reason given";
}

}  // namespace

void load_cuda() {
  if (table) return;
  void* library = nullptr;
  std::string reasons;
  for (const std::string& path : candidates()) {
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library) break;
    reasons += "\n  " + loader_message();
  }
  HONE_CHECK(
      Error, library,
      "{} could not be opened, so no GPU can be used:{}\nBuild with HONE_CUDA=ON where a CUDA "
      "toolkit is installed, or choose --device cpu.",
      kName, reasons);
  const auto function = reinterpret_cast<CudaTableFunction>(dlsym(library, kCudaTableSymbol));
  HONE_CHECK(Error, function, "{} is of another version of hone: {}. Build it again.", kName,
             loader_message());
  table = function();
}

bool cuda_is_loaded() { return table != nullptr; }

const CudaTable& cuda_table() {
  HONE_CHECK(Error, table, "a tensor is on a GPU, but {} has not been loaded (load_cuda)", kName);
  return *table;
}

}  // namespace hone::kernels
