#include "tokenizer/vocabulary.h"

#include "base/error.h"
#include "tokenizer/json_fields.h"

namespace hone::tokenizer {

void Vocabulary::add(std::string token, std::int64_t id) {
  HONE_CHECK(DataError, id >= 0 && id <= kMaxTokenId, "token `{}` has id {}; expected 0 … {}",
             token, id, kMaxTokenId);
  const auto index = static_cast<std::size_t>(id);
  if (index >= tokens_.size()) tokens_.resize(index + 1);
  HONE_CHECK(DataError, !tokens_[index] || *tokens_[index] == token,
             "tokens `{}` and `{}` have the same id {}", *tokens_[index], token, id);
  ids_.insert_or_assign(token, static_cast<std::int32_t>(id));
  tokens_[index] = std::move(token);
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const auto it = ids_.find(token);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

std::optional<std::string_view> Vocabulary::token(std::int32_t id) const {
  const auto index = static_cast<std::size_t>(id);
  if (id < 0 || index >= tokens_.size() || !tokens_[index]) return std::nullopt;
  return *tokens_[index];
}

}  // namespace hone::tokenizer
