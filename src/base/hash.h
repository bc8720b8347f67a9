#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace hone {

/// SHA-256, fed in pieces. `hex()` ends it and gives 64 lower-case hexadecimal digits; so does
/// `bytes()`, and gives the 32 bytes themselves.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(const void* data, std::size_t size_bytes);
  Sha256& update(std::string_view text) { return update(text.data(), text.size()); }
  std::string hex();
  std::string bytes();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_hex(std::string_view text);

/// @throws IoError when the file cannot be read
std::string sha256_file(const std::filesystem::path& path);

}  // namespace hone
