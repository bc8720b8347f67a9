#include "engine/prefix_sharing.h"

#include <algorithm>

#include "adapters/dropout_probability.h"
#include "base/error.h"
#include "model/document_lengths.h"

namespace hone::engine {

namespace {

std::int64_t longest_row(const Session& session) {
  std::int64_t longest = 0;
  for (const datasets::Dataset* data : {&session.train_data, &session.eval_data})
    for (const std::int64_t length : data->lengths()) longest = std::max(longest, length);
  return longest;
}

}  // namespace

bool can_share_prompts(const model::Spec& spec, const Session& session) {
  return model::can_share_prefixes(spec, longest_row(session));
}

bool shares_prompts(const Session& session, const std::string& choice) {
  const bool is_noisy = session.options.train.neftune_noise_alpha > 0;
  HONE_CHECK(ConfigError, !is_noisy || choice != "always",
             "prefix_sharing: always: train.neftune_noise_alpha gives each document noise of its "
             "own, of a size that its length says; set it to auto or never");
  // Two documents would each have a draw of their own for the prompt.
  const auto& adapter = session.trainable.adapter;
  const bool draws = adapter && adapters::dropout_of(adapter->settings) > 0;
  if (choice == "never" || is_noisy || (draws && choice == "auto")) return false;
  const model::Spec& spec = session.decoder.spec;
  const bool can = can_share_prompts(spec, session);
  HONE_CHECK(
      ConfigError, can || choice != "always",
      "prefix_sharing: always: the model's rope ({}) turns a prompt differently in documents "
      "of different lengths beyond {:.0f} tokens, and rows here have up to {}; set it to "
      "auto or never",
      spec.ropes.front().scaling.type, spec.ropes.front().scaling.original_max_position_embeddings,
      longest_row(session));
  return can;
}

}  // namespace hone::engine
