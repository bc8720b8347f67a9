#include "engine/evaluate.h"

#include <cstring>

#include "base/error.h"
#include "distributed/texts.h"
#include "engine/batch.h"
#include "engine/sharding.h"

namespace hone::engine {

report::Metrics loss_metrics(const eval::Evaluation& found) {
  report::Metrics metrics;
  for (const char* name : {"loss", "perplexity"})
    if (const eval::Tally* tally = found.find(name))
      metrics.emplace_back(std::string("eval_") + name, tally->value());
  if (found.trained_tokens > 0) {
    metrics.emplace_back("eval_tokens", found.tokens);
    metrics.emplace_back("eval_trained_tokens", found.trained_tokens);
  }
  return metrics;
}

report::Metrics evaluate_loss(const model::Decoder& decoder, const datasets::Dataset& data,
                              std::int64_t tokens_per_batch, const eval::Crew& crew) {
  return loss_metrics(eval::evaluate_loss(decoder, data, tokens_per_batch, crew));
}

eval::Crew crew_of(const Session& session) {
  const distributed::Group& group = session.group;
  // Numbers as the bytes of a text: every rank has as many as it likes, and NaN stays what it is.
  const auto exchange = [group](const eval::Numbers& own) {
    const std::string text(reinterpret_cast<const char*>(own.data()), own.size() * sizeof(double));
    std::vector<eval::Numbers> all;
    for (const std::string& said :
         distributed::gather_texts(group, text, "the evaluation", distributed::Patience::kPhase)) {
      all.emplace_back(said.size() / sizeof(double));
      std::memcpy(all.back().data(), said.data(), said.size());
    }
    return all;
  };
  return {.rank = group.rank(),
          .world = group.world(),
          .passes_together = session.sharding && session.sharding->passes_are_shared(),
          .exchange = exchange};
}

std::vector<eval::Numbers> measure_eval_batches(
    const Session& session, const std::function<eval::Numbers(const datasets::Batch&)>& measure) {
  const eval::Crew crew = crew_of(session);
  std::vector<eval::Numbers> found;
  std::vector<datasets::Batch> round;
  const auto run = [&] {
    for (eval::Numbers& numbers :
         eval::measure_round(crew, round.size(), [&](std::size_t i) { return measure(round[i]); }))
      found.push_back(std::move(numbers));
    round.clear();
  };
  for_each_batch(session.eval_data, session.options.eval.tokens_per_device_batch,
                 [&](const datasets::Batch& batch) {
                   round.push_back(batch);
                   if (std::ssize(round) == crew.world) run();
                 });
  if (!round.empty()) run();
  return found;
}

void put(const Tensor& tensor, eval::Numbers& numbers) {
  const Tensor wide = tensor.detach().to(torch::kCPU, torch::kFloat64).contiguous();
  const auto* first = wide.const_data_ptr<double>();
  numbers.push_back(static_cast<double>(wide.numel()));
  numbers.insert(numbers.end(), first, first + wide.numel());
}

Tensor NumbersReader::tensor() {
  const auto size = static_cast<std::size_t>(number());
  HONE_ASSERT(next_ + size <= numbers_.size(), "{} numbers of {}", size, numbers_.size() - next_);
  const auto first = numbers_.begin() + static_cast<std::ptrdiff_t>(next_);
  next_ += size;
  return torch::tensor(eval::Numbers(first, first + static_cast<std::ptrdiff_t>(size)),
                       torch::kFloat64)
      .to(torch::kFloat32);
}

}  // namespace hone::engine
