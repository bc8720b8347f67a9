#pragma once

#include <functional>
#include <string>

#include "adapters/site.h"

namespace hone::adapters {

/// What the first numbers of an adapter's tensor may depend on.
struct StartContext {
  std::vector<std::int64_t> shape;
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;             ///< the tensor's own random numbers
  std::function<Tensor()> base_weight;  ///< of the module it sits on, f32; empty: on none
};

/// Makes a tensor's first numbers, f32 on the CPU.
using Start = std::function<Tensor(const StartContext&)>;

Start zeros();
Start constant(double value);
/// Uniform in ±bound.
Start uniform(double bound);
/// Kaiming-uniform with a = √5: uniform in ±√(6 / ((1 + a²) · in)) = ±1/√in, in the columns.
Start kaiming_uniform();
/// Normal, by Box and Muller's transform.
Start normal(double deviation);
/// The Euclidean norm of each of the base weight's rows.
Start norms_of_rows();

}  // namespace hone::adapters
