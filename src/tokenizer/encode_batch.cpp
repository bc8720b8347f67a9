#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {
namespace {

// Encodes requests, a few at a time, until none is left; every thread runs this.
class Batch {
 public:
  Batch(const Tokenizer& tokenizer, std::span<const EncodeRequest> requests)
      : tokenizer_(tokenizer), requests_(requests), encodings_(requests.size()) {}

  void work() {
    constexpr std::size_t kAtATime = 8;
    while (true) {
      const std::size_t begin = next_.fetch_add(kAtATime, std::memory_order_relaxed);
      if (begin >= requests_.size()) return;
      const std::size_t end = std::min(begin + kAtATime, requests_.size());
      for (std::size_t i = begin; i < end; ++i) encode(i);
    }
  }

  // The first failure in the order of the requests, whichever thread met it, and when.
  std::vector<Encoding> result() {
    if (failure_) std::rethrow_exception(failure_);
    return std::move(encodings_);
  }

 private:
  void encode(std::size_t i) {
    try {
      encodings_[i] = tokenizer_.encode(requests_[i].text, requests_[i].options);
    } catch (...) {
      const std::lock_guard lock(failure_mutex_);
      if (failure_ && failed_ < i) return;
      failure_ = std::current_exception();
      failed_ = i;
    }
  }

  const Tokenizer& tokenizer_;
  std::span<const EncodeRequest> requests_;
  std::vector<Encoding> encodings_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex failure_mutex_;
  std::exception_ptr failure_;
  std::size_t failed_ = 0;
};

}  // namespace

std::vector<Encoding> Tokenizer::encode_batch(std::span<const EncodeRequest> requests,
                                              unsigned threads) const {
  Batch batch(*this, requests);
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < threads; ++i) helpers.emplace_back([&] { batch.work(); });
    batch.work();
  }
  return batch.result();
}

}  // namespace hone::tokenizer
