#include "tokenizer/bpe.h"

#include <algorithm>
#include <queue>

#include "base/error.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/utf8.h"

namespace hone::tokenizer {

// A token of the word so far, in a doubly linked list by index.
struct Bpe::Symbol {
  std::int32_t id;
  std::uint32_t begin, end;  // bytes of the word
  std::int32_t previous, next;
};

// A merge that was possible when it was queued.
struct Candidate {
  std::uint32_t rank;
  std::int32_t position;
  std::int32_t id;
  // The queue gives the lowest rank first, and the leftmost of equal ones.
  bool operator<(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

// Working memory, kept by each thread.
struct Bpe::Scratch {
  std::vector<Symbol> symbols;
  std::vector<Candidate> heap;
  std::vector<Merge> pairs;
  bool dropped = false;  // a character had no token at all

  void add(std::int32_t id, std::size_t begin, std::size_t end) {
    const auto index = static_cast<std::int32_t>(symbols.size());
    symbols.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end),
                       index - 1, index + 1});
  }

  void merge_all(const MergeTable& merges);
  void merge_few(const MergeTable& merges);
  void merge_many(const MergeTable& merges);
  void propose(const MergeTable& merges, std::int32_t left);
};

void Bpe::Scratch::propose(const MergeTable& merges, std::int32_t left) {
  const std::int32_t right = symbols[left].next;
  if (right < 0) return;
  if (const Merge* merge = merges.find(symbols[left].id, symbols[right].id)) {
    heap.push_back({merge->rank, left, merge->id});
    std::push_heap(heap.begin(), heap.end());
  }
}

void Bpe::Scratch::merge_all(const MergeTable& merges) {
  constexpr std::size_t kFew = 48;
  if (symbols.size() < 2) return;
  if (symbols.size() <= kFew) return merge_few(merges);
  merge_many(merges);
}

// For a short word, looking at every pair again costs less than a queue.
void Bpe::Scratch::merge_few(const MergeTable& merges) {
  constexpr Merge kNone{~std::uint32_t{0}, -1};
  pairs.assign(symbols.size(), kNone);  // pairs[i]: symbols i and i + 1
  const auto look_up = [&](std::size_t i) {
    const bool is_last = i + 1 == symbols.size();
    const Merge* merge = is_last ? nullptr : merges.find(symbols[i].id, symbols[i + 1].id);
    pairs[i] = merge == nullptr ? kNone : *merge;
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) look_up(i);
  while (true) {
    const auto best = std::min_element(
        pairs.begin(), pairs.end(), [](const Merge& a, const Merge& b) { return a.rank < b.rank; });
    if (best->id < 0) return;
    const std::ptrdiff_t i = best - pairs.begin();
    symbols[i].id = best->id;
    symbols[i].end = symbols[i + 1].end;
    symbols.erase(symbols.begin() + i + 1);
    pairs.erase(pairs.begin() + i + 1);
    look_up(i);
    if (i > 0) look_up(i - 1);
  }
}

void Bpe::Scratch::merge_many(const MergeTable& merges) {
  heap.clear();
  symbols.back().next = -1;
  for (std::size_t i = 0; i < symbols.size(); ++i) propose(merges, static_cast<std::int32_t>(i));
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end());
    const Candidate best = heap.back();
    heap.pop_back();
    Symbol& left = symbols[best.position];
    if (left.id < 0 || left.next < 0) continue;  // swallowed by an earlier merge, or now the last
    Symbol& right = symbols[left.next];
    const Merge* merge = merges.find(left.id, right.id);
    if (merge == nullptr || merge->id != best.id) continue;  // one of the two has changed since
    left.id = best.id;
    left.end = right.end;
    right.id = -1;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = best.position;
    if (left.previous >= 0) propose(merges, left.previous);
    propose(merges, best.position);
  }
}

