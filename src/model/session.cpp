#include "model/session.h"

#include <algorithm>

#include "base/error.h"
#include "model/head.h"

namespace hone::model {

Session::Session(const Decoder& decoder) : decoder_(&decoder), cache_(decoder.spec, 1) {}

Generated Session::reply(const std::vector<std::int64_t>& prompt, const SamplingOptions& options,
                         const std::function<void(std::int64_t)>& on_token) {
  HONE_CHECK(DataError, !prompt.empty(), "the prompt has no tokens");
  const torch::NoGradGuard no_grad;
  const auto differ = std::mismatch(prompt.begin(), prompt.end(), held_.begin(), held_.end());
  // The last token is run in any case: its hidden state is what the answer begins with.
  reused_tokens_ = std::min<std::int64_t>(differ.first - prompt.begin(), std::ssize(prompt) - 1);
  cache_.truncate(0, reused_tokens_);
  held_.assign(prompt.begin(), prompt.begin() + reused_tokens_);

  Generated made;
  std::vector<std::int64_t> seen = prompt;
  while (std::ssize(made.ids) < options.max_new_tokens && !made.stopped) {
    const std::vector<std::int64_t> next(seen.begin() + std::ssize(held_), seen.end());
    const std::int64_t count = std::ssize(next), at = std::ssize(held_);
    const Tensor ids = torch::tensor(next, torch::kInt64).to(decoder_->device());
    const Tensor hidden =
        extend(*decoder_, {ids, torch::arange(at, at + count, ids.options()), {0, count}}, cache_);
    held_ = seen;
    const Tensor scores = logits(*decoder_, hidden.narrow(0, count - 1, 1));
    made.ids.push_back(choose_token(scores[0], seen, options, 0));
    seen.push_back(made.ids.back());
    if (on_token) on_token(made.ids.back());
    made.stopped = ends_sequence(made.ids, options);
  }
  return made;
}

}  // namespace hone::model
