// What hone finds when it opens libhone_cuda.so.
#include "kernels/cuda/table.h"

namespace hone::kernels {

#define HONE_DECLARE_CUDA(Op) \
  template <class T>          \
  void launch_cuda(const Op<T>& args);
HONE_DECLARE_CUDA(AttentionForward)
HONE_DECLARE_CUDA(AttentionBackward)
HONE_DECLARE_CUDA(Dequantize)
HONE_DECLARE_CUDA(Dropout)
HONE_DECLARE_CUDA(GluForward)
HONE_DECLARE_CUDA(GluBackward)
HONE_DECLARE_CUDA(LogprobForward)
HONE_DECLARE_CUDA(LogprobBackward)
HONE_DECLARE_CUDA(OptimizerStep)
HONE_DECLARE_CUDA(BlockwiseStep)
HONE_DECLARE_CUDA(RmsNormForward)
HONE_DECLARE_CUDA(RmsNormBackward)
HONE_DECLARE_CUDA(Rope)
HONE_DECLARE_CUDA(StochasticRound)
#undef HONE_DECLARE_CUDA

namespace {

template <class... Args>
std::tuple<CudaLauncher<Args>...> filled(const std::tuple<CudaLauncher<Args>...>&) {
  return {CudaLauncher<Args>{&launch_cuda}...};
}

}  // namespace
}  // namespace hone::kernels

extern "C" __attribute__((visibility("default"))) const hone::kernels::CudaTable*
hone_cuda_table() {
  static const hone::kernels::CudaTable table = hone::kernels::filled(hone::kernels::CudaTable{});
  return &table;
}