namespace {

// What SentencePiece writes for a space.
constexpr std::string_view kWordMark = "\u2581";

// Hugging Face tokenizers place a word's tokens end to end by their lengths, so that the tokens
// after a character without a token move forward by its length. hone does the same, in the units
// those lengths have there: bytes of the word as spelt in GPT-2's alphabet.
void close_gaps(std::string_view word, bool byte_level, WordToken* first, WordToken* last) {
  std::vector<std::uint32_t> byte_of_letter_byte, letters_before{0};
  for (std::size_t i = 0; i < word.size(); ++i) {
    const bool wide = byte_level && byte_to_letter(static_cast<unsigned char>(word[i])) >= 0x80;
    byte_of_letter_byte.insert(byte_of_letter_byte.end(), wide ? 2 : 1,
                               static_cast<std::uint32_t>(i));
    letters_before.push_back(static_cast<std::uint32_t>(byte_of_letter_byte.size()));
  }
  std::uint32_t at = 0;
  for (WordToken* token = first; token != last; ++token) {
    const std::uint32_t size = letters_before[token->end] - letters_before[token->begin];
    token->begin = byte_of_letter_byte[at];
    token->end = byte_of_letter_byte[at + size - 1] + 1;
    at += size;
  }
}

}  // namespace

Bpe::Bpe(BpeSpec spec) : spec_(std::move(spec)), merges_(spec_.merges.size()) {
  const auto require = [&](const std::string& token, const std::string& use) {
    const auto id = spec_.vocabulary.find(token);
    HONE_CHECK(DataError, id.has_value(), "{}: `{}` is not in the vocabulary", use, token);
    return *id;
  };
  for (std::size_t rank = 0; rank < spec_.merges.size(); ++rank) {
    const auto& [left, right] = spec_.merges[rank];
    const std::string use = fmt::format("model.merges[{}]", rank);
    const std::size_t prefix = spec_.continuing_subword_prefix.size();
    HONE_CHECK(DataError, right.size() >= prefix, "{}: `{}` lacks the prefix `{}`", use, right,
               spec_.continuing_subword_prefix);
    merges_.insert(require(left, use), require(right, use),
                   {static_cast<std::uint32_t>(rank), require(left + right.substr(prefix), use)});
  }
  if (spec_.unk_token) unk_id_ = require(*spec_.unk_token, "model.unk_token");

  std::vector<bool> is_reserved(spec_.vocabulary.size());
  for (const std::int32_t id : spec_.reserved_ids) {
    if (static_cast<std::size_t>(id) < is_reserved.size()) is_reserved[id] = true;
  }
  for (std::size_t i = 0; i < spec_.vocabulary.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    const auto token = spec_.vocabulary.token(id);
    if (!token || is_reserved[i]) continue;
    if (!spec_.byte_level) {
      text_ids_.emplace(*token, id);
    } else if (auto bytes = letters_to_bytes(*token)) {
      text_ids_.emplace(std::move(*bytes), id);
    }
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = spec_.byte_level
                          ? find_text(std::string(1, static_cast<char>(byte)))
                          : spec_.vocabulary.find(fmt::format("<0x{:02X}>", byte)).value_or(-1);
  }
  borders_ = find_borders();
}

std::int32_t Bpe::find_text(std::string_view text) const {
  const auto it = text_ids_.find(text);
  return it == text_ids_.end() ? -1 : it->second;
}

std::int32_t Bpe::find_character(std::string_view word, std::size_t begin, std::size_t end) const {
  const std::string_view character = word.substr(begin, end - begin);
  if (spec_.continuing_subword_prefix.empty() && spec_.end_of_word_suffix.empty()) {
    return find_text(character);
  }
  std::string spelling;
  if (begin > 0) spelling += spec_.continuing_subword_prefix;
  spelling += character;
  if (end == word.size()) spelling += spec_.end_of_word_suffix;
  return find_text(spelling);
}

void Bpe::add_byte_symbols(std::string_view word, Scratch& scratch) const {
  const bool plain = spec_.continuing_subword_prefix.empty() && spec_.end_of_word_suffix.empty();
  for (std::size_t i = 0; i < word.size(); ++i) {
    std::int32_t id =
        plain ? byte_ids_[static_cast<unsigned char>(word[i])] : find_character(word, i, i + 1);
    if (id < 0) id = unk_id_;
    if (id >= 0) {
      scratch.add(id, i, i + 1);
    } else {
      scratch.dropped = true;
    }
  }
}

bool Bpe::has_byte_tokens(std::string_view character) const {
  return std::all_of(character.begin(), character.end(),
                     [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] >= 0; });
}

