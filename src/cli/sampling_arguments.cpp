#include "cli/sampling_arguments.h"

#include <algorithm>

namespace hone::cli {

void SamplingArguments::declare(CLI::App& command) {
  command
      .add_option("--max-new-tokens", options.max_new_tokens, "Length at which an answer is cut")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--temperature", options.temperature, "0 takes the likeliest token")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--top-k", options.top_k, "Number of likeliest tokens sampled from (0: all)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--top-p", options.top_p, "Probability mass that is sampled from")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--min-p", options.min_p,
                  "Least probability, beside the likeliest token's, that is sampled from")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", options.repetition_penalty,
                  "Above 1: tokens that are there already become less likely")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command.add_option("--stop", stops,
                     "Text that ends an answer and is not part of it; may be given again");
}

std::string SamplingArguments::cut(std::string text) const {
  std::size_t end = text.size();
  for (const std::string& stop : stops) end = std::min(end, text.find(stop));
  text.resize(end);
  return text;
}

model::SamplingOptions SamplingArguments::options_for(const engine::Text& text,
                                                      const Common& common) const {
  model::SamplingOptions result = options;
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("generation");
  for (const std::int32_t id : text.stop_ids()) result.stop_ids.push_back(id);
  if (!common.seed.empty()) result.seed = std::stoull(common.seed);
  if (stops.empty()) return result;
  result.is_done = [&tokenizer, this](const std::vector<std::int64_t>& made) {
    const std::vector<std::int32_t> ids(made.begin(), made.end());
    const std::string said = tokenizer.decode(ids, /*skip_special=*/true);
    return cut(said).size() < said.size();
  };
  return result;
}

}  // namespace hone::cli
