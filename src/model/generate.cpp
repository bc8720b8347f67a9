#include "model/generate.h"

#include <ATen/ops/_unique.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/philox.h"
#include "model/head.h"
#include "model/kv_cache.h"

namespace hone::model {
namespace {

/// A sequence on its way, and what was made of it so far.
struct Sequence {
  std::size_t result;              ///< where its tokens go
  std::uint64_t number;            ///< what its random numbers depend on
  std::vector<std::int64_t> next;  ///< tokens to run in the next pass
  std::int64_t position;           ///< of the first of them
  std::vector<std::int64_t> seen;  ///< prompt and new tokens
};

TokenStream stream_of(const std::vector<Sequence>& running, torch::Device device) {
  std::vector<std::int64_t> ids, positions, borders{0};
  for (const Sequence& sequence : running) {
    for (std::size_t i = 0; i < sequence.next.size(); ++i) {
      ids.push_back(sequence.next[i]);
      positions.push_back(sequence.position + static_cast<std::int64_t>(i));
    }
    borders.push_back(static_cast<std::int64_t>(ids.size()));
  }
  return {torch::tensor(ids, torch::kInt64).to(device),
          torch::tensor(positions, torch::kInt64).to(device), std::move(borders)};
}

Tensor last_rows(const std::vector<std::int64_t>& borders, torch::Device device) {
  std::vector<std::int64_t> rows;
  for (std::size_t d = 1; d < borders.size(); ++d) rows.push_back(borders[d] - 1);
  return torch::tensor(rows, torch::kInt64).to(device);
}

/// Runs the sequences' next tokens. @return [sequences, V] f32
Tensor next_logits(const Decoder& decoder, const std::vector<Sequence>& running, KvCache& cache) {
  const TokenStream stream = stream_of(running, decoder.device());
  const Tensor hidden = extend(decoder, stream, cache);
  return logits(decoder, hidden.index_select(0, last_rows(stream.cu_seqlens, decoder.device())));
}

/// The sequences that continue each prompt, once all prompts are run; cache and scores follow.
std::vector<Sequence> copy_each(const std::vector<Sequence>& run,
                                const std::vector<NumberedPrompt>& prompts, std::size_t copies,
                                KvCache& cache, Tensor& scores) {
  std::vector<Sequence> all;
  std::vector<std::size_t> places;
  for (std::size_t p = 0; p < run.size(); ++p) {
    for (std::size_t copy = 0; copy < copies; ++copy) {
      all.push_back(run[p]);
      all.back().result = all.size() - 1;
      all.back().number = prompts[p].number * copies + copy;
      places.push_back(p);
    }
  }
  if (copies == 1) return all;
  cache.select(places);
  // A penalty changes a sequence's logits in place, so each copy has its own.
  scores = scores.repeat_interleave(static_cast<std::int64_t>(copies), 0);
  return all;
}

}  // namespace

void penalise_repetition(Tensor& logits_V, const std::vector<std::int64_t>& seen, double penalty) {
  const Tensor ids = std::get<0>(at::_unique(torch::tensor(seen, torch::kInt64)));
  const Tensor places = ids.to(logits_V.device());
  const Tensor old = logits_V.index_select(0, places);
  logits_V.index_copy_(0, places, at::where(old > 0, old / penalty, old * penalty));
}

TokenShares filter_tokens(const Tensor& logits_V, const SamplingOptions& options) {
  const Tensor probabilities =
      torch::softmax(logits_V.to(torch::kFloat64) / options.temperature, 0);
  const auto [sorted, order] = probabilities.sort(/*dim=*/0, /*descending=*/true);
  const double* p = sorted.const_data_ptr<double>();
  const std::int64_t most =
      options.top_k > 0 ? std::min(options.top_k, sorted.numel()) : sorted.numel();
  const double wanted = options.top_p * std::accumulate(p, p + most, 0.0);
  std::int64_t kept = 0;
  double mass = 0;
  while (kept < most && (kept == 0 || mass < wanted)) mass += p[kept++];
  while (kept > 1 && p[kept - 1] < options.min_p * p[0]) mass -= p[--kept];
  const std::int64_t* ids = order.const_data_ptr<std::int64_t>();
  TokenShares left{{ids, ids + kept}, {p, p + kept}};
  for (double& share : left.probabilities) share /= mass;
  return left;
}

std::int64_t sample_token(const Tensor& logits_V, const SamplingOptions& options, double uniform) {
  const TokenShares among = filter_tokens(logits_V, options);
  std::size_t place = 0;
  while (place + 1 < among.ids.size() && uniform >= among.probabilities[place])
    uniform -= among.probabilities[place++];
  return among.ids[place];
}

std::int64_t choose_token(Tensor logits_V, const std::vector<std::int64_t>& seen,
                          const SamplingOptions& options, std::uint64_t index) {
  if (options.repetition_penalty != 1)
    penalise_repetition(logits_V, seen, options.repetition_penalty);
  if (options.temperature <= 0) return logits_V.argmax(0).item<std::int64_t>();
  const auto stream = (static_cast<std::uint64_t>(RandomStream::kSampling) << 48) | index;
  const auto words = Philox(options.seed)(seen.size(), stream);
  return sample_token(logits_V.to(torch::kCPU), options, Philox::uniform(words.w[0]));
}

bool ends_sequence(const std::vector<std::int64_t>& made, const SamplingOptions& options) {
  const auto& stops = options.stop_ids;
  return std::find(stops.begin(), stops.end(), made.back()) != stops.end() ||
         (options.is_done && options.is_done(made));
}

std::vector<Generated> generate(const Decoder& decoder,
                                const std::vector<std::vector<std::int64_t>>& prompts,
                                const SamplingOptions& options, std::uint64_t first_index) {
  std::vector<NumberedPrompt> numbered;
  for (const auto& prompt : prompts) numbered.push_back({prompt, first_index + numbered.size()});
  return generate_copies(decoder, numbered, options, 1);
}

std::vector<Generated> generate_copies(const Decoder& decoder,
                                       const std::vector<NumberedPrompt>& prompts,
                                       const SamplingOptions& options, std::size_t copies) {
  const torch::NoGradGuard no_grad;
  std::vector<Generated> results(prompts.size() * copies);
  std::vector<Sequence> running;
  for (const NumberedPrompt& prompt : prompts) {
    HONE_CHECK(DataError, !prompt.ids.empty(), "prompt {} has no tokens", prompt.number);
    running.push_back({0, 0, prompt.ids, 0, prompt.ids});
  }
  KvCache cache(decoder.spec, prompts.size());
  if (options.max_new_tokens <= 0 || prompts.empty()) return results;
  Tensor scores = next_logits(decoder, running, cache);
  running = copy_each(running, prompts, copies, cache, scores);
  while (true) {
    std::vector<std::size_t> kept;
    std::vector<Sequence> going_on;
    for (std::size_t s = 0; s < running.size(); ++s) {
      Sequence& sequence = running[s];
      Generated& result = results[sequence.result];
      const std::int64_t token = choose_token(scores[static_cast<std::int64_t>(s)], sequence.seen,
                                              options, sequence.number);
      result.ids.push_back(token);
      result.stopped = ends_sequence(result.ids, options);
      if (result.stopped || std::ssize(result.ids) >= options.max_new_tokens) continue;
      kept.push_back(s);
      sequence.seen.push_back(token);
      going_on.push_back(
          {sequence.result, sequence.number, {token}, cache.length(s), std::move(sequence.seen)});
    }
    if (going_on.empty()) return results;
    if (kept.size() < running.size()) cache.select(kept);
    running = std::move(going_on);
    scores = next_logits(decoder, running, cache);
  }
}

}  // namespace hone::model
