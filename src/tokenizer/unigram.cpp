#include "tokenizer/unigram.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer {
namespace {

constexpr double kUnknownPenalty = 10.0;
constexpr std::int32_t kUnknown = -1;  // in the lattice, whatever unk_id is

}  // namespace

// The best way to write the word's first bytes, up to one place: its score and its last piece.
struct Unigram::Best {
  static constexpr std::uint32_t kUnreached = std::numeric_limits<std::uint32_t>::max();
  double score = 0;
  std::uint32_t begin = kUnreached;
  std::int32_t id = kUnknown;

  void offer(double new_score, std::uint32_t new_begin, std::int32_t new_id) {
    if (begin == kUnreached || new_score > score) *this = {new_score, new_begin, new_id};
  }
};

Unigram::Unigram(UnigramSpec spec) : spec_(std::move(spec)) {
  const auto& pieces = spec_.pieces;
  HONE_CHECK(DataError, !spec_.unk_id || (*spec_.unk_id >= 0 && *spec_.unk_id < std::ssize(pieces)),
             "model.unk_id is {}; the vocabulary has {} pieces", *spec_.unk_id, pieces.size());
  std::vector<bool> is_reserved(pieces.size());
  for (const std::int32_t id : spec_.reserved_ids) {
    if (id >= 0 && id < std::ssize(pieces)) is_reserved[id] = true;
  }
  double lowest = std::numeric_limits<double>::infinity();
  std::vector<std::pair<std::string_view, std::int32_t>> keys;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    HONE_CHECK(DataError, std::isfinite(pieces[i].score),
               "model.vocab[{}]: the score of `{}` is not finite", i, pieces[i].text);
    lowest = std::min(lowest, pieces[i].score);
    ids_.insert_or_assign(pieces[i].text, id);
    if (!is_reserved[i]) keys.emplace_back(pieces[i].text, id);
  }
  trie_ = Trie(std::move(keys));
  unk_score_ = spec_.unk_score.value_or(pieces.empty() ? 0.0 : lowest - kUnknownPenalty);
  for (unsigned byte = 0; byte < 256; ++byte) {
    const auto it = ids_.find(fmt::format("<0x{:02X}>", byte));
    byte_ids_[byte] = spec_.byte_fallback && it != ids_.end() ? it->second : -1;
  }
}

void Unigram::find_best(std::string_view word, std::vector<Best>& best) const {
  best.assign(word.size() + 1, Best{});
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t character_end = begin + code_point_at(word, begin).size_bytes;
    const double score = best[begin].score;
    const auto from = static_cast<std::uint32_t>(begin);
    bool covered = false;
    Trie::Node node = Trie::kRoot;
    for (std::size_t end = begin; end < word.size();) {
      node = trie_.step(node, word[end++]);
      if (node == Trie::kNone) break;
      const std::int32_t id = trie_.value(node);
      if (id < 0) continue;
      best[end].offer(score + spec_.pieces[id].score, from, id == spec_.unk_id ? kUnknown : id);
      covered = covered || end == character_end;
    }
    if (!covered) best[character_end].offer(score + unk_score_, from, kUnknown);
    begin = character_end;
  }
}

void Unigram::add_unknown(std::string_view word, std::uint32_t begin, std::uint32_t end,
                          std::vector<WordToken>& out) const {
  const std::string_view text = word.substr(begin, end - begin);
  const auto byte_id = [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)]; };
  const bool is_written_out = spec_.unk_id && text == spec_.pieces[*spec_.unk_id].text;
  if (!is_written_out &&
      std::all_of(text.begin(), text.end(), [&](char byte) { return byte_id(byte) >= 0; })) {
    for (const char byte : text) out.push_back({byte_id(byte), begin, end});
    return;
  }
  HONE_CHECK(DataError, spec_.unk_id,
             "the vocabulary has no piece for `{}`, and the tokenizer's model has no unk_id", text);
  out.push_back({*spec_.unk_id, begin, end});
}

void Unigram::tokenize(std::string_view word, std::vector<WordToken>& out) const {
  thread_local std::vector<Best> best;
  thread_local std::vector<WordToken> pieces;
  find_best(word, best);
  pieces.clear();
  for (auto end = static_cast<std::uint32_t>(word.size()); end > 0; end = best[end].begin) {
    const bool joins = best[end].id == kUnknown && !pieces.empty() && pieces.back().id == kUnknown;
    if (joins) {
      pieces.back().begin = best[end].begin;
    } else {
      pieces.push_back({best[end].id, best[end].begin, end});
    }
  }
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    if (piece->id == kUnknown) {
      add_unknown(word, piece->begin, piece->end, out);
    } else {
      out.push_back(*piece);
    }
  }
}

std::optional<std::int32_t> Unigram::token_to_id(std::string_view token) const {
  const auto it = ids_.find(token);
  if (it == ids_.end()) return std::nullopt;
  return it->second;
}

std::optional<std::string_view> Unigram::id_to_token(std::int32_t id) const {
  if (id < 0 || id >= std::ssize(spec_.pieces)) return std::nullopt;
  return spec_.pieces[id].text;
}

std::size_t Unigram::vocab_size() const { return spec_.pieces.size(); }

}  // namespace hone::tokenizer
