#pragma once

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/verbs.h"
#include "engine/base_model.h"
#include "engine/device.h"
#include "engine/text.h"
#include "model/decoder.h"

namespace hone::cli {

/// The adapters that are put onto a model, and how much each of them counts.
struct AdapterArguments {
  std::vector<std::string> folders;
  std::vector<double> weights;  ///< one for each folder; empty: 1

  bool none() const { return folders.empty(); }
};

/// What says which model a verb computes with.
struct ModelArguments {
  std::string model, dtype = "auto", quantization = "none";
  AdapterArguments adapters;

  void declare(CLI::App& command, bool model_required);
};

/// A model as it is used, not trained: weights, adapter and text tools.
struct OpenedModel {
  model::Decoder decoder;
  engine::Text text;
};

/// @throws DataError, ConfigError
OpenedModel open_model(const ModelArguments& arguments, const Common& common,
                       const std::string& chat_template = "");

/// Loads a model and attaches the PEFT adapters; the model's rope is scaled as the first of them
/// was trained with, whatever the options say.
model::Decoder open_decoder(const engine::BaseModel& base, const AdapterArguments& chosen,
                            engine::ModelOptions options, const engine::Placement& placement);

/// One JSON object as a line on stdout.
void print_row(const nlohmann::ordered_json& row);

}  // namespace hone::cli
