#pragma once

#include <tuple>

#include "kernels/attention/arithmetic.h"
#include "kernels/dropout/arithmetic.h"
#include "kernels/glu/arithmetic.h"
#include "kernels/linear_logprob/arithmetic.h"
#include "kernels/optimizer_step/arithmetic.h"
#include "kernels/packed/arithmetic.h"
#include "kernels/rms_norm/arithmetic.h"
#include "kernels/rope/arithmetic.h"
#include "kernels/stochastic_round/arithmetic.h"

namespace hone::kernels {

/// Starts an operation on the current CUDA stream. Pointers are the device's, but for those of
/// AttentionShape.
template <class Args>
using CudaLauncher = void (*)(const Args&);

template <class T>
using CudaLaunchersOf =
    std::tuple<CudaLauncher<AttentionForward<T>>, CudaLauncher<AttentionBackward<T>>,
               CudaLauncher<Dropout<T>>, CudaLauncher<LogprobForward<T>>,
               CudaLauncher<LogprobBackward<T>>, CudaLauncher<RmsNormForward<T>>,
               CudaLauncher<RmsNormBackward<T>>, CudaLauncher<Rope<T>>, CudaLauncher<GluForward<T>>,
               CudaLauncher<GluBackward<T>>, CudaLauncher<Dequantize<T>>>;

/// Updates of trained parameters: computed in fp32, whatever these are kept in.
template <template <class> class Op, class... Rules>
using CudaLaunchersByRule = std::tuple<CudaLauncher<Op<Rules>>...>;
using CudaOptimizerLaunchers = decltype(std::tuple_cat(
    CudaLaunchersByRule<OptimizerStep, AdamRule, AmsgradRule, AdagradRule, PlainRmspropRule,
                        CentredRmspropRule, MomentumRmspropRule, CentredMomentumRmspropRule,
                        PlainSgdRule, SgdRule, LionRule>{},
    CudaLaunchersByRule<BlockwiseStep, AdamRule, LionRule>{},
    std::tuple<CudaLauncher<StochasticRound<Bf16>>>{}));

/// What libhone_cuda.so offers; an entry is found by its arguments' type.
using CudaTable = decltype(std::tuple_cat(CudaLaunchersOf<float>{}, CudaLaunchersOf<Bf16>{},
                                          CudaLaunchersOf<Fp16>{}, CudaLaunchersOf<double>{},
                                          CudaOptimizerLaunchers{}));

/// The one symbol that libhone_cuda.so exports for hone to look up.
constexpr const char* kCudaTableSymbol = "hone_cuda_table";
using CudaTableFunction = const CudaTable* (*)();

}  // namespace hone::kernels
