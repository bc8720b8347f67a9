#include "cli/sampling_arguments.h"

namespace hone::cli {

void declare_stops(CLI::App& command, eval::StopTexts& stops) {
  command
      .add_option("--stop", stops.texts,
                  "Text that ends an answer and is not part of it; may be given again")
      ->check([](const std::string& text) {
        return std::string(text.empty() ? "expected a text that is not empty" : "");
      });
}

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
  declare_stops(command, stops);
}

model::SamplingOptions SamplingArguments::options_for(const engine::Text& text,
                                                      const Common& common) const {
  model::SamplingOptions result = options;
  const tokenizer::Tokenizer& tokenizer = text.require_tokenizer("generation");
  for (const std::int32_t id : text.stop_ids()) result.stop_ids.push_back(id);
  if (!common.seed.empty()) result.seed = std::stoull(common.seed);
  result.is_done = stops.watch(tokenizer);
  return result;
}

}  // namespace hone::cli
