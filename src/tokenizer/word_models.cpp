#include "tokenizer/word_models.h"

#include "base/error.h"
#include "io/utf8.h"

namespace hone::tokenizer {
namespace {

void add_unknown(const Vocabulary& vocabulary, const std::string& unk_token, std::string_view word,
                 std::vector<WordToken>& out) {
  const auto id = vocabulary.find(unk_token);
  HONE_CHECK(DataError, id,
             "the vocabulary has no token for `{}`, and its unknown token `{}` is missing too",
             word, unk_token);
  out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
}

std::vector<bool> reserved(const std::vector<std::int32_t>& ids, std::size_t vocab_size) {
  std::vector<bool> is_reserved(vocab_size);
  for (const std::int32_t id : ids) {
    if (static_cast<std::size_t>(id) < vocab_size) is_reserved[id] = true;
  }
  return is_reserved;
}

}  // namespace

WordPiece::WordPiece(WordPieceSpec spec) : spec_(std::move(spec)) {
  const std::vector<bool> is_reserved = reserved(spec_.reserved_ids, spec_.vocabulary.size());
  std::vector<std::pair<std::string_view, std::int32_t>> keys;
  for (std::size_t id = 0; id < is_reserved.size(); ++id) {
    const auto token = spec_.vocabulary.token(static_cast<std::int32_t>(id));
    if (token && !is_reserved[id]) keys.emplace_back(*token, static_cast<std::int32_t>(id));
  }
  trie_ = Trie(std::move(keys));
  continuing_ = trie_.walk(spec_.continuing_subword_prefix);
}

bool WordPiece::add_pieces(std::string_view word, std::vector<WordToken>& out) const {
  for (std::size_t begin = 0; begin < word.size();) {
    Trie::Node node = begin == 0 ? Trie::kRoot : continuing_;
    std::int32_t id = -1;
    std::size_t longest_end = begin;
    for (std::size_t end = begin; node != Trie::kNone && end < word.size();) {
      node = trie_.step(node, word[end++]);
      if (node == Trie::kNone || trie_.value(node) < 0) continue;
      id = trie_.value(node);
      longest_end = end;
    }
    if (id < 0) return false;
    out.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(longest_end)});
    begin = longest_end;
  }
  return true;
}

void WordPiece::tokenize(std::string_view word, std::vector<WordToken>& out) const {
  const std::size_t before = out.size();
  if (io::count_code_points(word) <= spec_.max_input_chars_per_word && add_pieces(word, out)) {
    return;
  }
  out.resize(before);
  add_unknown(spec_.vocabulary, spec_.unk_token, word, out);
}

std::optional<std::int32_t> WordPiece::token_to_id(std::string_view token) const {
  return spec_.vocabulary.find(token);
}

std::optional<std::string_view> WordPiece::id_to_token(std::int32_t id) const {
  return spec_.vocabulary.token(id);
}

std::size_t WordPiece::vocab_size() const { return spec_.vocabulary.size(); }

WordLevel::WordLevel(WordLevelSpec spec)
    : spec_(std::move(spec)), is_reserved_(reserved(spec_.reserved_ids, spec_.vocabulary.size())) {}

void WordLevel::tokenize(std::string_view word, std::vector<WordToken>& out) const {
  const auto id = spec_.vocabulary.find(word);
  if (id && !is_reserved_[*id]) {
    out.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
  } else {
    add_unknown(spec_.vocabulary, spec_.unk_token, word, out);
  }
}

std::optional<std::int32_t> WordLevel::token_to_id(std::string_view token) const {
  return spec_.vocabulary.find(token);
}

std::optional<std::string_view> WordLevel::id_to_token(std::int32_t id) const {
  return spec_.vocabulary.token(id);
}

std::size_t WordLevel::vocab_size() const { return spec_.vocabulary.size(); }

}  // namespace hone::tokenizer
