#include "cli/export_measure.h"

#include <ATen/ops/log_softmax.h>

#include <algorithm>

#include "base/philox.h"
#include "config/load.h"
#include "engine/run_data.h"
#include "engine/served_text.h"
#include "engine/suite.h"
#include "eval/report.h"
#include "model/head.h"

namespace hone::cli {
namespace {

using nlohmann::ordered_json;
using torch::Tensor;

constexpr std::int64_t kRandomTokens = 256;
/// Logits are kept whole: so many tokens of a row, and of all rows.
constexpr std::int64_t kMostOfRow = 512, kMostTokens = 2048;
constexpr std::int64_t kProbeTokens = 64;
constexpr std::int64_t kUnaskedRows = 50;
constexpr std::size_t kConversations = 32;
constexpr double kSameLogits = 1e-3, kCloseKl = 0.01, kCloseGreedy = 0.95;

engine::Documents random_tokens(const model::Spec& spec) {
  engine::Documents documents(1);
  for (std::uint64_t i = 0; i < kRandomTokens; ++i)
    documents.back().push_back(std::int64_t(Philox(0)(i, 0).w[0] % std::uint64_t(spec.vocab_size)));
  return documents;
}

/// The beginnings of the first rows, document by document.
engine::Documents documents_of(const datasets::Dataset& rows, std::int64_t most_rows) {
  engine::Documents documents;
  std::int64_t left = kMostTokens;
  for (std::int64_t i = 0; i < std::min(most_rows, rows.size()) && left > 1; ++i) {
    const datasets::Example example = rows.example(i);
    for (std::int64_t d = 0; d < example.documents() && left > 1; ++d) {
      const std::int64_t begin = example.document_begin(d);
      const std::int64_t count = std::min({example.document_end(d) - begin, kMostOfRow, left});
      documents.emplace_back(example.ids.begin() + begin, example.ids.begin() + begin + count);
      left -= count;
    }
  }
  return documents;
}

const char* verdict_on(const engine::Divergence& found) {
  if (found.largest <= kSameLogits) return kSame;
  return found.kl <= kCloseKl && found.same_greedy >= kCloseGreedy ? kClose : kFar;
}

ordered_json as_json(const char* precision, const engine::Divergence& found) {
  return {{"precision", precision},
          {"largest_change_of_logits", found.largest},
          {"mean_change_of_logits", found.mean},
          {"kl_nats", found.kl},
          {"same_greedy_tokens", found.same_greedy},
          {"verdict", verdict_on(found)}};
}

/// What is measured on the rows before and after: what was asked for; else, of a quantised export,
/// perplexity and the score that the run took.
std::optional<eval::SuiteOptions> entry_of(const MeasureArguments& arguments,
                                           const engine::RunOptions& options) {
  std::vector<std::string> metrics = arguments.metrics;
  if (metrics.empty() && arguments.is_quantized) {
    metrics.push_back("perplexity");
    if (options.eval.exact_match) metrics.push_back("exact_match");
  }
  if (metrics.empty() || options.data.eval.empty()) return std::nullopt;
  auto entry = config::defaults<eval::SuiteOptions>();
  entry.name = "export";
  entry.data = options.data.eval;
  entry.metrics = metrics;
  entry.max_new_tokens = options.eval.max_new_tokens;
  entry.limit = arguments.limit > 0         ? arguments.limit
                : arguments.metrics.empty() ? kUnaskedRows
                                            : 0;
  return entry;
}

eval::Evaluation evaluate(const Measured& measured, const model::Decoder& decoder) {
  const datasets::TextTools tools = engine::text_tools(measured.text, measured.spec);
  return eval::evaluate(
      decoder, *measured.entry,
      engine::eval_setting(measured.options, tools, measured.spec.max_position_embeddings));
}

}  // namespace

void MeasureArguments::declare(CLI::App& command) {
  command.add_option("--rows", rows, "How many rows' logits are compared, 2048 tokens at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--metrics", metrics,
                  "What is measured on the rows before and after: " + eval::metric_names() +
                      "; of a packed export perplexity on 50 rows where none is named")
      ->delimiter(',')
      ->check(CLI::IsMember(eval::metric_list()));
  command.add_option("--limit", limit, "Only the first so many rows for --metrics")
      ->check(CLI::PositiveNumber);
}

Measured measure_trained(const MeasureArguments& arguments, const engine::RunOptions& options,
                         const engine::BaseModel& base, model::Decoder& decoder,
                         adapters::Adapter* adapter) {
  Measured measured;
  measured.options = options;
  measured.text = base.text;
  measured.spec = base.spec;
  if (!options.data.eval.empty()) {
    measured.on = options.data.eval.front();
    measured.documents =
        documents_of(engine::load_eval_data(options, base.text, base.spec), arguments.rows);
    measured.conversations = engine::conversations_in(measured.on, kConversations);
  }
  if (measured.documents.empty()) {
    measured.on = "random tokens";
    measured.documents = random_tokens(base.spec);
  }
  measured.entry = entry_of(arguments, options);
  if (adapter != nullptr) adapters::attach(*adapter, decoder);
  measured.logits = engine::logits_of(decoder, measured.documents);
  if (measured.entry) measured.evaluation = evaluate(measured, decoder);
  if (adapter != nullptr) adapters::detach(*adapter, decoder);
  return measured;
}

void compare_read_back(const Measured& measured, exporting::ReadBack read, ordered_json& about) {
  ordered_json rows = ordered_json::array();
  model::Decoder& decoder = read.decoder;
  rows.push_back(as_json("fp32", engine::divergence(measured.logits, decoder, measured.documents)));
  about["probe"] = probe(decoder, measured.documents.front());
  if (measured.entry) {
    const eval::Evaluation after = evaluate(measured, decoder);
    about["quality"] =
        eval::to_json(after, &*measured.evaluation, measured.options.eval.difference);
  }
  decoder.compute_dtype = torch::kBFloat16;
  rows.push_back(as_json("bf16", engine::divergence(measured.logits, decoder, measured.documents)));
  std::int64_t tokens = 0;
  for (const auto& document : measured.documents) tokens += std::ssize(document);
  about["load_back"] = {{"measured_on", measured.on}, {"tokens", tokens}, {"precisions", rows}};

  if (read.tokenizer.empty()) return;
  const engine::TextComparison text = engine::compare_texts(
      measured.text, engine::open_text(read.tokenizer, ""), measured.conversations);
  about["text"] = {{"conversations", text.conversations}, {"differences", text.differences}};
}

ordered_json probe(const model::Decoder& decoder, std::vector<std::int64_t> ids) {
  ids.resize(std::min<std::size_t>(ids.size(), kProbeTokens));
  const Tensor logits = engine::logits_of(decoder, {ids}).front();
  ordered_json logps = ordered_json::array();
  if (decoder.spec.num_labels == 0) {
    const Tensor all = at::log_softmax(logits.to(torch::kFloat64), 1);
    for (std::size_t i = 1; i < ids.size(); ++i)
      logps.push_back(all[std::int64_t(i) - 1][ids[i]].item<double>());
  } else {
    for (std::int64_t i = 0; i < logits.size(0); ++i) logps.push_back(logits[i][0].item<double>());
  }
  return {{"ids", ids}, {"logprobs", logps}};
}

}  // namespace hone::cli
