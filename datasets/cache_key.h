#pragma once

#include <string>
#include <vector>

#include "datasets/load.h"
#include "datasets/options.h"

namespace hone::datasets {

/// Raised with every change of the code that gives other tokens or weights for the same rows: a
/// cache of the code before is then not taken. CacheKey.NamesTheCodeThatMadeTheTokens fails where
/// that was forgotten.
inline constexpr int kTokenCodeVersion = 1;

/// SHA-256 over everything that shapes the tokens and weights of a data set: the content of the
/// files in their order, the kind of each (its extension), the tokenizer, the text of the chat
/// template, the options of section `data` except those that only choose, order or judge rows, the
/// kinds of rows that are taken, the limits of the model, and kTokenCodeVersion.
std::string cache_key(const std::vector<std::string>& files,
                      const std::vector<std::string>& file_hashes, const DataOptions& options,
                      const TextTools& tools, std::int64_t context_length);

}  // namespace hone::datasets
