#include "base/hash.h"

#include <openssl/evp.h>

#include <fstream>
#include <vector>

#include "base/error.h"

namespace hone {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  HONE_ASSERT(state_->context != nullptr &&
              EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(const void* data, std::size_t size_bytes) {
  HONE_ASSERT(EVP_DigestUpdate(state_->context, data, size_bytes) == 1);
  return *this;
}

std::string Sha256::bytes() {
  std::string digest(32, '\0');
  unsigned size = 0;
  HONE_ASSERT(EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()),
                                 &size) == 1 &&
              size == digest.size());
  return digest;
}

std::string Sha256::hex() {
  std::string text;
  for (const char byte : bytes()) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

std::string sha256_hex(std::string_view text) { return Sha256().update(text).hex(); }

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  HONE_CHECK(IoError, in, "{}: cannot be opened to take its hash", path.string());
  Sha256 hash;
  std::vector<char> buffer(1 << 20);
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hash.update(buffer.data(), static_cast<std::size_t>(in.gcount()));
  }
  HONE_CHECK(IoError, in.eof(), "{}: reading failed while taking its hash", path.string());
  return hash.hex();
}

}  // namespace hone
