#include "engine/eva_pass.h"

#include <algorithm>
#include <limits>

#include "base/interrupt.h"
#include "base/log.h"
#include "checkpoint/state.h"
#include "datasets/batch.h"
#include "engine/batch.h"

namespace hone::engine {
namespace {

/// Directions that still turn after so many batches are taken as they are: where a module's inputs
/// vary in fewer directions than are looked for, the last of these never rest.
constexpr std::int64_t kMostBatches = 256;

constexpr std::string_view kPrefix = "base_model.model.", kSuffix = ".lora_A.weight";

/// Ranks as a checkpoint has them; its numbers take the place of these zeros.
adapters::EvaStart ranks_of(const checkpoint::VerifiedFolder& checkpoint) {
  const checkpoint::State state = checkpoint::load_state(checkpoint);
  adapters::EvaStart start;
  for (const auto& [full_name, stored] : state.trainable.tensors()) {
    const std::string_view name = full_name;
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    const std::size_t length = name.size() - kPrefix.size() - kSuffix.size();
    start[std::string(name.substr(kPrefix.size(), length))] = torch::zeros(stored.shape);
  }
  return start;
}

/// The tokens that are trained on: those whose prediction has a weight.
torch::Tensor trained_rows(const datasets::Batch& batch) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i + 1 < batch.weights.size(); ++i)
    if (batch.weights[i] != 0) rows.push_back(static_cast<std::int64_t>(i) + 1);
  return torch::tensor(rows, torch::kInt64);
}

void tell(const adapters::EvaStart& start, const adapters::EvaSearch& search,
          std::int64_t batches) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max(), most = 0;
  for (const auto& [name, a] : start) {
    least = std::min(least, a.size(0));
    most = std::max(most, a.size(0));
  }
  log::info(
      "eva     {} modules over {} inputs, {} batches: ranks from {} to {}, {} modules without",
      search.modules(), search.inputs(), batches, least, most,
      search.modules() - std::ssize(start));
}

}  // namespace

std::optional<adapters::EvaStart> eva_start(const RunOptions& options, model::Decoder& decoder,
                                            const datasets::Dataset& rows,
                                            const datasets::Sampler& sampler,
                                            const ResumeRequest& resume) {
  if (options.adapter.init_lora_weights != "eva" || !options.adapter.init_from.empty())
    return std::nullopt;
  if (const auto checkpoint = find_checkpoint(options, resume)) return ranks_of(*checkpoint);
  const adapters::Settings settings = adapters::settings_of(options.adapter);
  const adapters::Method& method = *adapters::find_method(options.adapter.method);
  adapters::EvaSearch search(decoder, method, settings);
  std::int64_t batches = 0;
  for (std::int64_t step = 0; batches < kMostBatches && !search.has_converged(); ++step) {
    for (const std::vector<std::int64_t>& places : sampler.step(step).micro_batches) {
      leave_if_interrupted();
      const datasets::Batch batch = datasets::make_batch(rows, places);
      const torch::Tensor looked_at = options.adapter.eva_use_label_mask
                                          ? trained_rows(batch).to(decoder.device())
                                          : torch::Tensor();
      search.see(to_device(batch, decoder.device()).tokens, looked_at);
      if (++batches == kMostBatches || search.has_converged()) break;
    }
  }
  adapters::EvaStart start = search.start();
  if (!search.has_converged())
    log::warn("eva: after {} batches some directions still turn; they are taken as they are",
              batches);
  tell(start, search, batches);
  return start;
}

}  // namespace hone::engine
