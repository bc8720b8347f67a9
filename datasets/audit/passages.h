#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/audit/words.h"
#include "datasets/record.h"
#include "tokenizer/tokenizer.h"

namespace hone::datasets::audit {

/// Whose words a passage is.
enum class Side {
  kSystem,    ///< a system message: often the same in every row
  kPrompt,    ///< what the model is given
  kResponse,  ///< what it learns to write
  kRejected,  ///< what it learns not to write
  kText,      ///< a text that has no sides
};

/// One piece of a row's text.
struct Passage {
  Side side;
  std::string role;  ///< "user", "chosen", …: how messages name it
  std::string text;
  std::string calls = {};  ///< tool calls as JSON, where it makes some

  bool is_answer() const { return side == Side::kResponse || side == Side::kRejected; }
};

/// A row as its words, whatever format it came in.
struct RowText {
  RecordKind kind;
  std::vector<Passage> passages;  ///< in the order in which they are read
  std::optional<bool> label;      ///< of an unpaired preference
  std::string tools;              ///< the tools that the row offers, as JSON; "" where none

  /// The last passage of a side; none where there is none.
  const Passage* last(Side side) const;
};

/// @param tokenizer decodes rows that are tokens; null: such rows are taken as the numbers they
///        are, in no passage
RowText row_text(const Record& record, const tokenizer::Tokenizer* tokenizer);

/// What tells rows apart, each over the normalised text (words.h).
struct RowKeys {
  ContentKey content;          ///< everything that is trained on
  std::uint64_t prompt = 0;    ///< all that stands before the last answer; 0 where nothing does
  std::uint64_t response = 0;  ///< the last answer; the chosen one of a pair
  std::uint64_t rejected = 0;  ///< the rejected one of a pair
};

RowKeys row_keys(const Record& record, const RowText& row);

}  // namespace hone::datasets::audit
