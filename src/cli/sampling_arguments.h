#pragma once

#include <CLI/CLI.hpp>

#include "cli/verbs.h"
#include "engine/text.h"
#include "eval/stop_texts.h"
#include "model/generate.h"

namespace hone::cli {

/// --stop, for a verb that generates.
void declare_stops(CLI::App& command, eval::StopTexts& stops);

/// How a verb that generates chooses tokens and knows the end of an answer.
struct SamplingArguments {
  model::SamplingOptions options;
  eval::StopTexts stops;

  void declare(CLI::App& command);

  /// The options with the model's stop tokens, the stop texts and the seed.
  /// @param text lives longer than the result
  model::SamplingOptions options_for(const engine::Text& text, const Common& common) const;
};

}  // namespace hone::cli
