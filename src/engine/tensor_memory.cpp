#include "engine/tensor_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <malloc.h>

#include <atomic>

namespace hone::engine::tensor_memory {
namespace {

std::atomic<std::int64_t> g_bytes{0}, g_peak{0};

void note(std::int64_t change) {
  const std::int64_t now = g_bytes += change;
  std::int64_t peak = g_peak.load();
  while (now > peak && !g_peak.compare_exchange_weak(peak, now)) {
  }
}

void release(void* data) {
  note(-static_cast<std::int64_t>(::malloc_usable_size(data)));
  c10::profiledCPUMemoryReporter().Delete(data);
  c10::free_cpu(data);
}

/// LibTorch's own way to get memory, with a count. As its own allocator does, it tells LibTorch's
/// profiler, which MemoryWatch listens to as well.
class CountingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size_bytes) override {
    void* data = c10::alloc_cpu(size_bytes);
    note(static_cast<std::int64_t>(::malloc_usable_size(data)));
    c10::profiledCPUMemoryReporter().New(data, size_bytes);
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t size_bytes) const override {
    default_copy_data(to, from, size_bytes);
  }
};

}  // namespace

void count() {
  static CountingAllocator allocator;
  c10::SetCPUAllocator(&allocator);
}

std::int64_t bytes() { return g_bytes; }
std::int64_t peak_bytes() { return g_peak; }
void begin_peak() { g_peak = g_bytes.load(); }

}  // namespace hone::engine::tensor_memory
