#include "eval/score.h"

#include "base/error.h"
#include "model/head.h"

namespace hone::eval {
namespace {

using torch::Tensor;

constexpr std::int64_t kRowsOfLogits = 256;  // a chunk of [256, V] f32 at a time

/// One token that is scored.
struct ScoredToken {
  std::size_t document;
  std::int64_t row;  ///< of the stream: the token before it
  std::int64_t id;
  float weight;
};

/// Documents end to end. M counts the tokens that are scored.
struct Stream {
  model::TokenStream tokens;
  std::vector<ScoredToken> scored;
};

Stream stream_of(std::span<const datasets::Example> documents, torch::Device device) {
  Stream stream;
  std::vector<std::int64_t> ids, positions, borders{0};
  for (std::size_t d = 0; d < documents.size(); ++d) {
    const datasets::Example& document = documents[d];
    HONE_ASSERT(document.length() > 0, "document {} of a batch is empty", d);
    for (std::size_t t = 0; t < document.ids.size(); ++t) {
      if (t > 0 && document.weights[t] > 0)
        stream.scored.push_back({d, std::ssize(ids) - 1, document.ids[t], document.weights[t]});
      ids.push_back(document.ids[t]);
      positions.push_back(std::int64_t(t));
    }
    borders.push_back(std::ssize(ids));
  }
  stream.tokens = {torch::tensor(ids, torch::kInt64).to(device),
                   torch::tensor(positions, torch::kInt64).to(device), std::move(borders)};
  return stream;
}

void add_rewards(const model::Decoder& decoder, const Stream& stream, const Tensor& hidden_NH,
                 std::vector<DocumentScore>& scores) {
  std::vector<std::int64_t> last;
  for (std::size_t d = 0; d < scores.size(); ++d)
    last.push_back(stream.tokens.cu_seqlens[d + 1] - 1);
  const Tensor rows_D = torch::tensor(last, torch::kInt64).to(decoder.device());
  const Tensor rewards = model::scores(decoder, hidden_NH, rows_D).to(torch::kCPU).contiguous();
  for (std::size_t d = 0; d < scores.size(); ++d)
    scores[d].reward = rewards[std::int64_t(d)][0].item<double>();
}

/// 1 for each of the rows whose likeliest next token is its target.
Tensor find_correct(const model::Decoder& decoder, const Tensor& hidden_NH, const Tensor& rows_M,
                    const Tensor& targets_M) {
  std::vector<Tensor> parts;
  for (std::int64_t begin = 0; begin < rows_M.size(0); begin += kRowsOfLogits) {
    const std::int64_t count = std::min(kRowsOfLogits, rows_M.size(0) - begin);
    const Tensor hidden = hidden_NH.index_select(0, rows_M.narrow(0, begin, count));
    parts.push_back(model::logits(decoder, hidden).argmax(1).eq(targets_M.narrow(0, begin, count)));
  }
  return torch::cat(parts).to(torch::kCPU, torch::kInt64).contiguous();
}

void add_log_probabilities(const model::Decoder& decoder, const Stream& stream,
                           const Tensor& hidden_NH, const ScoreOptions& options,
                           std::vector<DocumentScore>& scores) {
  if (stream.scored.empty()) return;
  std::vector<std::int64_t> rows, targets;
  for (const ScoredToken& token : stream.scored) {
    rows.push_back(token.row);
    targets.push_back(token.id);
  }
  const Tensor rows_M = torch::tensor(rows, torch::kInt64).to(decoder.device());
  const Tensor targets_M = torch::tensor(targets, torch::kInt64).to(decoder.device());
  const Tensor logps_M = model::token_logps(decoder, hidden_NH, rows_M, targets_M)
                             .to(torch::kCPU, torch::kFloat64)
                             .contiguous();
  const Tensor correct_M = options.count_correct
                               ? find_correct(decoder, hidden_NH, rows_M, targets_M)
                               : torch::zeros_like(rows_M, torch::kCPU);
  const double* logps = logps_M.const_data_ptr<double>();
  const std::int64_t* correct = correct_M.const_data_ptr<std::int64_t>();
  for (std::size_t m = 0; m < stream.scored.size(); ++m) {
    DocumentScore& score = scores[stream.scored[m].document];
    score.loss -= double(stream.scored[m].weight) * logps[m];
    score.weight += double(stream.scored[m].weight);
    score.nats -= logps[m];
    score.tokens += 1;
    score.correct += correct[m];
  }
}

}  // namespace

Numbers numbers_of(const std::vector<DocumentScore>& scores) {
  Numbers numbers;
  for (const DocumentScore& score : scores)
    numbers.insert(numbers.end(),
                   {score.loss, score.weight, score.nats, static_cast<double>(score.tokens),
                    static_cast<double>(score.correct), score.reward});
  return numbers;
}

std::vector<DocumentScore> scores_from(const Numbers& numbers) {
  std::vector<DocumentScore> scores;
  for (std::size_t i = 0; i < numbers.size(); i += 6)
    scores.push_back({.loss = numbers[i],
                      .weight = numbers[i + 1],
                      .nats = numbers[i + 2],
                      .tokens = static_cast<std::int64_t>(numbers[i + 3]),
                      .correct = static_cast<std::int64_t>(numbers[i + 4]),
                      .reward = numbers[i + 5]});
  return scores;
}

std::vector<DocumentScore> score(const model::Decoder& decoder,
                                 std::span<const datasets::Example> documents,
                                 const ScoreOptions& options) {
  const torch::NoGradGuard no_grad;
  std::vector<DocumentScore> scores(documents.size());
  const Stream stream = stream_of(documents, decoder.device());
  const Tensor hidden_NH = model::hidden_states(decoder, stream.tokens);
  if (decoder.spec.num_labels > 0) {
    add_rewards(decoder, stream, hidden_NH, scores);
  } else {
    add_log_probabilities(decoder, stream, hidden_NH, options, scores);
  }
  return scores;
}

}  // namespace hone::eval
