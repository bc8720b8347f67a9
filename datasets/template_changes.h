#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "datasets/example.h"
#include "tokenizer/chat_template.h"

namespace hone::datasets {

/// What of the messages a chat template left out, cut or trimmed, by the origin of what it printed:
/// content, reasoning (`reasoning_content`, `thinking`) and tool calls.
/// @param messages as the template was given them
std::vector<TemplateChange> find_template_changes(const nlohmann::ordered_json& messages,
                                                  const tokenizer::Rendered& rendered);

}  // namespace hone::datasets
