#pragma once

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/base_model.h"
#include "engine/divergence.h"
#include "engine/options.h"
#include "eval/evaluate.h"
#include "export/target.h"

namespace hone::cli {

/// What `hone export` measures.
struct MeasureArguments {
  std::int64_t rows = 16;
  std::vector<std::string> metrics;
  std::int64_t limit = 0;
  bool is_quantized = false;  ///< what is written: perplexity is then measured unasked

  void declare(CLI::App& command);
};

/// A trained model, as the export of it is compared with it.
struct Measured {
  std::string on;  ///< what the tokens are
  engine::Documents documents;
  std::vector<torch::Tensor> logits;  ///< in fp32
  std::vector<nlohmann::ordered_json> conversations;
  engine::Text text;
  engine::RunOptions options;
  model::Spec spec;
  std::optional<eval::SuiteOptions> entry;     ///< what is measured before and after
  std::optional<eval::Evaluation> evaluation;  ///< before
};

/// How near the export is, in words.
inline constexpr const char* kSame = "same";    ///< no logit moved by more than 1e-3
inline constexpr const char* kClose = "close";  ///< KL at most 0.01, 95 % of the greedy tokens same
inline constexpr const char* kFar = "far";

/// Logits of rows, and metrics where they are asked for.
/// @param decoder with nothing attached; it is left so
/// @param adapter null: the model as it is
Measured measure_trained(const MeasureArguments& arguments, const engine::RunOptions& options,
                         const engine::BaseModel& base, model::Decoder& decoder,
                         adapters::Adapter* adapter);

/// Puts under `load_back`, `text`, `quality` and `probe` how an export differs that was read again.
void compare_read_back(const Measured& measured, exporting::ReadBack read,
                       nlohmann::ordered_json& about);

/// What an export says of a few tokens, by which it is known again: log-probabilities of tokens
/// 2 … T. @return {"ids": […], "logprobs": […]}
nlohmann::ordered_json probe(const model::Decoder& decoder, std::vector<std::int64_t> ids);

}  // namespace hone::cli
