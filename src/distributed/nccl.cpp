#include "distributed/nccl.h"

#include <dlfcn.h>

#include "base/plugin.h"

namespace hone::distributed {

c10::intrusive_ptr<c10d::Backend> open_nccl(const NcclPlace& place) {
  constexpr const char* kName = "libhone_cuda.so";
  void* const library = open_plugin(
      kName, RTLD_NOW | RTLD_GLOBAL,
      "So ranks cannot exchange tensors of a GPU by NCCL. Build with HONE_CUDA=ON where "
      "a CUDA toolkit is installed, or set distributed.backend: gloo.");
  const auto function =
      reinterpret_cast<MakeNcclFunction>(plugin_symbol(library, kName, kNcclSymbol));
  return function()(place);
}

}  // namespace hone::distributed
