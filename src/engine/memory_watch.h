#pragma once

#include <cstdint>
#include <memory>

namespace c10 {
class DebugInfoGuard;
}

namespace hone::engine {

/// Counts the memory of tensors that are made while it lives, on the thread that made it and in
/// backward passes that this thread starts. Tensors that were there before do not count, nor does
/// what takes memory past LibTorch's allocators.
class MemoryWatch {
 public:
  MemoryWatch();
  ~MemoryWatch();
  MemoryWatch(const MemoryWatch&) = delete;
  MemoryWatch& operator=(const MemoryWatch&) = delete;

  /// Of those that are there now.
  std::int64_t live_bytes() const;
  /// The most that was there at any time.
  std::int64_t peak_bytes() const;

 private:
  struct Counter;
  std::shared_ptr<Counter> counter_;
  std::unique_ptr<c10::DebugInfoGuard> guard_;
};

}  // namespace hone::engine
