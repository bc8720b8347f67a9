#pragma once

#include <filesystem>

#include "tokenizer/tokenizer.h"

namespace hone::tokenizer {

/// Writes what transformers reads a tokenizer from: the files of `source`, and in them the tokens
/// that `tokenizer` has more than these.
/// @param source    the folder it was loaded from, which has a tokenizer.json
/// @param folder    is there already
/// @throws DataError where `source` has no tokenizer.json; IoError
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& source,
                    const std::filesystem::path& folder);

}  // namespace hone::tokenizer
