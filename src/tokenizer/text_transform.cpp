#include "tokenizer/text_transform.h"

namespace hone::tokenizer {

void transform(AlignedText& text, std::span<const NewCharacter> characters) {
  const std::string_view before = text.text();
  AlignedText::Edit edit(text);
  TextRange last{0, 0};
  const auto advance = [&] {
    last = {last.end, last.end + code_point_at(before, last.end).size_bytes};
  };
  for (const NewCharacter& character : characters) {
    if (character.change <= 0) advance();
    edit.append(character.value, last.begin, last.end);
    for (int i = character.change; i < 0; ++i) advance();
  }
  edit.commit();
}

}  // namespace hone::tokenizer
