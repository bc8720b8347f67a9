#pragma once

#include <functional>
#include <vector>

#include "model/generate.h"
#include "model/kv_cache.h"

namespace hone::model {

/// One sequence that is answered again and again, as in a chat: tokens that a prompt shares with
/// what was run before it are not run again.
class Session {
 public:
  /// @param decoder lives longer than the session
  explicit Session(const Decoder& decoder);

  /// Continues a prompt, as generate() does with it alone.
  /// @param on_token called with each new token as soon as it is there
  Generated reply(const std::vector<std::int64_t>& prompt, const SamplingOptions& options,
                  const std::function<void(std::int64_t)>& on_token = {});

  /// Tokens of the last prompt that were not run again.
  std::int64_t reused_tokens() const { return reused_tokens_; }

 private:
  const Decoder* decoder_;
  KvCache cache_;
  std::vector<std::int64_t> held_;  ///< the tokens whose keys and values the cache has
  std::int64_t reused_tokens_ = 0;
};

}  // namespace hone::model
