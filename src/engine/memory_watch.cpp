#include "engine/memory_watch.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <atomic>

namespace hone::engine {

/// What LibTorch's allocators report to, as they do to its profiler.
struct MemoryWatch::Counter final : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void*, std::int64_t size_bytes, std::size_t, std::size_t,
                         c10::Device) override {
    const std::int64_t now = live_bytes += size_bytes;  // negative where a tensor goes
    std::int64_t peak = peak_bytes;
    while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
    }
  }
  bool memoryProfilingEnabled() const override { return true; }

  std::atomic<std::int64_t> live_bytes = 0, peak_bytes = 0;
};

MemoryWatch::MemoryWatch()
    : counter_(std::make_shared<Counter>()),
      guard_(std::make_unique<c10::DebugInfoGuard>(c10::DebugInfoKind::PROFILER_STATE, counter_)) {}

MemoryWatch::~MemoryWatch() = default;

std::int64_t MemoryWatch::live_bytes() const { return counter_->live_bytes; }

std::int64_t MemoryWatch::peak_bytes() const { return counter_->peak_bytes; }

}  // namespace hone::engine
