#pragma once

#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <string>

#include "cli/verbs.h"
#include "engine/device.h"
#include "engine/text.h"
#include "model/decoder.h"
#include "model/load.h"

namespace hone::cli {

/// What says which model a verb computes with.
struct ModelArguments {
  std::string model, adapter, dtype = "auto", quantization = "none";

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

/// Opens a model and attaches the PEFT adapter in `adapter`, where that is not ""; the model's rope
/// is scaled as the adapter was trained with, whatever the options say.
model::Decoder open_decoder(const std::filesystem::path& base, const std::string& adapter,
                            model::LoadOptions options);

/// One JSON object as a line on stdout.
void print_row(const nlohmann::ordered_json& row);

}  // namespace hone::cli
