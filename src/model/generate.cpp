#include "model/generate.h"

#include "base/error.h"
#include "base/philox.h"
#include "model/head.h"
#include "model/kv_cache.h"

namespace hone::model {
namespace {

/// A prompt on its way: which one it is, and what was made of it so far.
struct Sequence {
  std::size_t index;
  std::vector<std::int64_t> next;  ///< tokens to run in the next pass
  std::int64_t position;           ///< of the first of them
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

/// One new token for each row of logits, by greedy choice or sampling.
std::vector<std::int64_t> choose(const Tensor& logits_SV, const std::vector<Sequence>& running,
                                 const SamplingOptions& options, std::uint64_t first_index) {
  std::vector<std::int64_t> chosen;
  if (options.temperature <= 0) {
    const Tensor best = logits_SV.argmax(1).to(torch::kCPU);
    for (std::size_t s = 0; s < running.size(); ++s)
      chosen.push_back(best[static_cast<std::int64_t>(s)].item<std::int64_t>());
    return chosen;
  }
  const Tensor on_cpu = logits_SV.to(torch::kCPU);
  const Philox random(options.seed);
  for (std::size_t s = 0; s < running.size(); ++s) {
    const auto end = static_cast<std::uint64_t>(running[s].position) + running[s].next.size();
    const auto stream = (static_cast<std::uint64_t>(RandomStream::kSampling) << 48) |
                        (first_index + running[s].index);
    const auto words = random(end, stream);
    chosen.push_back(sample_token(on_cpu[static_cast<std::int64_t>(s)], options.temperature,
                                  options.top_p, Philox::uniform(words.w[0])));
  }
  return chosen;
}

}  // namespace

std::int64_t sample_token(const Tensor& logits_V, double temperature, double top_p,
                          double uniform) {
  const Tensor probabilities = torch::softmax(logits_V.to(torch::kFloat64) / temperature, 0);
  const auto [sorted, order] = probabilities.sort(/*dim=*/0, /*descending=*/true);
  const double* p = sorted.const_data_ptr<double>();
  std::int64_t kept = 0;
  double mass = 0;
  while (kept < sorted.numel() && (kept == 0 || mass < top_p)) mass += p[kept++];
  double left = uniform * mass;
  std::int64_t place = 0;
  while (place + 1 < kept && left >= p[place]) left -= p[place++];
  return order[place].item<std::int64_t>();
}

std::vector<Generated> generate(const Decoder& decoder,
                                const std::vector<std::vector<std::int64_t>>& prompts,
                                const SamplingOptions& options, std::uint64_t first_index) {
  const torch::NoGradGuard no_grad;
  std::vector<Generated> results(prompts.size());
  std::vector<Sequence> running;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    HONE_CHECK(DataError, !prompts[i].empty(), "prompt {} has no tokens", first_index + i);
    running.push_back({i, prompts[i], 0});
  }
  KvCache cache(decoder.spec, prompts.size());
  if (options.max_new_tokens <= 0) running.clear();
  while (!running.empty()) {
    const TokenStream stream = stream_of(running, decoder.device());
    const Tensor hidden = extend(decoder, stream, cache);
    const Tensor scores =
        logits(decoder, hidden.index_select(0, last_rows(stream.cu_seqlens, decoder.device())));
    const std::vector<std::int64_t> chosen = choose(scores, running, options, first_index);

    std::vector<std::size_t> kept;
    std::vector<Sequence> going_on;
    for (std::size_t s = 0; s < running.size(); ++s) {
      const Sequence& sequence = running[s];
      Generated& result = results[sequence.index];
      result.ids.push_back(chosen[s]);
      const auto& stops = options.stop_ids;
      result.stopped = std::find(stops.begin(), stops.end(), chosen[s]) != stops.end();
      if (result.stopped || std::ssize(result.ids) >= options.max_new_tokens) continue;
      kept.push_back(s);
      going_on.push_back({sequence.index, {chosen[s]}, cache.length(s)});
    }
    if (kept.size() < running.size()) cache.select(kept);
    running = std::move(going_on);
  }
  return results;
}

}  // namespace hone::model
