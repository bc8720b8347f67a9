#pragma once

#include <cstdint>
#include <filesystem>

#include "adapters/method.h"

namespace hone::adapters {

/// How many rows a vocabulary of `base_rows` needs for the adapter in a PEFT folder: as many as the
/// embedding or head that it holds, or as the tokens go on behind the base's that it has rows of;
/// `base_rows` where it holds no more, or is no such folder.
std::int64_t vocab_size_for(const std::filesystem::path& folder, std::int64_t base_rows);

/// Sees to it that tokens which were added to a vocabulary are trained: their rows of embedding and
/// head, beside those that the settings name already; nothing where modules_to_save trains the
/// whole of both.
/// @throws ConfigError where the method can train neither
void train_added_rows(const Method& method, const model::Spec& spec,
                      const std::vector<std::int64_t>& added, Settings& settings);

}  // namespace hone::adapters
