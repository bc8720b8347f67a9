#pragma once

#include <nlohmann/json.hpp>

namespace hone::datasets {

/// Refuses a row whose "messages" and "tools" a chat template could not be given as they are:
/// {"messages": [{"role": …, "content": …}, …], "tools": […]}. Content is text; only an assistant
/// message that calls tools may do without.
/// @throws DataError saying which message, what was expected, what was found, what to do
void check_conversation(const nlohmann::ordered_json& row);

}  // namespace hone::datasets