void Bpe::add_character_symbols(std::string_view word, Scratch& scratch) const {
  bool after_unknown = false;
  for (std::size_t begin = 0; begin < word.size();) {
    const std::size_t end = begin + code_point_at(word, begin).size_bytes;
    const std::int32_t id = find_character(word, begin, end);
    bool unknown = false;
    if (id >= 0) {
      scratch.add(id, begin, end);
    } else if (spec_.byte_fallback && has_byte_tokens(word.substr(begin, end - begin))) {
      for (std::size_t i = begin; i < end; ++i) {
        scratch.add(byte_ids_[static_cast<unsigned char>(word[i])], i, i + 1);
      }
    } else if (unk_id_ >= 0) {
      unknown = true;
      if (after_unknown && spec_.fuse_unk) {
        scratch.symbols.back().end = static_cast<std::uint32_t>(end);
      } else {
        scratch.add(unk_id_, begin, end);
      }
    } else {
      scratch.dropped = true;
    }
    after_unknown = unknown;
    begin = end;
  }
}

void Bpe::tokenize_uncached(std::string_view word, std::vector<WordToken>& out) const {
  if (spec_.ignore_merges) {
    if (const std::int32_t id = find_text(word); id >= 0) {
      out.push_back({id, 0, static_cast<std::uint32_t>(word.size())});
      return;
    }
  }
  thread_local Scratch scratch;
  scratch.symbols.clear();
  scratch.dropped = false;
  if (spec_.byte_level) {
    add_byte_symbols(word, scratch);
  } else {
    add_character_symbols(word, scratch);
  }
  scratch.merge_all(merges_);
  const std::size_t first = out.size();
  for (const Symbol& symbol : scratch.symbols) {
    if (symbol.id >= 0) out.push_back({symbol.id, symbol.begin, symbol.end});
  }
  if (scratch.dropped) {
    close_gaps(word, spec_.byte_level, out.data() + first, out.data() + out.size());
  }
}

std::optional<MergeBorders> Bpe::find_borders() const {
  const bool is_plain = !spec_.byte_level && !spec_.ignore_merges &&
                        spec_.continuing_subword_prefix.empty() && spec_.end_of_word_suffix.empty();
  // A character without any token would move all the tokens after it (close_gaps).
  if (!is_plain || unk_id_ < 0) return std::nullopt;
  MergeBorders borders;
  for (const auto& [left, right] : spec_.merges) {
    // These stand for text that they do not spell.
    for (const std::string_view token : {std::string_view(left), std::string_view(right)}) {
      if (token == *spec_.unk_token || token.starts_with("<0x")) return std::nullopt;
    }
    borders.join(left, right);
  }
  if (spec_.fuse_unk) {
    std::vector<std::string> unknown{"\u0080"};  // as any other character beyond ASCII may be
    if (find_text(kWordMark) < 0) unknown.emplace_back(kWordMark);
    for (int c = 0; c < 0x80; ++c) {
      std::string character(1, static_cast<char>(c));
      if (find_text(character) < 0) unknown.push_back(std::move(character));
    }
    for (const std::string& left : unknown) {
      for (const std::string& right : unknown) borders.join(left, right);
    }
  }
  return borders;
}

void Bpe::tokenize_part(std::string_view part, std::uint32_t shift,
                        std::vector<WordToken>& out) const {
  const bool is_cached = part.size() <= WordCache::kMaxWordBytes;
  if (is_cached && cache_.find(part, shift, out)) return;
  const std::size_t first = out.size();
  tokenize_uncached(part, out);
  if (is_cached) cache_.insert(part, out.data() + first, out.size() - first);
  if (shift == 0) return;
  for (std::size_t i = first; i < out.size(); ++i) {
    out[i].begin += shift;
    out[i].end += shift;
  }
}

void Bpe::tokenize(std::string_view word, std::vector<WordToken>& out) const {
  if (!borders_) return tokenize_part(word, 0, out);
  for (std::size_t begin = 0, end; begin < word.size(); begin = end) {
    end = borders_->piece_end(word, begin);
    tokenize_part(word.substr(begin, end - begin), static_cast<std::uint32_t>(begin), out);
  }
}

std::optional<std::int32_t> Bpe::token_to_id(std::string_view token) const {
  return spec_.vocabulary.find(token);
}

std::optional<std::string_view> Bpe::id_to_token(std::int32_t id) const {
  return spec_.vocabulary.token(id);
}

std::size_t Bpe::vocab_size() const { return spec_.vocabulary.size(); }

}  // namespace hone::tokenizer
