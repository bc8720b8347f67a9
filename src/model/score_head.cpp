#include "model/score_head.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "base/error.h"
#include "base/philox.h"
#include "model/families.h"

namespace hone::model {
namespace {

constexpr double kDeviation = 0.02;
/// Beside the numbers of adapters, whose modules count from 0.
constexpr std::uint64_t kStream =
    (static_cast<std::uint64_t>(RandomStream::kAdapterInit) << 32) | 0xFFFFFFFFu;

/// By Box and Muller, each number from a block of its own.
Tensor normal_numbers(std::int64_t count, std::uint64_t seed) {
  const Philox random(seed);
  const Tensor numbers = torch::empty({count}, torch::kFloat32);
  float* out = numbers.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto words = random(static_cast<std::uint64_t>(i), kStream);
    const double radius = std::sqrt(-2 * std::log(1 - double(Philox::uniform(words.w[0]))));
    const double angle = 2 * std::numbers::pi * double(Philox::uniform(words.w[1]));
    out[i] = static_cast<float>(kDeviation * radius * std::cos(angle));
  }
  return numbers;
}

}  // namespace

void add_score_head(Decoder& decoder, std::int64_t num_labels, std::uint64_t seed) {
  Spec& spec = decoder.spec;
  HONE_CHECK(ConfigError, spec.num_labels == 0 || spec.num_labels == num_labels,
             "model.num_labels is {}, and the model's own head `score` has {} outputs; leave the "
             "key out to take the model's",
             num_labels, spec.num_labels);
  if (spec.num_labels == num_labels) return;
  spec.num_labels = num_labels;
  decoder.score = normal_numbers(num_labels * spec.hidden_size, seed)
                      .view({num_labels, spec.hidden_size})
                      .to(decoder.embed_tokens.options());
  decoder.lm_head = Tensor();
}

void write_score_head(const Spec& spec, nlohmann::ordered_json& config) {
  const std::string architecture =
      std::string(spec.family->architecture) +
      (spec.scores_tokens ? "ForTokenClassification" : "ForSequenceClassification");
  const auto& classes = config["architectures"];
  const bool is_said = classes.is_array() && !classes.empty() && classes[0].is_string() &&
                       classes[0].get<std::string>().find("Classification") != std::string::npos;
  if (spec.num_labels == 0 || is_said) return;
  config["architectures"] = {architecture};
  config["id2label"] = config["label2id"] = nlohmann::ordered_json::object();
  for (std::int64_t i = 0; i < spec.num_labels; ++i) {
    config["id2label"][std::to_string(i)] = fmt::format("LABEL_{}", i);
    config["label2id"][fmt::format("LABEL_{}", i)] = i;
  }
}

}  // namespace hone::model
