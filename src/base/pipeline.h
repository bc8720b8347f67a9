#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace hone {

/// Items that are read one after the other, worked on by many threads, and written in the order of
/// reading, so that the result does not depend on the number of threads.
template <class In, class Out>
class Pipeline {
 public:
  struct Stages {
    std::function<std::optional<In>()> read;  ///< on a thread of its own; nothing: the end
    std::function<Out(In)> work;              ///< on many threads at once
    std::function<bool(Out)> write;           ///< on the caller's thread; false: enough
  };

  /// Runs until the end, until `write` has enough, or until a stage throws: what was read before is
  /// written, nothing after it, and the exception is thrown on once every thread has ended.
  /// @param threads  that work; at least 1
  /// @param capacity items between reading and writing at any time: what memory is bounded by
  static void run(Stages stages, int threads, std::size_t capacity) {
    HONE_ASSERT(threads > 0 && capacity > 0, "{} threads, {} items", threads, capacity);
    Pipeline pipeline(std::move(stages), capacity);
    std::vector<std::jthread> crew;
    const Ending end_all(pipeline);  // before the crew is joined, whatever way this is left
    crew.emplace_back([&] { pipeline.read_all(); });
    for (int i = 0; i < threads; ++i) crew.emplace_back([&] { pipeline.work_on_all(); });
    pipeline.write_all();
  }

 private:
  enum class State { kFree, kRead, kTaken, kDone };

  /// The place of one item on its way. `failure` stands for the item where a stage threw.
  struct Slot {
    State state = State::kFree;
    std::optional<In> in;
    std::optional<Out> out;
    std::exception_ptr failure;
  };

  struct Ending {
    explicit Ending(Pipeline& pipeline) : pipeline_(pipeline) {}
    ~Ending() { pipeline_.stop(); }
    Pipeline& pipeline_;
  };

  Pipeline(Stages stages, std::size_t capacity) : stages_(std::move(stages)), slots_(capacity) {}

  Slot& slot(std::size_t index) { return slots_[index % slots_.size()]; }

  /// Waits until `ready` holds; false where everything is to stop.
  template <class Ready>
  bool wait(std::unique_lock<std::mutex>& lock, Ready ready) {
    changed_.wait(lock, [&] { return stopped_ || ready(); });
    return !stopped_;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }

  void read_all() {
    for (bool more = true; more;) {
      std::unique_lock lock(mutex_);
      if (!wait(lock, [&] { return slot(read_).state == State::kFree; })) return;
      Slot& free = slot(read_);
      lock.unlock();
      try {
        free.in = stages_.read();
        more = free.in.has_value();
      } catch (...) {
        free.failure = std::current_exception();
        more = false;
      }
      lock.lock();
      if (free.in || free.failure) {
        free.state = free.failure ? State::kDone : State::kRead;
        ++read_;
      }
      at_end_ = !more;
      changed_.notify_all();
    }
  }

  void work_on_all() {
    std::unique_lock lock(mutex_);
    const auto has_work = [&] { return next_ < read_ && slot(next_).state == State::kRead; };
    while (wait(lock, [&] { return has_work() || (at_end_ && !has_work()); })) {
      if (!has_work()) return;
      Slot& mine = slot(next_++);
      mine.state = State::kTaken;
      lock.unlock();
      try {
        mine.out = stages_.work(std::move(*mine.in));
      } catch (...) {
        mine.failure = std::current_exception();
      }
      mine.in.reset();
      lock.lock();
      mine.state = State::kDone;
      changed_.notify_all();
    }
  }

  void write_all() {
    std::unique_lock lock(mutex_);
    for (std::size_t written = 0;; ++written) {
      wait(lock,
           [&] { return slot(written).state == State::kDone || (at_end_ && written == read_); });
      if (at_end_ && written == read_) return;
      Slot& done = slot(written);
      lock.unlock();
      if (done.failure) std::rethrow_exception(done.failure);
      if (!stages_.write(std::move(*done.out))) return;
      lock.lock();
      done = Slot{};
      changed_.notify_all();
    }
  }

  Stages stages_;
  std::mutex mutex_;  // guards everything below but the contents of slots that a thread holds
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::size_t read_ = 0;  // items read so far; item i is in slots_[i % size]
  std::size_t next_ = 0;  // the first item that no thread has taken
  bool at_end_ = false, stopped_ = false;
};

}  // namespace hone
