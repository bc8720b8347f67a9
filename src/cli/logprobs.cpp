#include <ATen/ops/log_softmax.h>

#include "cli/model_arguments.h"
#include "cli/rows.h"
#include "model/head.h"

namespace hone::cli {
namespace {

using torch::Tensor;

struct Arguments {
  ModelArguments model;
  std::string input;
  std::int64_t top = 0;
};

constexpr std::int64_t kTokensPerBatch = 2048;
constexpr std::int64_t kRowsOfLogits = 256;  // a chunk of [256, V] f32 at a time

/// The likeliest tokens at each of the rows `positions` of `hidden_NH`.
void add_top(const model::Decoder& decoder, const Tensor& hidden_TH, std::int64_t top,
             nlohmann::ordered_json& row) {
  nlohmann::ordered_json ids = nlohmann::ordered_json::array(),
                         logprobs = nlohmann::ordered_json::array();
  for (std::int64_t begin = 0; begin < hidden_TH.size(0); begin += kRowsOfLogits) {
    const std::int64_t count = std::min(kRowsOfLogits, hidden_TH.size(0) - begin);
    const Tensor logps =
        at::log_softmax(model::logits(decoder, hidden_TH.narrow(0, begin, count)), 1);
    const auto [values, indices] = logps.topk(std::min(top, logps.size(1)), 1);
    const Tensor v = values.to(torch::kCPU, torch::kFloat64).contiguous();
    const Tensor i = indices.to(torch::kCPU).contiguous();
    for (std::int64_t t = 0; t < count; ++t) {
      const double* v_t = v.const_data_ptr<double>() + t * v.size(1);
      const std::int64_t* i_t = i.const_data_ptr<std::int64_t>() + t * i.size(1);
      ids.push_back(std::vector<std::int64_t>(i_t, i_t + i.size(1)));
      logprobs.push_back(std::vector<double>(v_t, v_t + v.size(1)));
    }
  }
  row["top_ids"] = std::move(ids);
  row["top_logprobs"] = std::move(logprobs);
}

using Documents = std::vector<std::vector<std::int64_t>>;

/// Documents end to end.
model::TokenStream stream_of(const Documents& documents, torch::Device device) {
  std::vector<std::int64_t> ids, positions, borders{0};
  for (const auto& document : documents) {
    for (std::size_t i = 0; i < document.size(); ++i) positions.push_back(std::int64_t(i));
    ids.insert(ids.end(), document.begin(), document.end());
    borders.push_back(std::ssize(ids));
  }
  return {torch::tensor(ids).to(device), torch::tensor(positions).to(device), borders};
}

/// A number where the head has one output, else a list.
nlohmann::ordered_json outputs_of(const Tensor& scores_L) {
  const Tensor values = scores_L.to(torch::kCPU, torch::kFloat64).contiguous();
  const double* v = values.const_data_ptr<double>();
  if (values.numel() == 1) return *v;
  return std::vector<double>(v, v + values.numel());
}

/// What the head says at the last token of each document or, where it says something of every
/// token, at each of them.
void print_scores(const model::Decoder& decoder, const Documents& documents) {
  const model::TokenStream tokens = stream_of(documents, decoder.device());
  const Tensor hidden = model::hidden_states(decoder, tokens);
  for (std::size_t d = 0; d < documents.size(); ++d) {
    const std::int64_t end = tokens.cu_seqlens[d + 1];
    const std::int64_t begin = decoder.spec.scores_tokens ? tokens.cu_seqlens[d] : end - 1;
    const Tensor rows = torch::arange(begin, end, torch::kInt64).to(decoder.device());
    const Tensor scores = model::scores(decoder, hidden, rows);
    nlohmann::ordered_json row = {{"score", nlohmann::ordered_json::array()}};
    for (const Tensor& of_token : scores.unbind()) row["score"].push_back(outputs_of(of_token));
    if (!decoder.spec.scores_tokens) row["score"] = nlohmann::ordered_json(row["score"][0]);
    print_row(row);
  }
}

/// Runs rows together, each a document of its own, and prints one result a row, in order.
void print_logprobs(const model::Decoder& decoder, const Documents& documents, std::int64_t top) {
  const auto device = decoder.device();
  const model::TokenStream tokens = stream_of(documents, device);
  const Tensor hidden = model::hidden_states(decoder, tokens);
  const std::vector<std::int64_t>& borders = tokens.cu_seqlens;
  for (std::size_t d = 0; d < documents.size(); ++d) {
    const std::int64_t begin = borders[d], predicted = borders[d + 1] - begin - 1;
    const Tensor rows = torch::arange(begin, begin + predicted, torch::kInt64).to(device);
    const Tensor targets =
        torch::tensor(std::vector<std::int64_t>(documents[d].begin() + 1, documents[d].end()))
            .to(torch::kInt64)
            .to(device);
    const Tensor logps = model::token_logps(decoder, hidden, rows, targets)
                             .to(torch::kCPU, torch::kFloat64)
                             .contiguous();
    const double* p = logps.const_data_ptr<double>();
    nlohmann::ordered_json row = {{"logprobs", std::vector<double>(p, p + predicted)}};
    if (top > 0) add_top(decoder, hidden.narrow(0, begin, predicted), top, row);
    print_row(row);
  }
}

ExitCode run_logprobs(const Arguments& arguments, const Common& common) {
  const torch::NoGradGuard no_grad;
  const OpenedModel opened = open_model(arguments.model, common);
  RowSource rows(arguments.input);
  Documents documents;
  std::int64_t tokens = 0;
  const auto print = [&] {
    if (documents.empty()) return;
    if (opened.decoder.spec.num_labels > 0)
      print_scores(opened.decoder, documents);
    else
      print_logprobs(opened.decoder, documents, arguments.top);
  };
  while (const auto row = rows.next()) {
    std::vector<std::int64_t> document = tokens_of(*row, rows, opened.text);
    HONE_CHECK(DataError, !document.empty(), "{}: the row has no tokens", rows.where(*row));
    if (!documents.empty() && tokens + std::ssize(document) > kTokensPerBatch) {
      print();
      documents.clear();
      tokens = 0;
    }
    tokens += std::ssize(document);
    documents.push_back(std::move(document));
  }
  print();
  return ExitCode::kDone;
}

}  // namespace

Action declare_logprobs(CLI::App& command, const Common& common) {
  auto arguments = std::make_shared<Arguments>();
  arguments->model.declare(command, /*model_required=*/true);
  command
      .add_option("--input", arguments->input,
                  "JSONL rows of `input_ids`, `text` or `messages` (- for stdin)")
      ->required();
  command
      .add_option("--top", arguments->top,
                  "Also the K likeliest ids at each position, and their log-probabilities")
      ->check(CLI::PositiveNumber);
  return [arguments, &common] { return run_logprobs(*arguments, common); };
}

}  // namespace hone::cli
