#include "tokenizer/added_tokens.h"

#include <algorithm>

#include "tokenizer/unicode.h"

namespace hone::tokenizer {
namespace {

bool is_word_before(std::string_view text, std::size_t position) {
  return position > 0 && is_word_character(code_point_before(text, position).value);
}

bool is_word_after(std::string_view text, std::size_t position) {
  return position < text.size() && is_word_character(code_point_at(text, position).value);
}

std::size_t skip_space_left(std::string_view text, std::size_t position, std::size_t limit) {
  while (position > limit) {
    const CodePoint point = code_point_before(text, position);
    if (!is_whitespace(point.value)) break;
    position -= point.size_bytes;
  }
  return std::max(position, limit);
}

std::size_t skip_space_right(std::string_view text, std::size_t position) {
  while (position < text.size()) {
    const CodePoint point = code_point_at(text, position);
    if (!is_whitespace(point.value)) break;
    position += point.size_bytes;
  }
  return position;
}

// Whether [begin, end) touches one of the ascending ranges.
bool touches(const std::vector<TextRange>& ranges, TextRange range) {
  const auto it =
      std::upper_bound(ranges.begin(), ranges.end(), range.begin,
                       [](std::size_t begin, const TextRange& r) { return begin < r.end; });
  return it != ranges.end() && it->begin < range.end;
}

}  // namespace

void AddedTokens::add(AddedToken token) {
  const auto [it, is_new] = by_id_.try_emplace(token.id, tokens_.size());
  if (is_new) tokens_.emplace_back();
  by_content_.insert_or_assign(token.content, static_cast<std::int32_t>(it->second));
  tokens_[it->second] = std::move(token);
}

void AddedTokens::build(const Normalizer& normalizer) {
  plain_ = {};
  normalized_ = {};
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    AddedToken& token = tokens_[i];
    AlignedText text(token.content, {0, token.content.size()});
    if (token.normalized) normalizer(text);
    token.spelling = text.text();
    if (token.spelling.empty()) continue;
    (token.normalized ? normalized_ : plain_).tokens.emplace_back(token.spelling, i);
  }
  plain_.build();
  normalized_.build();
}

void AddedTokens::Search::build() {
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto first = static_cast<unsigned char>(tokens[i].first[0]);
    by_first_byte[first].push_back(i);
    is_first_byte[first] = true;
  }
  for (auto& candidates : by_first_byte) {
    std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
      return tokens[a].first.size() > tokens[b].first.size();
    });
  }
}

template <class IsLiteral>
std::vector<AddedTokens::Segment> AddedTokens::split(const Search& search, std::string_view text,
                                                     IsLiteral is_literal) const {
  std::vector<Segment> segments;
  std::size_t done = 0, at = 0;
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    if (!search.is_first_byte[first]) {
      ++at;
      continue;
    }
    const auto& candidates = search.by_first_byte[first];
    const auto hit = std::find_if(candidates.begin(), candidates.end(), [&](std::size_t i) {
      const std::string& spelling = search.tokens[i].first;
      return text.compare(at, spelling.size(), spelling) == 0 &&
             !(tokens_[search.tokens[i].second].special && is_literal(at, at + spelling.size()));
    });
    if (hit == candidates.end()) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[search.tokens[*hit].second];
    std::size_t begin = at, end = at + search.tokens[*hit].first.size();
    at = end;
    if (token.single_word && (is_word_before(text, begin) || is_word_after(text, end))) continue;
    if (token.lstrip) begin = skip_space_left(text, begin, done);
    if (token.rstrip) end = skip_space_right(text, end);
    if (done < begin) segments.push_back({{done, begin}, std::nullopt});
    segments.push_back({{begin, end}, token.id});
    done = end;
    at = std::max(at, end);
  }
  if (done < text.size()) segments.push_back({{done, text.size()}, std::nullopt});
  return segments;
}

std::vector<AddedTokens::Segment> AddedTokens::split_source(
    std::string_view text, const std::vector<TextRange>& literal) const {
  return split(plain_, text, [&](std::size_t begin, std::size_t end) {
    return touches(literal, {begin, end});
  });
}

std::vector<AddedTokens::Segment> AddedTokens::split_normalized(
    const AlignedText& text, const std::vector<TextRange>& literal) const {
  return split(normalized_, text.text(), [&](std::size_t begin, std::size_t end) {
    return touches(literal, text.source_range(begin, end));
  });
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : &tokens_[it->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  const auto it = by_content_.find(content);
  return it == by_content_.end() ? nullptr : &tokens_[static_cast<std::size_t>(it->second)];
}

}  // namespace hone::tokenizer
