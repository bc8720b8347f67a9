#include "tokenizer/post_processor.h"

#include <algorithm>
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

// Byte-level tokens carry the space before a word; trimmed offsets leave it out. With
// add_prefix_space, a single space at the very start counts as one that the tokenizer put there,
// even where it is the text's own; Hugging Face tokenizers have it so.
void trim_offsets(TextRange& range, Spaces spaces, bool keeps_first_space) {
  if (keeps_first_space && spaces.leading == 1) spaces.leading = 0;
  if (spaces.leading > 0) range.begin = std::min(range.begin + spaces.leading, range.end);
  if (spaces.trailing > 0 && range.end >= spaces.trailing) {
    range.end = std::max(range.end - spaces.trailing, range.begin);
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
      trim_offsets(range, spaces, add_prefix_space && (i == 0 || range.begin == 0));
    }
  };
}

void append_special(Encoding& encoding, const std::vector<std::int32_t>& ids) {
  encoding.ids.insert(encoding.ids.end(), ids.begin(), ids.end());
  encoding.offsets.resize(encoding.ids.size());
}

// Puts special tokens before and after the text.
PostProcessor make_frame(std::vector<std::int32_t> before, std::vector<std::int32_t> after) {
  return [before = std::move(before), after = std::move(after)](Encoding& encoding,
                                                                std::string_view, bool add) {
    if (!add || (before.empty() && after.empty())) return;
    Encoding framed;
    append_special(framed, before);
    framed.ids.insert(framed.ids.end(), encoding.ids.begin(), encoding.ids.end());
    framed.offsets.insert(framed.offsets.end(), encoding.offsets.begin(), encoding.offsets.end());
    append_special(framed, after);
    encoding = std::move(framed);
  };
}

PostProcessor make_template(const JsonField& field) {
  std::vector<std::int32_t> before, after;
  std::size_t sequences = 0;
  const JsonField pieces = field.at("single");
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const JsonField piece = pieces.at(i);
    if (piece.find("Sequence")) {
      ++sequences;
      continue;
    }
    const std::string name = piece.at("SpecialToken").at("id").string();
    const JsonField ids = field.at("special_tokens").at(name.c_str()).at("ids");
    for (std::size_t k = 0; k < ids.size(); ++k) {
      (sequences == 0 ? before : after).push_back(static_cast<std::int32_t>(ids.at(k).integer()));
    }
  }
  HONE_CHECK(DataError, sequences == 1, "{}.single: expected one Sequence, found {}", field.place,
             sequences);
  return make_frame(std::move(before), std::move(after));
}

// ["[CLS]", 101], as BertProcessing and RobertaProcessing have it.
std::int32_t named_id(const JsonField& pair) {
  HONE_CHECK(DataError, pair.array().size() == 2, "{}: expected [token, id]", pair.place);
  return static_cast<std::int32_t>(pair.at(std::size_t{1}).integer());
}

PostProcessor make_sequence(const JsonField& list, const TokenSpelling& spelling) {
  std::vector<PostProcessor> steps;
  for (std::size_t i = 0; i < list.size(); ++i) {
    steps.push_back(make_post_processor(list.at(i), spelling));
  }
  return [steps = std::move(steps)](Encoding& encoding, std::string_view text, bool add) {
    for (const PostProcessor& step : steps) step(encoding, text, add);
  };
}

}  // namespace

PostProcessor make_post_processor(const JsonField& field, const TokenSpelling& spelling) {
  if (!field) return [](Encoding&, std::string_view, bool) {};
  const std::string type = field.at("type").string();
  if (type == "Sequence") return make_sequence(field.at("processors"), spelling);
  if (type == "ByteLevel") return make_byte_level(field, spelling);
  if (type == "TemplateProcessing") return make_template(field);
  if (type == "BertProcessing") {
    return make_frame({named_id(field.at("cls"))}, {named_id(field.at("sep"))});
  }
  if (type == "RobertaProcessing") {
    const PostProcessor trim = make_byte_level(field, spelling);
    const PostProcessor frame =
        make_frame({named_id(field.at("cls"))}, {named_id(field.at("sep"))});
    return [trim, frame](Encoding& encoding, std::string_view text, bool add) {
      trim(encoding, text, add);
      frame(encoding, text, add);
    };
  }
  throw_unknown_type(
      field, type,
      {"Sequence", "ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"});
}

}  // namespace hone::tokenizer
