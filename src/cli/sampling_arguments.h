#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

#include "cli/verbs.h"
#include "engine/text.h"
#include "model/generate.h"

namespace hone::cli {

/// How a verb that generates chooses tokens and knows the end of an answer.
struct SamplingArguments {
  model::SamplingOptions options;
  std::vector<std::string> stops;  ///< texts that end an answer

  void declare(CLI::App& command);

  /// The options with the model's stop tokens, the stop texts and the seed.
  /// @param text lives longer than the result
  model::SamplingOptions options_for(const engine::Text& text, const Common& common) const;

  /// The text up to the first of the stop texts in it.
  std::string cut(std::string text) const;
};

}  // namespace hone::cli
