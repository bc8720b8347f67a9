#pragma once

#include <filesystem>
#include <string_view>

namespace hone::io {

/// Refuses a path that the user gave and that leads to no file.
/// @param what what the file should be: "a GGUF file"
/// @throws DataError where there is nothing, or a folder
void require_file(const std::filesystem::path& path, std::string_view what);

}  // namespace hone::io
