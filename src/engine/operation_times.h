#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace hone::engine {

/// Something that ran on a thread, or on a device, for a while. What lies within another of the
/// same thread was called by it.
struct Ran {
  std::string name;
  std::uint64_t begin_ns = 0, end_ns = 0;
  std::uint64_t thread = 0;  ///< or stream of a device
  bool is_phase = false;     ///< a phase of PhaseClock
};

/// What an operation costs in a phase.
struct OperationTime {
  std::string phase;      ///< empty: outside of all
  std::string operation;  ///< of LibTorch, or ours; the phase itself: what no operation explains
  std::int64_t calls = 0;
  double self_s = 0;   ///< without what it called
  double total_s = 0;  ///< with it
};

/// Adds up what ran by phase and operation, those that cost most by themselves first. An operation
/// of another thread belongs to the phase in which it began.
/// @param ran in any order
std::vector<OperationTime> operation_times(std::span<const Ran> ran);

}  // namespace hone::engine
