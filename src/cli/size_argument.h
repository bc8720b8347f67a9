#pragma once

#include <cstdint>
#include <string>

namespace hone::cli {

/// Bytes that a text says: "24GiB", "80GB", "200KB", or a number of bytes; 1 or more. "" is 0.
/// @param flag for the message. @throws ConfigError
std::int64_t size_of_text(const std::string& text, const std::string& flag);

}  // namespace hone::cli
