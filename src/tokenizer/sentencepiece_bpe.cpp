#include "tokenizer/sentencepiece_bpe.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer {

// A piece of the word so far, in a doubly linked list by index. An empty one has been merged away.
struct SentencePieceBpe::Symbol {
  std::uint32_t begin, end;  // bytes of the word
  std::int32_t previous, next;
  bool is_frozen;
};

// A merge that was possible when it was queued.
struct SentencePieceBpe::Candidate {
  float score;
  std::int32_t left, right;
  std::uint32_t size_bytes;
  // The queue gives the highest score first, and the leftmost of equal ones.
  bool operator<(const Candidate& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

// Working memory, kept by each thread.
struct SentencePieceBpe::Work {
  std::string_view word;
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  // By the id of an unused piece: the bytes of its left part where it last came together.
  std::unordered_map<std::int32_t, std::uint32_t> left_parts;
};

SentencePieceBpe::SentencePieceBpe(const SentencePieceSpec& spec)
    : pieces_(spec.pieces), byte_fallback_(spec.byte_fallback) {
  HONE_CHECK(DataError, spec.unk_id, "the SentencePiece model has no unknown piece");
  unk_id_ = *spec.unk_id;
  std::vector<std::pair<std::string_view, std::int32_t>> user_defined;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const SentencePiece& piece = pieces_[i];
    HONE_CHECK(DataError, std::isfinite(piece.score), "the score of piece {}, `{}`, is not finite",
               id, piece.text);
    all_ids_.emplace(piece.text, id);
    if (piece.type == PieceType::kUserDefined) user_defined.emplace_back(piece.text, id);
    if (piece.type == PieceType::kNormal || piece.type == PieceType::kUserDefined ||
        piece.type == PieceType::kUnused) {
      text_ids_.emplace(piece.text, id);
    }
  }
  user_defined_ = Trie(std::move(user_defined));
  byte_ids_.fill(-1);
  for (unsigned byte = 0; byte_fallback_ && byte < 256; ++byte) {
    const auto id = token_to_id(fmt::format("<0x{:02X}>", byte));
    HONE_CHECK(DataError, id, "byte_fallback is set, but the piece <0x{:02X}> is missing", byte);
    byte_ids_[byte] = *id;
  }
}

std::int32_t SentencePieceBpe::find(std::string_view text) const {
  const auto it = text_ids_.find(text);
  return it == text_ids_.end() ? -1 : it->second;
}

void SentencePieceBpe::propose(Work& work, std::int32_t left) const {
  if (left < 0 || work.symbols[left].next < 0) return;
  const Symbol& first = work.symbols[left];
  const Symbol& second = work.symbols[first.next];
  if (first.is_frozen || second.is_frozen) return;
  const std::uint32_t size_bytes = second.end - first.begin;
  const std::int32_t id = find(work.word.substr(first.begin, size_bytes));
  if (id < 0) return;
  work.heap.push_back({pieces_[id].score, left, first.next, size_bytes});
  std::push_heap(work.heap.begin(), work.heap.end());
  if (pieces_[id].type == PieceType::kUnused) work.left_parts[id] = first.end - first.begin;
}

void SentencePieceBpe::merge_all(Work& work) const {
  auto& symbols = work.symbols;
  for (std::size_t i = 0; i < symbols.size(); ++i) propose(work, static_cast<std::int32_t>(i));
  while (!work.heap.empty()) {
    std::pop_heap(work.heap.begin(), work.heap.end());
    const Candidate best = work.heap.back();
    work.heap.pop_back();
    Symbol& left = symbols[best.left];
    Symbol& right = symbols[best.right];
    const bool is_current = left.begin < left.end && right.begin < right.end &&
                            left.next == best.right && right.end - left.begin == best.size_bytes;
    if (!is_current) continue;  // one of the two has changed since
    left.end = right.end;
    right.begin = right.end;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = best.left;
    propose(work, left.previous);
    propose(work, best.left);
  }
}

void SentencePieceBpe::add_unknown(std::string_view word, std::uint32_t begin, std::uint32_t end,
                                   std::vector<WordToken>& out) const {
  if (byte_fallback_) {
    for (std::uint32_t i = begin; i < end; ++i) {
      out.push_back({byte_ids_[static_cast<unsigned char>(word[i])], i, i + 1});
    }
  } else if (!out.empty() && out.back().id == unk_id_ && out.back().end == begin) {
    out.back().end = end;  // neighbouring unknown characters are one token
  } else {
    out.push_back({unk_id_, begin, end});
  }
}

void SentencePieceBpe::add_piece(const Work& work, std::uint32_t begin, std::uint32_t end,
                                 std::vector<WordToken>& out) const {
  const std::int32_t id = find(work.word.substr(begin, end - begin));
  if (id < 0) return add_unknown(work.word, begin, end, out);
  const auto left = work.left_parts.find(id);
  if (left == work.left_parts.end()) return out.push_back({id, begin, end});
  add_piece(work, begin, begin + left->second, out);
  add_piece(work, begin + left->second, end, out);
}

void SentencePieceBpe::tokenize(std::string_view word, std::vector<WordToken>& out) const {
  thread_local Work work;
  work.word = word;
  work.symbols.clear();
  work.left_parts.clear();
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t frozen = user_defined_.longest_prefix(word.substr(begin));
    const std::size_t end = begin + (frozen > 0 ? frozen : code_point_at(word, begin).size_bytes);
    const auto index = static_cast<std::int32_t>(work.symbols.size());
    work.symbols.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end),
                            index - 1, end < word.size() ? index + 1 : -1, frozen > 0});
    begin = end;
  }
  merge_all(work);
  for (const Symbol& symbol : work.symbols) {
    if (symbol.begin < symbol.end) add_piece(work, symbol.begin, symbol.end, out);
  }
}

std::optional<std::int32_t> SentencePieceBpe::token_to_id(std::string_view token) const {
  const auto it = all_ids_.find(token);
  if (it == all_ids_.end()) return std::nullopt;
  return it->second;
}

std::optional<std::string_view> SentencePieceBpe::id_to_token(std::int32_t id) const {
  if (id < 0 || id >= std::ssize(pieces_)) return std::nullopt;
  return pieces_[id].text;
}

std::size_t SentencePieceBpe::vocab_size() const { return pieces_.size(); }

}  // namespace hone::tokenizer
