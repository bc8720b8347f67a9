#include "engine/reference.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "engine/document_logps.h"
#include "engine/load_options.h"
#include "engine/prefix_sharing.h"
#include "engine/sharding.h"
#include "model/load.h"
#include "model/weights.h"

namespace hone::engine {
namespace {

model::Decoder load_other(const std::string& name, const Session& session) {
  model::Decoder other = model::load_decoder(
      resolve_model(name), load_options(session.options.model, session.placement));
  HONE_CHECK(ConfigError, other.spec.vocab_size == session.decoder.spec.vocab_size,
             "{}.reference: {} has a vocabulary of {}, the model that is trained one of {}; the "
             "reference has to read the same tokens",
             session.options.train.method, name, other.spec.vocab_size,
             session.decoder.spec.vocab_size);
  return other;
}

}  // namespace

Reference::Reference(Session& session, const config::Loaded<RunOptions>& config,
                     const ReferenceUse& use)
    : device_(session.decoder.device()) {
  const RunOptions& options = session.options;
  const auto wanted = reference_options(options);
  HONE_ASSERT(wanted, "{} has no reference", options.train.method);
  what_ = wanted->reference;
  const bool is_adapter = options.adapter.trains_adapter();
  HONE_CHECK(ConfigError, is_adapter || what_ != "initial_adapter",
             "{}.reference: initial_adapter needs an adapter, and adapter.method is {}; base is "
             "the model as it was at the start",
             options.train.method, options.adapter.method);
  HONE_CHECK(ConfigError, !is_adapter || !use.follows || what_ == "initial_adapter",
             "{}.sync_ref_model: the base has no adapter that could follow; set "
             "reference: initial_adapter",
             options.train.method);
  if (what_ == "none") return;
  decoder_ = session.base ? *session.base : load_other(what_, session);
  shares_prompts_ = use.shares_prompts && can_share_prompts(decoder_->spec, session);
  if (session.sharding && !session.base) session.sharding->divide(*decoder_);
  if (what_ == "initial_adapter" || use.follows) {
    if (session.sharding) session.sharding->gather();
    // What training began with, once more: the same options and seed give the same numbers.
    own_ = make_trainable(*decoder_, options.adapter, config.given,
                          {.added_ids = session.text.added_ids(),
                           .total_steps = session.total_steps,
                           .seed = static_cast<std::uint64_t>(options.train.seed),
                           .base = resolve_model(options.model.base),
                           .eva = session.eva_start ? &*session.eva_start : nullptr});
    for (optim::Parameter& parameter : own_->parameters) parameter.tensor.requires_grad_(false);
    if (session.sharding) session.sharding->rest();
  }
  if (use.follows)
    for (const optim::Parameter& parameter : own_->parameters)
      session.state.emplace_back("reference." + parameter.name, parameter.tensor);

  const auto folder = reference_cache_folder(wanted->reference_cache);
  if (!folder) return;
  const std::string model = identity(session);
  const auto open = [&](const datasets::Dataset& data) -> std::optional<ReferenceCache> {
    if (data.empty()) return std::nullopt;
    documents_per_row_ = data.example(0).documents();
    return ReferenceCache(
        *folder, sha256_hex(model + content_of(data)), data.size() * documents_per_row_, [&] {
          log::info("reference  {} rows are computed into {}", data.size(), folder->string());
          return all_of(data, options.eval.tokens_per_device_batch);
        });
  };
  train_cache_ = open(session.train_data);
  eval_cache_ = open(session.eval_data);
}

// Neither the batches' size nor shared prompts are part of it: they change numbers by rounding.
std::string Reference::identity(const Session& session) {
  const bool is_other = !session.base.has_value();
  const model::RopeScalingOptions& rope = session.options.model.rope_scaling;
  Sha256 adapter;
  if (own_)
    for (const optim::Parameter& parameter : own_->parameters) {
      const Tensor numbers = parameter.tensor.to(torch::kCPU).contiguous();
      adapter.update(parameter.name).update(numbers.const_data_ptr(), numbers.nbytes());
    }
  const nlohmann::json identity = {
      {"code", 1},
      {"model",
       is_other ? model::hash_of_weights(resolve_model(what_)) : session.base_sha256.get()},
      {"kept_as", kept_as(*decoder_)},
      {"compute_dtype", dtype_label(session.placement.compute_dtype)},
      {"rope_scaling", rope.rope_type ? model::as_config(rope) : nullptr},
      {"adapter", own_ ? adapter.hex() : ""}};
  return identity.dump();
}

std::vector<float> Reference::all_of(const datasets::Dataset& data,
                                     std::int64_t tokens_per_batch) const {
  std::vector<float> numbers;
  for_each_batch(data, tokens_per_batch, [&](const datasets::Batch& batch) {
    const Tensor logps = computed(batch).to(torch::kCPU).contiguous();
    const auto* first = logps.const_data_ptr<float>();
    numbers.insert(numbers.end(), first, first + logps.numel());
  });
  return numbers;
}

Tensor Reference::computed(const datasets::Batch& batch) const {
  const torch::NoGradGuard no_grad;
  return response_logps(*decoder_, to_device(batch, device_, shares_prompts_)).sums_D;
}

Tensor Reference::logps(const datasets::Batch& batch, RowsOf rows) const {
  if (!decoder_) return torch::zeros({batch.documents()}, device_);
  const auto& cache = rows == RowsOf::kTrain ? train_cache_ : eval_cache_;
  if (!cache) return computed(batch);
  std::vector<float> numbers;
  for (const std::int64_t place : batch.places)
    for (std::int64_t d = 0; d < documents_per_row_; ++d)
      numbers.push_back(cache->logps()[static_cast<std::size_t>(place * documents_per_row_ + d)]);
  return torch::tensor(numbers, torch::kFloat32).to(device_);
}

void Reference::follow(const Trainable& policy, double alpha) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < own_->parameters.size(); ++i) {
    Tensor own = own_->parameters[i].tensor;
    own.lerp_(policy.parameters[i].tensor.to(own.scalar_type()), alpha);
  }
}

}  // namespace hone::engine
