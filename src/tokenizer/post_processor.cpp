#include "tokenizer/post_processor.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/unicode.h"

namespace hone::tokenizer {
namespace {

struct Spaces {
  std::size_t leading, trailing;
};

// Spaces at the ends of a token as it is spelt; a token of spaces alone has them at both.
Spaces count_spaces(std::string_view token) {
  static const char32_t space_letter = byte_to_letter(' ');
  const auto is_space = [](char32_t c) { return c == space_letter || is_whitespace(c); };
  Spaces spaces{0, 0};
  for (std::size_t i = 0; i < token.size(); ++spaces.leading) {
    const CodePoint point = code_point_at(token, i);
    if (!is_space(point.value)) break;
    i += point.size_bytes;
  }
  for (std::size_t end = token.size(); end > 0; ++spaces.trailing) {
    const CodePoint point = code_point_before(token, end);
    if (!is_space(point.value)) break;
    end -= point.size_bytes;
  }
  return spaces;
}

// The place `count` characters before `position`, or nothing where there are fewer.
std::optional<std::size_t> step_back(std::string_view text, std::size_t position,
                                     std::size_t count) {
  for (; count > 0; --count) {
    if (position == 0) return std::nullopt;
    position -= code_point_before(text, position).size_bytes;
  }
  return position;
}

// Byte-level tokens carry the space before a word; trimmed offsets leave it out. With
// add_prefix_space, a single space at the very start counts as one that the tokenizer put there,
// even where it is the text's own; Hugging Face tokenizers have it so, and count characters of the
// text for spaces of the token whatever they are.
void trim_offsets(TextRange& range, std::string_view text, Spaces spaces, bool keeps_first_space) {
  if (keeps_first_space && spaces.leading == 1) spaces.leading = 0;
  for (; spaces.leading > 0 && range.begin < range.end; --spaces.leading) {
    range.begin += code_point_at(text, range.begin).size_bytes;
  }
  if (const auto end = step_back(text, range.end, spaces.trailing)) {
    range.end = std::max(*end, range.begin);
  }
}

PostProcessor make_byte_level(const JsonField& field, const TokenSpelling& spelling) {
  if (!field.boolean_or("trim_offsets", true)) return [](Encoding&, std::string_view, bool) {};
  const bool add_prefix_space = field.boolean_or("add_prefix_space", true);
  return [add_prefix_space, spelling](Encoding& encoding, std::string_view text, bool) {
    for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
      TextRange& range = encoding.offsets[i];
      const std::string_view as_added = text.substr(range.begin, range.size());
      const Spaces spaces = count_spaces(spelling(encoding.ids[i]).value_or(as_added));
      trim_offsets(range, text, spaces, add_prefix_space && (i == 0 || range.begin == 0));
    }
  };
}

// What a template is made of: special tokens, or the text where there are none.
struct Piece {
  std::vector<std::int32_t> special_ids;
};

// Puts special tokens around the text.
PostProcessor make_frame(std::vector<Piece> pieces) {
  const bool has_one_text = std::count_if(pieces.begin(), pieces.end(), [](const Piece& piece) {
                              return piece.special_ids.empty();
                            }) == 1;
  return [=, pieces = std::move(pieces)](Encoding& encoding, std::string_view, bool add_special) {
    if (has_one_text && !add_special) return;
    Encoding framed;
    for (const auto& [special_ids] : pieces) {
      if (!special_ids.empty() && !add_special) continue;
      const std::vector<std::int32_t>& ids = special_ids.empty() ? encoding.ids : special_ids;
      framed.ids.insert(framed.ids.end(), ids.begin(), ids.end());
      if (special_ids.empty()) {
        framed.offsets.insert(framed.offsets.end(), encoding.offsets.begin(),
                              encoding.offsets.end());
      }
      framed.offsets.resize(framed.ids.size());
    }
    encoding = std::move(framed);
  };
}

PostProcessor make_template(const JsonField& field, const TokenSpelling&) {
  std::vector<Piece> pieces;
  const JsonField list = field.at("single");
  for (std::size_t i = 0; i < list.array().size(); ++i) {
    const JsonField piece = list.at(i);
    if (const JsonField sequence = piece.find("Sequence")) {
      const std::string id = sequence.string_or("id", "A");
      HONE_CHECK(DataError, id == "A", "{}.id: `{}`; a single text is `A`", sequence.place, id);
      pieces.emplace_back();
      continue;
    }
    const std::string name = piece.at("SpecialToken").at("id").string();
    const JsonField ids = field.at("special_tokens").at(name.c_str()).at("ids");
    HONE_CHECK(DataError, !ids.array().empty(), "{} is empty", ids.place);
    Piece& special = pieces.emplace_back();
    for (std::size_t k = 0; k < ids.size(); ++k) special.special_ids.push_back(ids.at(k).id());
  }
  return make_frame(std::move(pieces));
}

// ["[CLS]", 101], as BertProcessing and RobertaProcessing have it.
std::int32_t named_id(const JsonField& pair) {
  HONE_CHECK(DataError, pair.array().size() == 2, "{}: expected [token, id]", pair.place);
  return pair.at(std::size_t{1}).id();
}

PostProcessor make_bert(const JsonField& field, const TokenSpelling&) {
  return make_frame({{{named_id(field.at("cls"))}}, {}, {{named_id(field.at("sep"))}}});
}

PostProcessor make_roberta(const JsonField& field, const TokenSpelling& spelling) {
  return [trim = make_byte_level(field, spelling), frame = make_bert(field, spelling)](
             Encoding& encoding, std::string_view text, bool add_special) {
    trim(encoding, text, add_special);
    frame(encoding, text, add_special);
  };
}

PostProcessor make_sequence(const JsonField& field, const TokenSpelling& spelling) {
  const JsonField list = field.at("processors");
  std::vector<PostProcessor> steps;
  for (std::size_t i = 0; i < list.array().size(); ++i) {
    steps.push_back(make_post_processor(list.at(i), spelling));
  }
  return [steps = std::move(steps)](Encoding& encoding, std::string_view text, bool add_special) {
    for (const PostProcessor& step : steps) step(encoding, text, add_special);
  };
}

struct PostProcessorType {
  std::string_view type;
  PostProcessor (*make)(const JsonField&, const TokenSpelling&);
};

constexpr std::array<PostProcessorType, 5> kPostProcessorTypes{{
    {"Sequence", make_sequence},
    {"ByteLevel", make_byte_level},
    {"TemplateProcessing", make_template},
    {"BertProcessing", make_bert},
    {"RobertaProcessing", make_roberta},
}};

}  // namespace

PostProcessor make_post_processor(const JsonField& field, const TokenSpelling& spelling) {
  if (!field) return [](Encoding&, std::string_view, bool) {};
  return find_type(field, kPostProcessorTypes).make(field, spelling);
}

}  // namespace hone::tokenizer
