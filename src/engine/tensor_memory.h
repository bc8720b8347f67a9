#pragma once

#include <cstdint>

namespace hone::engine {

/// What LibTorch's tensors take on the CPU, counted as they come and go. What was allocated before
/// the counting began is not in it, so that differences are what it is good for.
namespace tensor_memory {

/// From here on LibTorch's CPU memory is counted; to be called once or more often.
void count();

std::int64_t bytes();
/// The most since the last call of begin_peak().
std::int64_t peak_bytes();
void begin_peak();

}  // namespace tensor_memory
}  // namespace hone::engine
