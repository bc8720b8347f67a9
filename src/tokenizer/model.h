#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tokenizer {

/// One token of a word and the bytes of the word that it stands for.
struct WordToken {
  std::int32_t id;
  std::uint32_t begin, end;
};

/// Turns one word into tokens. Implementations are immutable and safe to share between threads.
class Model {
 public:
  virtual ~Model() = default;

  /// Appends the tokens of `word` to `out`.
  virtual void tokenize(std::string_view word, std::vector<WordToken>& out) const = 0;

  /// Spellings are those of the vocabulary file.
  virtual std::optional<std::int32_t> token_to_id(std::string_view token) const = 0;
  virtual std::optional<std::string_view> id_to_token(std::int32_t id) const = 0;
  /// One more than the largest id.
  virtual std::size_t vocab_size() const = 0;
};

}  // namespace hone::tokenizer
