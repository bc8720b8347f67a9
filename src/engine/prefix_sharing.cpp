#include "engine/prefix_sharing.h"

#include <algorithm>

#include "base/error.h"
#include "model/document_lengths.h"

namespace hone::engine {

bool shares_prompts(const Session& session, const std::string& choice) {
  const bool is_noisy = session.options.train.neftune_noise_alpha > 0;
  HONE_CHECK(ConfigError, !is_noisy || choice != "always",
             "prefix_sharing: always: train.neftune_noise_alpha gives each document noise of its "
             "own, of a size that its length says; set it to auto or never");
  if (choice == "never" || is_noisy) return false;
  std::int64_t longest = 0;
  for (const datasets::Dataset* data : {&session.train_data, &session.eval_data})
    for (const std::int64_t length : data->lengths()) longest = std::max(longest, length);
  const model::Spec& spec = session.decoder.spec;
  const bool can = model::can_share_prefixes(spec, longest);
  HONE_CHECK(
      ConfigError, can || choice != "always",
      "prefix_sharing: always: the model's rope ({}) turns a prompt differently in documents "
      "of different lengths beyond {:.0f} tokens, and rows here have up to {}; set it to "
      "auto or never",
      spec.ropes.front().scaling.type, spec.ropes.front().scaling.original_max_position_embeddings,
      longest);
  return can;
}

}  // namespace hone::engine
