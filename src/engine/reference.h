#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/batch.h"
#include "engine/preference_options.h"
#include "engine/reference_cache.h"
#include "engine/session.h"

namespace hone::engine {

/// Which rows of a session a batch is of.
enum class RowsOf { kTrain, kEval };

/// How a trainer uses its reference.
struct ReferenceUse {
  bool follows = false;         ///< it gets numbers of its own, for `follow`; part of session.state
  bool shares_prompts = false;  ///< as to_device has it, where the reference can
};

/// The model that a policy is measured against. It never learns; it may follow the policy.
class Reference {
 public:
  /// What section `dpo` or `kto` says. Where a cache is wanted, it is made here, for all rows.
  /// @pre session.base is there where the reference is base or initial_adapter
  /// @throws ConfigError where there is no such reference for this model
  Reference(Session& session, const config::Loaded<RunOptions>& config,
            const ReferenceUse& use = {});

  /// Log-probabilities of the documents' responses, each token times its weight, without gradient.
  /// @return [D] f32; zeros where the reference is none
  Tensor logps(const datasets::Batch& batch, RowsOf rows) const;

  /// TR-DPO: each of its numbers becomes α · the policy's + (1 − α) · its own.
  /// @source arXiv:2404.09656
  void follow(const Trainable& policy, double alpha);

 private:
  Tensor computed(const datasets::Batch& batch) const;
  /// All that its numbers depend on but the rows.
  std::string identity(const Session& session);
  std::vector<float> all_of(const datasets::Dataset& data, std::int64_t tokens_per_batch) const;

  std::string what_;
  torch::Device device_;
  std::optional<model::Decoder> decoder_;  ///< none: its log-probabilities are 0
  std::optional<Trainable> own_;           ///< its adapter, or what of it follows the policy
  bool shares_prompts_ = false;
  std::optional<ReferenceCache> train_cache_, eval_cache_;
  std::int64_t documents_per_row_ = 1;
};

}  // namespace hone::engine
